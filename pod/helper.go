package pod

import (
	"context"
	"fmt"
	"strings"
)

// HelperOptions say what to do for containers that lack the tools for transfers: /bin/sh, tar and the usual commands of
// BusyBox or coreutils.
type HelperOptions struct{}

func (r *remote) pushHelper(_ context.Context, _ HelperOptions, missing []string) (*toolkit, error) {
	return nil, fmt.Errorf("%s lacks what is needed to copy files: %s", r.target, strings.Join(missing, " "))
}
