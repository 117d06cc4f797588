// Package busybox makes an image with a shell for localkube's nodes, which pull nothing: the static BusyBox of this machine,
// with a link for each of its commands. Tests and the demo run pods of it.
package busybox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Image is the name that programs use: on other clusters it is Docker Hub's.
const Image = "busybox:1"

// Root makes the image's files in the folder dir. Its error is os/exec's ErrNotFound if this machine has no busybox, which
// is in Debian's package busybox-static.
func Root(ctx context.Context, dir string) error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	for _, d := range []string{"bin", "etc", "root", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "busybox"), binary, 0o755); err != nil { //nolint:gosec // it is to run
		return err
	}
	list, err := exec.CommandContext(ctx, path, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", path, err)
	}
	for command := range strings.FieldsSeq(string(list)) {
		if command == "busybox" {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", command)); err != nil {
			return err
		}
	}
	return nil
}

// Load makes the image and loads it into a cluster that was started by the binary localkube with a node. It takes half a
// second, also if the image is there already. Its error is that of [Root] if there is no busybox.
func Load(ctx context.Context, localkube, cluster string) error {
	dir, err := os.MkdirTemp("", "kubesdk-busybox-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the temporary folder
	if err := Root(ctx, dir); err != nil {
		return fmt.Errorf("make the image %s: %w", Image, err)
	}
	build := exec.CommandContext(ctx, localkube, "image", "build", "--rootfs", dir, "--name", Image, "--cluster", cluster, "--cmd", "sh")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("load the image %s: %w: %s", Image, err, out)
	}
	return nil
}
