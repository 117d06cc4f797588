package generate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"golang.org/x/tools/go/packages"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-tools/pkg/crd"
	crdmarkers "sigs.k8s.io/controller-tools/pkg/crd/markers"
	"sigs.k8s.io/controller-tools/pkg/loader"
	"sigs.k8s.io/controller-tools/pkg/markers"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/roundtrip"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// schemaRoundTrip runs controller-gen on the generated packages and compares its schemas with the input.
func (w *workspace) schemaRoundTrip(t *testing.T) {
	t.Parallel()
	made := w.controllerGen(t)
	lost := map[string]bool{}
	for _, loss := range w.summary.Losses {
		lost[loss.Kind+"\x00"+string(loss.Cause)+"\x00"+loss.Path] = true
	}
	for _, reuse := range w.summary.Reused {
		lost[reuse.Kind+"\x00upstream\x00"+reuse.Path] = true
	}
	rules := map[string]int{}
	for i := range w.set.Kinds {
		kind := &w.set.Kinds[i]
		got := made[kind.String()]
		if got == nil {
			t.Errorf("%s: controller-gen made no schema", kind)
			continue
		}
		differences := roundtrip.Schema(kind, got, func(path, cause string) bool {
			return lost[kind.String()+"\x00"+cause+"\x00"+path]
		})
		for _, d := range differences {
			rules[d.Rule]++
			if d.Rule == "" {
				t.Errorf("%s: %s", kind, d)
			}
		}
	}
	w.rules = rules
	t.Logf("%d kinds through controller-gen; differences by rule: %v", len(w.set.Kinds), rules)
}

// goNames returns the Go names of all kinds, read from their KubeType methods.
func (w *workspace) goNames(t *testing.T) map[string]string {
	t.Helper()
	method := regexp.MustCompile(`func \(\*(\w+)\) KubeType.*\n.*WithKind\("([^"]+)"\)`)
	version := regexp.MustCompile(`GroupVersion{Group: "([^"]*)", Version: "([^"]*)"}`)
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(w.dir, "apis/*/*/*_types.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		register, err := os.ReadFile(filepath.Join(filepath.Dir(path), "register.go"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		gv := version.FindSubmatch(register)
		for _, m := range method.FindAllSubmatch(text, -1) {
			k := schema.Kind{Group: string(gv[1]), Version: string(gv[2]), Kind: string(m[2])}
			out[k.String()] = string(m[1])
		}
	}
	return out
}

// controllerGen returns the schemas that controller-gen makes, by the kinds' full names.
func (w *workspace) controllerGen(t *testing.T) map[string]*schema.Props {
	t.Helper()
	roots, err := loader.LoadRootsWithConfig(&packages.Config{Dir: w.dir, Context: t.Context(),
		Env: append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")}, "./apis/...")
	if err != nil {
		t.Fatal(err)
	}
	registry := &markers.Registry{}
	if err := crdmarkers.Register(registry); err != nil {
		t.Fatal(err)
	}
	parser := &crd.Parser{Collector: &markers.Collector{Registry: registry}, Checker: &loader.TypeChecker{NodeFilters: []loader.NodeFilter{crd.Generator{}.CheckFilter()}}, AllowDangerousTypes: true}
	crd.AddKnownTypes(parser)
	for _, root := range roots {
		parser.NeedPackage(root)
	}
	out := map[string]*schema.Props{}
	goNames := w.goNames(t)
	for _, root := range roots {
		gv, ok := parser.GroupVersions[root]
		if !ok {
			continue
		}
		for i := range w.set.Kinds {
			k := &w.set.Kinds[i]
			if k.Group != gv.Group || k.Version != gv.Version {
				continue
			}
			ident := crd.TypeIdent{Package: root, Name: goNames[k.String()]}
			parser.NeedFlattenedSchemaFor(ident)
			flat := parser.FlattenedSchemata[ident]
			out[k.String()] = flat.DeepCopy()
		}
	}
	for _, root := range roots {
		for _, problem := range root.Errors {
			if problem.Kind != packages.TypeError { // it looks only at what types need, and ignores these too
				t.Errorf("controller-gen: %v", problem)
			}
		}
	}
	w.sameResources(t, parser, goNames)
	return out
}

// sameResources compares what controller-gen makes of the markers that are not about the schema: names,
// scope, subresources, columns.
func (w *workspace) sameResources(t *testing.T, parser *crd.Parser, goNames map[string]string) {
	t.Helper()
	for i := range w.set.Kinds {
		k := &w.set.Kinds[i]
		gk := apischema.GroupKind{Group: k.Group, Kind: goNames[k.String()]}
		parser.NeedCRDFor(gk, nil)
		made, ok := parser.CustomResourceDefinitions[gk]
		if !ok {
			t.Errorf("%s: controller-gen made no definition", k)
			continue
		}
		spec := made.Spec
		v := spec.Versions[slices.IndexFunc(spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == k.Version })]
		got := fmt.Sprint(spec.Names.Plural, spec.Names.Singular, spec.Names.ShortNames, spec.Names.Categories, spec.Scope == "Namespaced", v.AdditionalPrinterColumns,
			v.SelectableFields, v.Deprecated && v.DeprecationWarning != nil, v.Served, v.Subresources != nil && v.Subresources.Status != nil, v.Subresources != nil && v.Subresources.Scale != nil)
		want := fmt.Sprint(k.Plural, k.Singular, k.ShortNames, k.Categories, k.Namespaced, k.Columns,
			k.SelectableFields, k.DeprecationWarning != nil, k.Served, k.Status, k.Scale != nil)
		if got != want {
			t.Errorf("%s: controller-gen made\n%s\nwant\n%s", k, got, want)
		}
	}
}
