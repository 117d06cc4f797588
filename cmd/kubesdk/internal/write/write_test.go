package write_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/write"
)

var options = write.Options{
	Generated: func(_ string, content []byte) bool { return bytes.HasPrefix(content, []byte("ours")) },
	Allowed:   []string{"go.mod"},
}

// tree returns the files below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			if entries, _ := os.ReadDir(path); len(entries) == 0 {
				out[filepath.ToSlash(rel)+"/"] = ""
			}
			return nil
		}
		data, err := os.ReadFile(path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "out")
	files := write.Files{"a/one.go": []byte("ours 1"), "b/two.go": []byte("ours 2")}
	c, err := write.Plan(dir, files, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a/one.go": "ours 1", "b/two.go": "ours 2"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	plant(t, dir, map[string]string{"go.mod": "module x", ".kubesdk-stage-1/new/half": "left by a killed run", "kept/k.go": "ours, kept"})
	opts := options
	opts.Keep = []string{"kept"}
	c, err = write.Plan(dir, write.Files{"a/one.go": []byte("ours 1"), "c/three.go": []byte("ours 3"), "a/x.go": []byte("ours x")}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a/x.go", "c/three.go"}, c.Created); diff != "" || c.Unchanged != 1 || len(c.Removed) != 1 || c.Removed[0] != "b/two.go" {
		t.Errorf("planned %+v", c)
	}
	if err := c.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a/one.go": "ours 1", "a/x.go": "ours x", "c/three.go": "ours 3", "go.mod": "module x", "kept/k.go": "ours, kept"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("the empty folder of a removed file or an old stage is left, or worse: %s", diff)
	}
}

func TestForeignFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, map[string]string{"a/mine.go": "package mine", "notes.txt": "ours? no: not go"})
	_, err := write.Plan(dir, write.Files{"a/one.go": []byte("ours")}, write.Options{Generated: func(string, []byte) bool { return false }})
	if err == nil || !strings.Contains(err.Error(), "a/mine.go") || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("got %v", err)
	}
	if err := os.Symlink("/", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	if _, err = write.Plan(dir, nil, options); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("a symbolic link was accepted: %v", err)
	}
	if _, err = write.Plan(filepath.Join(dir, "notes.txt"), nil, options); err == nil {
		t.Error("a file was accepted as a folder")
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "out")
	c, err := write.Plan(dir, write.Files{"a/one.go": []byte("ours")}, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Apply(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Error("folders were left behind")
	}
}

// TestPutBack makes the second move fail: a folder stands where a file should go.
func TestPutBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := map[string]string{"a/one.go": "ours, old", "z/gone.go": "ours, to be removed"}
	plant(t, dir, before)
	c, err := write.Plan(dir, write.Files{"a/one.go": []byte("ours, new"), "b/two.go": []byte("ours")}, options)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, dir, map[string]string{"b/two.go/blocker": "ours"}) // comes after the plan
	if err := c.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "put back") {
		t.Fatalf("got %v", err)
	}
	before["b/two.go/blocker"] = "ours"
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}
