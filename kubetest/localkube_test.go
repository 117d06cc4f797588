package kubetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script writes a program in the place of localkube: what this package makes of its failures does not need a cluster.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "localkube")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUpFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body   string
		says   []string
		noNode bool
	}{
		"it fails":             {"for i in $(seq 50); do echo line $i >&2; done; exit 1", []string{"up --name x", "exit status 1", "line 50", "line 31"}, false},
		"a node is impossible": {"echo first >&2; echo 'localkube: a node needs runc' >&2; exit 5", []string{"a node needs runc"}, true},
		"it prints no JSON":    {"echo ready", []string{"names no kubeconfig", "ready"}, false},
		"it names no file":     {"echo '{}'", []string{"names no kubeconfig"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, err := up(t.Context(), script(t, tt.body), "x", nil)
			if err == nil {
				t.Fatalf("got %q", path)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "line 30\n") {
				t.Errorf("%q has more than the last lines", err)
			}
			if got := errors.Is(err, errNoNode); got != tt.noNode {
				t.Errorf("it is taken for a missing node: %v, want %v", got, tt.noNode)
			}
		})
	}
}

func TestKeepEndsWithCluster(t *testing.T) {
	t.Parallel()
	lease := filepath.Join(t.TempDir(), "lease")
	if err := os.WriteFile(lease, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if err := renew(lease); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(lease); err != nil || info.ModTime().Before(before.Truncate(time.Second)) {
		t.Errorf("the lease was not renewed: %v", err)
	}
	if err := renew(lease + "-gone"); err == nil {
		t.Error("a cluster that was taken down is kept alive")
	}
}

func TestFindsLocalkube(t *testing.T) {
	path := script(t, "")
	t.Setenv("LOCALKUBE", path)
	if got, err := localkube(t.Context()); got != path || err != nil {
		t.Errorf("LOCALKUBE: got %q, %v", got, err)
	}
	t.Setenv("LOCALKUBE", path+"-gone")
	if got, err := localkube(t.Context()); err == nil || !strings.Contains(err.Error(), "$LOCALKUBE") {
		t.Errorf("a LOCALKUBE that is not there: got %q, %v", got, err)
	}
	t.Setenv("LOCALKUBE", "")
	t.Setenv("PATH", filepath.Dir(path))
	if got, err := localkube(t.Context()); got != path || err != nil {
		t.Errorf("PATH: got %q, %v", got, err)
	}
	t.Setenv("PATH", t.TempDir())
	if got, err := localkube(t.Context()); err == nil || !strings.Contains(err.Error(), "set LOCALKUBE") {
		t.Errorf("nothing anywhere: got %q, %v", got, err)
	}
}

func TestBuildCommand(t *testing.T) {
	t.Parallel()
	checkout := t.TempDir()
	if err := os.MkdirAll(filepath.Join(checkout, "cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(checkout, "cluster", "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, target := buildCommand(t.Context(), "cache", checkout, "")
	if got := strings.Join(cmd.Args, " "); cmd.Dir != filepath.Join(checkout, "cluster") || !strings.HasSuffix(got, "-o "+target+" ./cmd/localkube") {
		t.Errorf("in a checkout: %s in %s", got, cmd.Dir)
	}
	for version, want := range map[string]string{"v1.2.3": "v1.2.3", "": "latest"} {
		cmd, target = buildCommand(t.Context(), "cache", t.TempDir(), version)
		if got := strings.Join(cmd.Args, " "); !strings.HasSuffix(got, " "+localkubePkg+"@"+want) || target != filepath.Join("cache", want, "localkube") {
			t.Errorf("of version %q: %s to %s", version, got, target)
		}
	}
}

// outcome records how a test would have ended.
type outcome struct {
	testing.TB
	skipped, failed string
}

func (o *outcome) Helper()                           {}
func (o *outcome) Skipf(format string, args ...any)  { o.skipped = fmt.Sprintf(format, args...) }
func (o *outcome) Fatalf(format string, args ...any) { o.failed = fmt.Sprintf(format, args...) }

func TestWithoutNode(t *testing.T) {
	reason := errors.New("runc is missing")
	t.Setenv("CI", "")
	here := &outcome{TB: t}
	if unavailable(here, reason); here.failed != "" || here.skipped != "no node: runc is missing" {
		t.Errorf("on a machine of somebody: %+v", here)
	}
	t.Setenv("CI", "true")
	ci := &outcome{TB: t}
	if unavailable(ci, reason); !strings.Contains(ci.failed, "runc is missing") {
		t.Errorf("in CI: %+v", ci)
	}
}

// A new build must not take the file away that running clusters were started from.
func TestPin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "localkube")
	build := func(content string) string {
		t.Helper()
		if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte(content), 0o700)); err != nil {
			t.Fatal(err)
		}
		name, err := pin(path)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	first, same, second := build("one"), build("one"), build("two")
	if first != same || first == second {
		t.Errorf("names: %s, %s, %s", first, same, second)
	}
	for name, want := range map[string]string{first: "one", second: "two"} {
		if got, err := os.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	long := time.Now().Add(-2 * pinned)
	if err := os.Chtimes(first, long, long); err != nil {
		t.Fatal(err)
	}
	build("three")
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old one is still there: %v", err)
	}
	if _, err := os.Stat(second); err != nil {
		t.Errorf("the one from before is gone: %v", err)
	}
}
