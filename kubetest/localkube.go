package kubetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	upTimeout   = 5 * time.Minute
	exitMissing = 5 // of localkube: this machine lacks what a node needs
	lastLines   = 20
)

// errNoNode reports that pods cannot run on this machine.
var errNoNode = errors.New("pods cannot run on this machine")

// up starts the cluster, or finds it running, keeps it alive as long as this program runs, and returns its kubeconfig.
func up(ctx context.Context, binary, name string, flags []string) (string, error) {
	args := append([]string{"up", "--name", name, "-o", "json", "--idle-timeout", idleTimeout.String(), "--timeout", upTimeout.String()}, flags...)
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitMissing {
			return "", fmt.Errorf("%w: %s", errNoNode, tail(log.String(), 1))
		}
		return "", fmt.Errorf("%s: %w; its last lines:\n%s", strings.Join(cmd.Args, " "), err, tail(log.String(), lastLines))
	}
	var info struct{ Kubeconfig, Dir string }
	if err := json.Unmarshal(out.Bytes(), &info); err != nil || info.Kubeconfig == "" || info.Dir == "" {
		return "", fmt.Errorf("%s: the answer names no kubeconfig and directory (%w): %s", strings.Join(cmd.Args, " "), err, tail(out.String(), lastLines))
	}
	go keep(filepath.Join(info.Dir, "lease"))
	return info.Kubeconfig, nil
}

// keep renews the lease of a cluster until this program ends or the cluster is taken down.
func keep(lease string) {
	for range time.Tick(idleTimeout / 10) {
		if renew(lease) != nil {
			return
		}
	}
}

func renew(lease string) error {
	now := time.Now()
	return os.Chtimes(lease, now, now)
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

const (
	rootModule   = "github.com/kubesdk/kubesdk"
	localkubePkg = rootModule + "/cluster/cmd/localkube"
)

// localkube finds the binary, or builds it.
func localkube(ctx context.Context) (string, error) {
	if path := os.Getenv("LOCALKUBE"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("$LOCALKUBE: %w", err)
		}
		return path, nil
	}
	if path, err := exec.LookPath("localkube"); err == nil {
		return path, nil
	}
	return buildLocalkube(ctx)
}

// buildLocalkube builds from the checkout that this module is in, or else from the release of the same version.
func buildLocalkube(ctx context.Context) (string, error) {
	const hint = "install it with go install " + localkubePkg + "@latest, or set LOCALKUBE to its path"
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}\n{{.Version}}", rootModule).Output()
	if err != nil {
		return "", fmt.Errorf("localkube is not on the PATH, and go list does not find the module to build it from: %w; %s", err, hint)
	}
	dir, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for localkube: %w; %s", err, hint)
	}
	if err := os.MkdirAll(filepath.Join(cache, "kubesdk"), 0o755); err != nil {
		return "", err
	}
	cmd, target := buildCommand(ctx, filepath.Join(cache, "kubesdk"), dir, version)
	unlock, err := lock(target + ".lock")
	if err != nil {
		return "", fmt.Errorf("build localkube: %w; %s", err, hint)
	}
	defer unlock()
	if _, err := os.Stat(target); err != nil {
		fmt.Fprintln(os.Stderr, "kubetest: building localkube: the first time this compiles Kubernetes, about 10 minutes on 2 cores")
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, io.MultiWriter(&log, os.Stderr)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w; %s; its last lines:\n%s", strings.Join(cmd.Args, " "), err, hint, tail(log.String(), lastLines))
	}
	if target, err = pin(target); err != nil {
		return "", fmt.Errorf("keep localkube: %w; %s", err, hint)
	}
	return target, nil
}

const pinned = 24 * time.Hour // longer than any cluster of tests runs

// pin gives a binary a name of its own by its content, under which the next build does not replace it: a cluster starts
// its processes again from the file that it was started from. What nobody has pinned for a day is removed.
func pin(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	name := path + "." + hex.EncodeToString(sum.Sum(nil)[:6])
	if err := os.Link(path, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	now := time.Now()
	if err := os.Chtimes(name, now, now); err != nil {
		return "", err
	}
	old, err := filepath.Glob(path + ".????????????")
	if err != nil {
		return "", err
	}
	for _, other := range old {
		if info, err := os.Stat(other); err == nil && now.Sub(info.ModTime()) > pinned {
			_ = os.Remove(other) // the next run tries again
		}
	}
	return name, nil
}

// buildCommand says how to build localkube beside the root module in dir, and where the binary will be.
func buildCommand(ctx context.Context, cache, dir, version string) (cmd *exec.Cmd, target string) {
	module := filepath.Join(dir, "cluster")
	if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
		sum := sha256.Sum256([]byte(module))
		target = filepath.Join(cache, "localkube-"+hex.EncodeToString(sum[:4]))
		cmd = exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", target, "./cmd/localkube")
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		return cmd, target
	}
	if version == "" {
		version = "latest"
	}
	bin := filepath.Join(cache, version)
	cmd = exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags", "-s -w", localkubePkg+"@"+version)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+bin)
	return cmd, filepath.Join(bin, "localkube")
}
