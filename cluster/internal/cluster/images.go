package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// ErrNoNode reports that the cluster has no node that could use images.
var ErrNoNode = errors.New("the cluster has no node; start it with \"localkube up --node\"")

// LoadImages loads the images of a docker-archive or OCI archive into the cluster's node and returns their names. The error
// wraps [ErrNoNode] if it has none.
func LoadImages(ctx context.Context, dir state.Dir, cfg state.Config, archive string) ([]string, error) {
	if !cfg.Node {
		return nil, fmt.Errorf("cluster %q: %w", dir.Name(), ErrNoNode)
	}
	archive, err := filepath.Abs(archive)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(archive); err != nil {
		return nil, fmt.Errorf("read the archive: %w", err)
	}
	cmd := exec.CommandContext(ctx, "ctr", plan.CtrImport(archive)...)
	cmd.Dir = dir.Path()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("load %s into cluster %q: %w: %s", archive, dir.Name(), err, strings.TrimSpace(stderr.String()))
	}
	return imported(stdout.String()), nil
}

// imported finds the names in what ctr says, "unpacking NAME (DIGEST)...done" for each.
func imported(output string) []string {
	var names []string
	for line := range strings.Lines(output) {
		if rest, ok := strings.CutPrefix(line, "unpacking "); ok {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	return names
}
