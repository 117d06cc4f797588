package emit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/plan"
)

// kindMarkers returns the markers from which controller-gen makes the parts of a CustomResourceDefinition
// that are not the schema.
func kindMarkers(k *plan.Kind) []string {
	api := k.API
	out := []string{"kubebuilder:object:root=true"}
	resource := "kubebuilder:resource:path=" + api.Plural
	if api.Singular != "" {
		resource += ",singular=" + api.Singular
	}
	if len(api.ShortNames) > 0 {
		resource += ",shortName={" + strings.Join(api.ShortNames, ",") + "}"
	}
	if len(api.Categories) > 0 {
		resource += ",categories={" + strings.Join(api.Categories, ",") + "}"
	}
	if !api.Namespaced {
		resource += ",scope=Cluster"
	}
	out = append(out, resource)
	if api.Status {
		out = append(out, "kubebuilder:subresource:status")
	}
	if s := api.Scale; s != nil {
		scale := fmt.Sprintf("kubebuilder:subresource:scale:specpath=%s,statuspath=%s", strconv.Quote(s.SpecReplicasPath), strconv.Quote(s.StatusReplicasPath))
		if s.LabelSelectorPath != nil {
			scale += ",selectorpath=" + strconv.Quote(*s.LabelSelectorPath)
		}
		out = append(out, scale)
	}
	if !api.CustomResource {
		return out
	}
	if api.Storage {
		out = append(out, "kubebuilder:storageversion")
	}
	if !api.Served {
		out = append(out, "kubebuilder:unservedversion")
	}
	if api.Deprecated {
		marker := "kubebuilder:deprecatedversion"
		if api.DeprecationWarning != nil {
			marker += ":warning=" + plan.Quote(*api.DeprecationWarning)
		}
		out = append(out, marker)
	}
	for _, c := range api.Columns {
		column := fmt.Sprintf("kubebuilder:printcolumn:name=%s,type=%s,JSONPath=%s", plan.Quote(c.Name), strconv.Quote(c.Type), quotePath(c.JSONPath))
		if c.Description != "" {
			column += ",description=" + plan.Quote(c.Description)
		}
		if c.Format != "" {
			column += ",format=" + strconv.Quote(c.Format)
		}
		if c.Priority != 0 {
			column += ",priority=" + strconv.Itoa(int(c.Priority))
		}
		out = append(out, column)
	}
	for _, s := range api.SelectableFields {
		out = append(out, "kubebuilder:selectablefield:JSONPath="+quotePath(s.JSONPath))
	}
	return out
}

func quotePath(path string) string {
	if strings.ContainsAny(path, `"\`) && !strings.Contains(path, "''") && strconv.CanBackquote(path) {
		return "`" + path + "`"
	}
	return plan.Quote(path)
}

// packageDoc prints doc.go.
func packageDoc(p *plan.Package, importPath string) string {
	name := PackageName(p)
	group := p.Group
	if group == "" {
		group = "core"
	}
	var b strings.Builder
	b.WriteString(Header + "\n")
	example := p.Kinds[max(0, slices.IndexFunc(p.Kinds, func(k *plan.Kind) bool { return k.API.Status }))].Type.Name
	text := fmt.Sprintf("Package %s holds the Go types of the API %s/%s. They decode and encode every document that the API's schema allows "+
		"without losing anything.\n\n\timport %s%s \"%s\"\n\n\tobjects := kubesdk.For[*%s%s.%s](client)\n", name, group, p.Version,
		GroupAlias(p.Group), name, importPath, GroupAlias(p.Group), name, example)
	comment(&b, text, nil)
	fmt.Fprintf(&b, "//\n// +groupName=%s\n", p.Group)
	if name != p.Version {
		fmt.Fprintf(&b, "// +versionName=%s\n", p.Version)
	}
	fmt.Fprintf(&b, "package %s\n", name)
	return b.String()
}

// GroupAlias returns the word that stands before the version in import aliases: "cert-manager.io" gives
// "certmanager".
func GroupAlias(group string) string {
	if group == "" {
		return "core"
	}
	first, _, _ := strings.Cut(group, ".")
	var b strings.Builder
	for _, r := range first {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	if out := b.String(); out != "" && (out[0] < '0' || out[0] > '9') {
		return out
	}
	return "api" + b.String()
}

// register prints register.go.
func register(p *plan.Package) string {
	f := newFile(p)
	runtime, schema, meta := f.use("k8s.io/apimachinery/pkg/runtime"), f.use("k8s.io/apimachinery/pkg/runtime/schema"), f.use("k8s.io/apimachinery/pkg/apis/meta/v1")
	f.printf(`// GroupVersion is the group and version of the types in this package.
var GroupVersion = %s.GroupVersion{Group: %q, Version: %q}

var (
	// SchemeBuilder collects the functions that add the types of this package to a scheme.
	SchemeBuilder = %s.NewSchemeBuilder(addKnownTypes)
	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// %s takes an unqualified resource and returns a GroupResource of this group.
func %s(resource string) %s.GroupResource {
	return GroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *%s.Scheme) error {
`, schema, p.Group, p.Version, runtime, p.Resource, p.Resource, schema, runtime)
	for _, k := range p.Kinds {
		f.WriteString(addType(k.Type.Name, k.API.Kind))
		if k.RegisterList {
			f.WriteString(addType(k.ListName, k.API.List()))
		}
	}
	f.printf("%s.AddToGroupVersion(scheme, GroupVersion)\nreturn nil\n}\n", meta)
	return f.source()
}

func addType(goName, kind string) string {
	if goName == kind {
		return fmt.Sprintf("scheme.AddKnownTypes(GroupVersion, &%s{})\n", goName)
	}
	return fmt.Sprintf("scheme.AddKnownTypeWithName(GroupVersion.WithKind(%q), &%s{})\n", kind, goName)
}
