package state_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func TestValidateName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"default": true, "a": true, "t1": true, "a-b": true, strings.Repeat("x", 40): true,
		"": false, "-a": false, "a-": false, "A": false, "a.b": false, "a/b": false, "..": false, "a b": false,
		strings.Repeat("x", 41): false, "ä": false, "a\n": false,
	} {
		if err := state.ValidateName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzValidNamesAreSafePaths(f *testing.F) {
	f.Add("default")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, name string) {
		dir, err := state.In("/clusters", name)
		if err == nil && filepath.Dir(dir.Path()) != "/clusters" {
			t.Errorf("cluster %q is at %s", name, dir.Path())
		}
	})
}

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

func TestFilesRoundTrip(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	if _, err := dir.ReadConfig(); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("before it is written: %v", err)
	}
	if s, err := dir.ReadStatus(); err != nil || s.Phase != "" {
		t.Errorf("before it is written: %v, %v", s, err)
	}
	cfg := state.Config{Name: "c", Node: true, Port: 1, IdleTimeout: time.Minute, Created: time.Now().UTC()}
	if err := dir.WriteConfig(cfg); err != nil {
		t.Fatal(err)
	}
	got, err := dir.ReadConfig()
	if diff := cmp.Diff(cfg, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if names, err := state.List(filepath.Dir(dir.Path())); err != nil || len(names) != 1 || names[0] != "c" {
		t.Errorf("the list is %v, %v", names, err)
	}
	info, err := os.Stat(dir.Path("cluster.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestListOfNothing(t *testing.T) {
	t.Parallel()
	if names, err := state.List(filepath.Join(t.TempDir(), "missing")); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestBrokenConfigIsNamed(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	if err := os.WriteFile(dir.Path("cluster.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.ReadConfig(); err == nil || !strings.Contains(err.Error(), dir.Path("cluster.json")) {
		t.Errorf("%v", err)
	}
}

// Release removes the lock's file while others wait for it, so this is the test that only one ever has the lock.
func TestLockIsOnesAtATime(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	var holders atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				lock, err := dir.TryLock()
				if errors.Is(err, state.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two have the lock")
				}
				holders.Add(-1)
				lock.Release()
			}
		})
	}
	wait.Wait()
	if entries, _ := filepath.Glob(filepath.Join(filepath.Dir(dir.Path()), "*.lock")); len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestLockWaitsUntilContextEnds(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	lock, err := dir.TryLock()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	waited := 0
	if _, err := dir.Lock(ctx, func() { waited++ }); !errors.Is(err, state.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if waited != 1 {
		t.Errorf("said %d times that it waits", waited)
	}
	lock.Release()
	again, err := dir.Lock(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}

func TestAlive(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	if dir.Alive() {
		t.Error("alive without a supervisor")
	}
	held, err := dir.HoldAlive()
	if err != nil {
		t.Fatal(err)
	}
	if !dir.Alive() {
		t.Error("not alive with a supervisor")
	}
	if _, err := dir.HoldAlive(); !errors.Is(err, state.ErrLocked) {
		t.Errorf("a second supervisor: %v", err)
	}
	held.Close()
	if dir.Alive() {
		t.Error("alive after the supervisor")
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, root := range []string{"/a", "/b"} {
		for _, name := range []string{"x", "y"} {
			dir, err := state.In(root, name)
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := seen[dir.ID()]; ok {
				t.Errorf("%s has the id of %s", dir.Path(), other)
			}
			seen[dir.ID()] = dir.Path()
		}
	}
}
