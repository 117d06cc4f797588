// Package typecheck lets a test show that code does not compile: it runs the compiler's type checker over a snippet and returns
// what that says.
package typecheck

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Checker checks snippets that import a fixed set of packages.
type Checker struct {
	imports  map[string]string // name → path
	fset     *token.FileSet
	importer types.Importer
}

// New prepares to check snippets that use the packages at the given import paths by the given names. It runs the go command once,
// so that the packages' types are those of the module under test.
func New(t *testing.T, imports map[string]string) *Checker {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}
	for _, path := range imports {
		args = append(args, path)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	fset := token.NewFileSet()
	open := func(path string) (io.ReadCloser, error) {
		file, ok := exports[path]
		if !ok {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(file)
	}
	return &Checker{imports: imports, fset: fset, importer: importer.ForCompiler(fset, "gc", open)}
}

// Check returns the type checker's errors for a function with the given body, joined by newlines: empty when it compiles.
func (c *Checker) Check(t *testing.T, body string) string {
	t.Helper()
	var source strings.Builder
	source.WriteString("package snippet\n")
	for name, path := range c.imports {
		fmt.Fprintf(&source, "import %s %q\n", name, path)
	}
	fmt.Fprintf(&source, "func _() {\n%s\n}\n", body)
	file, err := parser.ParseFile(c.fset, "snippet.go", source.String(), parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("the snippet is not even Go: %v", err)
	}
	var complaints []string
	config := types.Config{
		Importer: c.importer,
		Error: func(err error) {
			var complaint types.Error
			if errors.As(err, &complaint) && !strings.Contains(complaint.Msg, "imported as") && !strings.HasSuffix(complaint.Msg, "imported and not used") {
				complaints = append(complaints, complaint.Msg)
			}
		},
	}
	_, _ = config.Check("snippet", c.fset, []*ast.File{file}, nil) // the errors went to complaints
	return strings.Join(complaints, "\n")
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// Page checks the Go blocks of a page of documentation. Each is a part of a function that returns an error, after the
// declarations of prelude, which the reader knows by then; "..." stands for what does not matter there.
func (c *Checker) Page(t *testing.T, page, prelude string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range goBlock.FindAllStringSubmatch(string(text), -1) {
		body := strings.ReplaceAll(block[1], "{ ... }", "{ }")
		source := prelude + "_ = func() error {\n" + body + "\nreturn nil\n}\n"
		for complaint := range strings.Lines(c.Check(t, source)) {
			if !strings.HasPrefix(complaint, "declared and not used") {
				t.Errorf("%s, Go block %d: %s", filepath.Base(page), i+1, complaint)
			}
		}
	}
}
