// Package examples finds, builds and runs the programs of the examples folder, for the demo and for the tests.
//
// A program is a folder with a main.go that uses the current context of $KUBECONFIG, its namespace, and, if it needs a second
// cluster, the context "staging". One that needs pods to run says so with a line "//example:node" in its main.go; the image
// busybox:1 is on that node.
package examples

import (
	"cmp"
	"context"
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Example is one program.
type Example struct {
	Name     string // of the folder
	Dir      string
	Synopsis string // what it does, in a sentence that goes on from the name
	Node     bool   // it needs pods to run
}

// guide is the order in which a newcomer reads about things. What is not in it comes after, by name.
var guide = []string{"quickstart", "authentication", "requestconfig", "deployments", "watching", "patching", "multicluster", "errors", "batch", "customresource", "commands", "files", "portforward"}

func place(e Example) int {
	if i := slices.Index(guide, e.Name); i >= 0 {
		return i
	}
	return len(guide)
}

// Find reads the examples in folder root, in the order of the guide.
func Find(root string) ([]Example, error) {
	mains, err := filepath.Glob(filepath.Join(root, "*", "main.go"))
	if err != nil {
		return nil, err
	}
	var found []Example
	for _, path := range mains {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		dir := filepath.Dir(path)
		found = append(found, Example{
			Name:     filepath.Base(dir),
			Dir:      dir,
			Synopsis: strings.TrimPrefix(new(doc.Package).Synopsis(file.Doc.Text()), "Command "+filepath.Base(dir)+" "),
			Node:     strings.Contains(string(text), "\n//example:node\n"),
		})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there are no programs in %s", root)
	}
	slices.SortStableFunc(found, func(a, b Example) int { return cmp.Compare(place(a), place(b)) })
	return found, nil
}

// Build compiles the program into the folder bin and returns the binary's path.
func (e Example) Build(ctx context.Context, bin string) (string, error) {
	target := filepath.Join(bin, e.Name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", target, ".")
	cmd.Dir = e.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build example %s: %w\n%s", e.Name, err, out)
	}
	return target, nil
}

// Command runs a program that was built, with the kubeconfig. When ctx ends it is interrupted, and killed ten seconds later.
func Command(ctx context.Context, binary, kubeconfig string, stdout, stderr io.Writer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Kubeconfig writes a kubeconfig to path: its current context is that of the file primary, in the namespace, and its context
// "staging" is that of the file staging, which may be empty.
func Kubeconfig(path, primary, namespace, staging string) error {
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "primary"
	for name, from := range map[string]string{"primary": primary, "staging": staging} {
		if from == "" {
			continue
		}
		one, err := clientcmd.LoadFromFile(from)
		if err != nil {
			return fmt.Errorf("kubeconfig for examples: %w", err)
		}
		current, ok := one.Contexts[one.CurrentContext]
		if !ok {
			return fmt.Errorf("kubeconfig for examples: %s has no context %q", from, one.CurrentContext)
		}
		config.Clusters[name], config.AuthInfos[name] = one.Clusters[current.Cluster], one.AuthInfos[current.AuthInfo]
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	config.Contexts["primary"].Namespace = namespace
	return clientcmd.WriteToFile(*config, path)
}
