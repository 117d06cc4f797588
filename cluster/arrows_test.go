// Package cluster_test holds the shape of this module: which package may import which.
package cluster_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kubesdk/kubesdk/cluster/"

// arrows are, for each package, those of this module that it may import. None points back.
var arrows = map[string][]string{
	"cmd/localkube":       {"internal/cli", "internal/components", "internal/version"},
	"internal/cli":        {"internal/cluster", "internal/image", "internal/node", "internal/plan", "internal/state", "internal/supervisor", "internal/sweep", "internal/version"},
	"internal/cluster":    {"internal/image", "internal/node", "internal/plan", "internal/state", "internal/sweep"},
	"internal/supervisor": {"internal/addons", "internal/plan", "internal/state", "internal/sweep"},
	"internal/node":       {"internal/plan", "internal/state", "internal/sweep"},
	"internal/plan":       {"internal/kubeconfig", "internal/pki", "internal/state"},
	"internal/addons":     {"internal/state"},
	"internal/sweep":      {"internal/state"},
	"internal/kubeconfig": {"internal/pki"},
	// Kubernetes itself is linked in here and nowhere else, so that everything else compiles in seconds.
	"internal/components": {"internal/storage"},
	"internal/image":      {},
	"internal/pki":        {},
	"internal/state":      {},
	"internal/storage":    {},
	"internal/version":    {},
	"internal/e2e/inpod":  {},
	"internal/e2e":        {},
}

func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	for dir, imports := range importsByPackage(t) {
		allowed, known := arrows[dir]
		if !known {
			t.Errorf("package %s is not in the table of arrows", dir)
			continue
		}
		for _, path := range imports {
			target, ours := strings.CutPrefix(path, module)
			if ours && !slices.Contains(allowed, target) {
				t.Errorf("%s imports %s, which is against the arrows", dir, target)
			}
			kubernetes := strings.HasPrefix(path, "k8s.io/kubernetes/") || strings.HasPrefix(path, "go.etcd.io/etcd/server/")
			if kubernetes && dir != "internal/components" {
				t.Errorf("%s imports %s: only internal/components links Kubernetes", dir, path)
			}
		}
	}
}

func importsByPackage(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		found[dir] = append(found[dir], []string{}...)
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[dir] = append(found[dir], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
