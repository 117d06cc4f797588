package devserver_test

import (
	"testing"

	"github.com/kubesdk/kubesdk/internal/typecheck"
)

// TestGuide checks the page of the guide that is about this module.
func TestGuide(t *testing.T) {
	t.Parallel()
	checker := typecheck.New(t, map[string]string{
		"context":        "context",
		"customresource": "github.com/kubesdk/kubesdk/customresource",
		"devserver":      "github.com/kubesdk/kubesdk/devserver",
		"errors":         "errors",
		"fmt":            "fmt",
		"kubesdk":        "github.com/kubesdk/kubesdk",
		"os":             "os",
		"patch":          "github.com/kubesdk/kubesdk/patch",
		"pod":            "github.com/kubesdk/kubesdk/pod",
		"resource":       "k8s.io/apimachinery/pkg/api/resource",
		"time":           "time",
		"v1":             "github.com/kubesdk/kubesdk/devserver/api/v1",
	})
	checker.Page(t, "../docs/guide/devserver.md", `
		var (
			ctx     context.Context
			c       *kubesdk.Client
			servers devserver.Servers
			server  *devserver.Server
			spec    v1.DevServerSpec
		)
	`)
}
