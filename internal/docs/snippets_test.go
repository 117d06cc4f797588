// Package docs holds the tests of the documentation: the Go blocks of the guide and the README compile.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kubesdk/kubesdk/internal/typecheck"
)

var imports = map[string]string{
	"appsv1":         "k8s.io/api/apps/v1",
	"batch":          "github.com/kubesdk/kubesdk/batch",
	"clusters":       "github.com/kubesdk/kubesdk/clusters",
	"context":        "context",
	"corev1":         "k8s.io/api/core/v1",
	"customresource": "github.com/kubesdk/kubesdk/customresource",
	"errors":         "errors",
	"fieldpath":      "github.com/kubesdk/kubesdk/fieldpath",
	"fmt":            "fmt",
	"io":             "io",
	"kubesdk":        "github.com/kubesdk/kubesdk",
	"log":            "log",
	"metav1":         "k8s.io/apimachinery/pkg/apis/meta/v1",
	"os":             "os",
	"patch":          "github.com/kubesdk/kubesdk/patch",
	"pod":            "github.com/kubesdk/kubesdk/pod",
	"resource":       "k8s.io/apimachinery/pkg/api/resource",
	"rest":           "k8s.io/client-go/rest",
	"runtime":        "k8s.io/apimachinery/pkg/runtime",
	"schema":         "k8s.io/apimachinery/pkg/runtime/schema",
	"slices":         "slices",
	"slog":           "log/slog",
	"sync":           "sync",
	"time":           "time",
	"types":          "k8s.io/apimachinery/pkg/types",
	"unstructured":   "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured",
	"wait":           "github.com/kubesdk/kubesdk/wait",
}

// prelude is what the reader has by the time of any block: a context, a client, handles, objects.
const prelude = `
	type DatabaseSpec struct { Instances int }
	type DatabaseStatus struct { Phase string }
	var (
		ctx context.Context
		c, primary, staging *kubesdk.Client
		err error
		restConfig *rest.Config
		logger *slog.Logger
		configMaps kubesdk.Resource[*corev1.ConfigMap]
		deployments kubesdk.Resource[*appsv1.Deployment]
		pods kubesdk.Resource[*corev1.Pod]
		cm *corev1.ConfigMap
		nginx *appsv1.Deployment
		databaseKind kubesdk.TypeInfo
	)
`

func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	checker := typecheck.New(t, imports)
	for _, page := range append(pages, "../../README.md") {
		if filepath.Base(page) != "devserver.md" { // that is for the module devserver to check
			checker.Page(t, page, prelude)
		}
	}
}

var code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

var link = regexp.MustCompile(`\]\(([^)#:]+)[^):]*\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../cluster/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}
