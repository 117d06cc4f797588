package sweep

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func newDir(t *testing.T) state.Dir {
	t.Helper()
	dir, err := state.In(t.TempDir(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Create(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sleeper(t *testing.T, env ...string) (*exec.Cmd, <-chan error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return cmd, ended
}

func TestRemoveEndsTheClustersProcessesOnly(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	_, ours := sleeper(t, Mark(dir))
	// The name of another cluster begins with that of this one.
	other, theirs := sleeper(t, Mark(dir)+"-other")
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ours:
	case <-time.After(5 * time.Second):
		t.Error("the cluster's process is still there")
	}
	select {
	case <-theirs:
		t.Error("another cluster's process is gone too")
	default:
		other.Process.Kill()
	}
	if dir.Exists() {
		t.Error("the directory is still there")
	}
	if err := Remove(dir); err != nil {
		t.Errorf("with nothing left: %v", err)
	}
}

func TestRemoveIdleLeavesALockedCluster(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	lock, err := dir.TryLock()
	if err != nil {
		t.Fatal(err)
	}
	if err := RemoveIdle(dir); err != nil || !dir.Exists() {
		t.Errorf("%v, exists: %v", err, dir.Exists())
	}
	lock.Release()
	if err := RemoveIdle(dir); err != nil || dir.Exists() {
		t.Errorf("%v, exists: %v", err, dir.Exists())
	}
}

func TestRemoveTree(t *testing.T) {
	t.Parallel()
	top := filepath.Join(t.TempDir(), "top")
	if err := os.MkdirAll(filepath.Join(top, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(top, "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := removeTree(top); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(top); err == nil {
			t.Fatal("still there")
		}
	}
}

func TestHierarchiesExist(t *testing.T) {
	t.Parallel()
	found := Hierarchies("x")
	if len(found) == 0 {
		t.Skip("SKIPPED: no cgroups here")
	}
	for _, path := range found {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "cgroup.procs")); err != nil {
			t.Errorf("%s is in no hierarchy: %v", path, err)
		}
	}
	if dir := newDir(t); !strings.HasPrefix(Cgroup(dir), "localkube-") || slices.Contains(found, Cgroup(dir)) {
		t.Errorf("the cgroup is %s", Cgroup(dir))
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	if got := unescape(`/a\040b\011c\134d`); got != "/a b\tc\\d" {
		t.Errorf("%q", got)
	}
}
