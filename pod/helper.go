package pod

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/kubesdk/kubesdk/pod/internal/agent"
	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/supervise"
)

// HelperOptions say what to do for containers that lack the tools for transfers: /bin/sh, tar and the usual commands of
// BusyBox or coreutils. A small program is pushed into such a container then, and stays there.
type HelperOptions struct {
	// Binary is the path of the program on this machine: the command github.com/kubesdk/kubesdk/pod/podhelper, built for
	// the container's system without cgo. Empty: such a container is an error that names what it lacks.
	Binary string
	// Dir is the folder of the container to put it in; it must allow programs to run. Empty: /tmp.
	Dir string
	// Image is for containers without a shell. The program is put into them by an ephemeral container of this image,
	// which has to have a shell, cat, chmod and mkdir; see [Debug]. Empty: such a container is an error.
	Image string
}

// pushHelper puts the helper into the container.
func (r *remote) pushHelper(ctx context.Context, h HelperOptions, missing []string) (*toolkit, error) {
	lacks := fmt.Errorf("%s lacks what is needed to copy files: %s", r.target, strings.Join(missing, " "))
	if h.Binary == "" {
		return nil, fmt.Errorf("%w (see pod.HelperOptions)", lacks)
	}
	if h.Dir == "" {
		h.Dir = "/tmp"
	}
	from, prefix := r.target, ""
	for _, tool := range missing {
		if tool != supervise.Shell && tool != "cat" && tool != "chmod" && tool != "mkdir" {
			continue
		}
		if h.Image == "" {
			return nil, fmt.Errorf("%w, and the helper can only be pushed by an ephemeral container then (see pod.HelperOptions)", lacks)
		}
		var err error
		if from, err = Debug(ctx, r.target, DebugOptions{Image: h.Image}); err != nil {
			return nil, fmt.Errorf("push the helper: %w", err)
		}
		prefix = "/proc/1/root"
		break
	}
	binary, err := os.Open(h.Binary)
	if err != nil {
		return nil, fmt.Errorf("push the helper: %w", err)
	}
	defer func() { _ = binary.Close() }() // it was only read
	where := path.Join(h.Dir, stageName())
	push := Command(from, supervise.Shell, "-c", `mkdir -p "${1%/*}"&&cat >"$1"&&chmod 755 "$1"`, "kubesdk", prefix+where)
	push.Stdin = binary
	if err := push.Run(ctx); err != nil {
		return nil, fmt.Errorf("push the helper: %w", err)
	}
	by := archive.HasherOf(agent.Hasher)
	return &toolkit{gnu: true, same: by, proof: by, helper: where}, nil
}
