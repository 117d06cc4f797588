// Command render renders the Helm chart of devserver with Helm's own engine: into the manifest for kubectl apply, and, for
// tests, with other values. It is in a module of its own, so that nothing else depends on Helm.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/yaml"
)

func main() {
	chart := flag.String("chart", "../chart", "folder of the chart")
	namespace := flag.String("namespace", "devserver-system", "namespace of the release")
	values := flag.String("values", "", "YAML file with values; empty: the chart's defaults, and the namespace is made")
	header := flag.String("header", "", "comment for the top of the manifest")
	out := flag.String("o", "", "file to write; empty: standard output")
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Helm tells of each symbolic link
	if err := run(*chart, *namespace, *values, *header, *out); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func run(chart, namespace, valuesFile, header, out string) error {
	values := map[string]any{"createNamespace": true}
	if valuesFile != "" {
		text, err := os.ReadFile(valuesFile)
		if err != nil {
			return err
		}
		values = nil
		if err := yaml.Unmarshal(text, &values); err != nil {
			return fmt.Errorf("%s: %w", valuesFile, err)
		}
	}
	manifest, err := render(chart, namespace, values)
	if err != nil {
		return err
	}
	if header != "" {
		manifest = append([]byte("# "+header+"\n"), manifest...)
	}
	if out == "" {
		_, err = os.Stdout.Write(manifest)
		return err
	}
	return os.WriteFile(out, manifest, 0o644) //nolint:gosec // it is source
}

// render is the objects of the chart in the order in which Helm installs them.
func render(dir, namespace string, values map[string]any) ([]byte, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "devserver", Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.RenderWithContext(context.Background(), chart, all)
	if err != nil {
		return nil, err
	}
	for name := range files {
		if path.Base(name) == "NOTES.txt" {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	if len(hooks) > 0 {
		return nil, errors.New("the chart has hooks, which a manifest cannot have")
	}
	var text bytes.Buffer
	for _, m := range manifests {
		fmt.Fprintf(&text, "---\n%s\n", strings.TrimSpace(m.Content))
	}
	return text.Bytes(), nil
}
