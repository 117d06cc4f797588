package pod_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod"
)

// local makes a small tree of files with their paths as contents.
func local(t *testing.T, paths ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	for _, p := range paths {
		write(t, filepath.Join(dir, p), p)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func changes(r *pod.Report) []string {
	var lines []string
	for _, c := range r.Changes {
		lines = append(lines, c.String())
	}
	return lines
}

func TestSync(t *testing.T) {
	t.Parallel()
	each(t, []string{busybox, debian, distroless}, func(t *testing.T, target pod.Target) {
		dir := local(t, "a", "b", "sub/c", "sub/d", "x/y", "notes.tmp")
		o := pod.SyncOptions{CopyOptions: pod.CopyOptions{Helper: helper(t), Ignore: []string{"*.tmp"}}}
		sync := func(want ...string) *pod.Report {
			t.Helper()
			report, err := pod.Sync(t.Context(), target, dir, "/tmp/sync", o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, changes(report)); diff != "" {
				t.Errorf("changes, -want +got:\n%s", diff)
			}
			return report
		}
		o.DryRun = true
		sync("create file a", "create file b", "create folder sub", "create file sub/c", "create file sub/d", "create folder x", "create file x/y")
		sync("create file a", "create file b", "create folder sub", "create file sub/c", "create file sub/d", "create folder x", "create file x/y")
		o.DryRun = false
		sync("create file a", "create file b", "create folder sub", "create file sub/c", "create file sub/d", "create folder x", "create file x/y")
		sync()

		write(t, filepath.Join(dir, "a"), "longer than before")
		if err := errors.Join(os.Chmod(filepath.Join(dir, "b"), 0o755), os.Remove(filepath.Join(dir, "sub/d")), os.Symlink("b", filepath.Join(dir, "link"))); err != nil {
			t.Fatal(err)
		}
		report, err := pod.Sync(t.Context(), target, dir, "/tmp/sync", o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(changes(report), ", "); !strings.Contains(got, "change file a") || !strings.Contains(got, "create symbolic link link") || strings.Contains(got, "delete") || strings.Contains(got, "sub/c") {
			t.Errorf("changes %s", got)
		}
		o.Delete = true
		sync("delete file sub/d")
		sync()

		// The same size and another time: only a hash can tell, and only what differs is sent.
		if err := os.Chtimes(filepath.Join(dir, "sub/c"), time.Now(), time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "x/y"), "y/x")
		report, err = pod.Sync(t.Context(), target, dir, "/tmp/sync", o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(changes(report), ", "); !strings.Contains(got, "change file x/y") || !strings.Contains(got, "file sub/c") {
			t.Errorf("changes %s", got)
		}
		sync()

		// A file becomes a folder: only with Delete.
		if err := os.Remove(filepath.Join(dir, "a")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "a/inner"), "inner")
		o.Delete = false
		if _, err := pod.Sync(t.Context(), target, dir, "/tmp/sync", o); err == nil || !strings.Contains(err.Error(), "Delete") {
			t.Errorf("a folder over a file: %v", err)
		}
		o.Delete = true
		sync("change folder a", "create file a/inner")

		// And down again, where there is more than in the pod.
		down := local(t, "extra", "kept.tmp", "a/inner", "link/x")
		if _, err := pod.SyncFrom(t.Context(), target, "/tmp/sync", down, o); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "notes.tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(down, "kept.tmp")); err != nil {
			t.Errorf("what is ignored was deleted: %v", err)
		}
		sameTree(t, dir, down, precision(target), true)
		if report, err = pod.SyncFrom(t.Context(), target, "/tmp/sync", down, o); err != nil || len(report.Changes) > 0 {
			t.Errorf("again: %v %v", report, err)
		}
	})
}

// TestSyncSameSecond changes a file right after a sync, in the same second and with the same size: BusyBox keeps only
// seconds, so that neither size nor time shows it.
func TestSyncSameSecond(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, busybox)
	dir := local(t, "f")
	for i := range 5 {
		text := fmt.Sprint("text ", i)
		write(t, filepath.Join(dir, "f"), text)
		if _, err := pod.Sync(t.Context(), target, dir, "/tmp/same-second", pod.SyncOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := output(t, target, "cat /tmp/same-second/f"); got != text {
			t.Fatalf("in the container is %q after %q was synced", got, text)
		}
	}
}
