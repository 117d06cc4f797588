package generate

import (
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/emit"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
)

// importPath returns the import path of the output folder.
func importPath(opts Options) (string, error) {
	if opts.Output == "" {
		return "", errors.New("--output is required: the folder for the generated packages")
	}
	if opts.Module != "" {
		if err := module.CheckImportPath(opts.Module); err != nil {
			return "", fmt.Errorf("--module-name: %w", err)
		}
		return opts.Module, nil
	}
	dir, err := filepath.Abs(opts.Output)
	if err != nil {
		return "", fmt.Errorf("finding the output folder: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		data, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil {
			root := modfile.ModulePath(data)
			if root == "" {
				return "", fmt.Errorf("%s has no module line; pass --module-name", filepath.Join(at, "go.mod"))
			}
			rel, err := filepath.Rel(at, dir)
			if err != nil {
				return "", err
			}
			return path.Join(root, filepath.ToSlash(rel)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !isNotDir(err) {
			return "", fmt.Errorf("looking for the import path: %w", err)
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod at or above %s tells the import path: pass --module-name, such as example.com/you/apis", opts.Output)
		}
	}
}

func isNotDir(err error) bool { return strings.Contains(err.Error(), "not a directory") }

// rootFile prints the package that registers all others.
func rootFile(module string, packages []pkgPath) ([]byte, error) {
	packages = slices.Clone(packages)
	slices.SortFunc(packages, func(a, b pkgPath) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.version, b.version))
	})
	name := names.Package(path.Base(module))
	taken := map[string]bool{"runtime": true}
	var imports, calls strings.Builder
	for _, p := range packages {
		alias := names.Free(taken, emit.GroupAlias(p.group)+names.Package(p.version))
		fmt.Fprintf(&imports, "%s %q\n", alias, module+"/"+p.dir())
		fmt.Fprintf(&calls, "%s.AddToScheme,\n", alias)
	}
	text := fmt.Sprintf(`%s
// Package %s registers the types of all packages below it.
package %s

import (
	"k8s.io/apimachinery/pkg/runtime"

	%s)

// AddToScheme adds the types of all packages below this one to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{
		%s} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	return nil
}
`, emit.Header, name, name, imports.String(), calls.String())
	return format.Source([]byte(text))
}
