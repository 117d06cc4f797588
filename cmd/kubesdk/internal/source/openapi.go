package source

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	kschema "github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// Directory reads all saved OpenAPI v3 documents (.json, .yaml and .yml) below a folder, such as the answers
// of /openapi/v3/apis/apps/v1. Indexes and documents without kinds are skipped.
func Directory(dir string) (*kschema.Set, error) {
	set := &kschema.Set{}
	documents := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		docs, err := split(path, data)
		if err != nil {
			return err
		}
		for _, doc := range docs {
			kinds, err := openAPI(doc.json, path)
			if err != nil {
				return err
			}
			if kinds == nil {
				set.Notes = append(set.Notes, doc.origin+": skipped: not an OpenAPI v3 document with schemas")
				continue
			}
			documents++
			set.Add(kinds...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading OpenAPI documents: %w", err)
	}
	if documents == 0 {
		return nil, fmt.Errorf("%s: no OpenAPI v3 document in it; save one with: kubectl get --raw /openapi/v3/apis/apps/v1", dir)
	}
	return set, nil
}

// openAPIDocument is what is needed of an OpenAPI v3 document.
type openAPIDocument struct {
	OpenAPI    string                    `json:"openapi"`
	Paths      map[string]map[string]raw `json:"paths"`
	Components struct {
		Schemas map[string]raw `json:"schemas"`
	} `json:"components"`
}

type groupVersionKind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

// openAPI returns the kinds of a document, an empty slice if it has none, and nil if it is no OpenAPI document
// with schemas.
func openAPI(data []byte, origin string) ([]kschema.Kind, error) {
	var doc openAPIDocument
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.") || doc.Components.Schemas == nil {
		return nil, nil //nolint:nilerr // an index, or JSON of another sort
	}
	definitions := make(map[string]*kschema.Props, len(doc.Components.Schemas))
	byKind := map[groupVersionKind]string{}
	for name, text := range doc.Components.Schemas {
		props := &kschema.Props{}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(text, props); err != nil {
			return nil, fmt.Errorf("%s: reading the definition %s: %w", origin, name, err)
		}
		definitions[name] = props
		var extension struct {
			Kinds []groupVersionKind `json:"x-kubernetes-group-version-kind"`
		}
		if err := json.Unmarshal(text, &extension); err == nil && len(extension.Kinds) == 1 {
			if known := byKind[extension.Kinds[0]]; known == "" || name < known {
				byKind[extension.Kinds[0]] = name
			}
		}
	}
	resources := resourcesOf(doc.Paths)
	out := []kschema.Kind{}
	for gvk, r := range resources {
		component := byKind[gvk]
		if component == "" || r.plural == "" {
			continue
		}
		out = append(out, kschema.Kind{
			Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Plural: r.plural, Singular: strings.ToLower(gvk.Kind), Namespaced: r.namespaced,
			Served: true, Status: r.status, Schema: definitions[component], Definitions: definitions, Component: component, GoTypes: madeFromGo(definitions[component]), Origin: origin,
		})
	}
	return out, nil
}

// madeFromGo recognizes schemas that the server made from Go types: they give metadata, which is no pointer
// there, a default. Schemas of custom resources do not.
func madeFromGo(root *kschema.Props) bool {
	meta := root.Properties["metadata"]
	return meta.Default != nil && string(meta.Default.Raw) == "{}"
}

// resource is what the paths of a document tell about a kind.
type resource struct {
	plural             string
	namespaced, status bool
}

// resourcesOf finds the kinds that have a collection of their own. Kinds of other groups, which appear in
// subresources only, are left to the documents of their groups.
func resourcesOf(paths map[string]map[string]raw) map[groupVersionKind]resource {
	out := map[groupVersionKind]resource{}
	for path, operations := range paths {
		gv, rest, ok := splitPath(path)
		if !ok {
			continue
		}
		parts := strings.Split(rest, "/")
		namespaced := len(parts) >= 3 && parts[0] == "namespaces" && parts[1] == "{namespace}"
		if namespaced {
			parts = parts[2:]
		}
		collection := len(parts) == 1 && parts[0] != ""
		status := len(parts) == 3 && parts[2] == "status"
		if !collection && !status {
			continue
		}
		for _, operation := range operations {
			var op struct {
				Kind   *groupVersionKind `json:"x-kubernetes-group-version-kind"`
				Action string            `json:"x-kubernetes-action"`
			}
			if err := json.Unmarshal(operation, &op); err != nil || op.Kind == nil || op.Kind.Group != gv.Group || op.Kind.Version != gv.Version {
				continue
			}
			r := out[*op.Kind]
			r.status = r.status || status
			if collection && op.Action != "" {
				r.plural, r.namespaced = parts[0], r.namespaced || namespaced
			}
			out[*op.Kind] = r
		}
	}
	return out
}

// splitPath splits "/apis/apps/v1/deployments" into its group-version and the rest.
func splitPath(path string) (schema.GroupVersion, string, bool) {
	if rest, ok := strings.CutPrefix(path, "/apis/"); ok {
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) == 3 {
			return schema.GroupVersion{Group: parts[0], Version: parts[1]}, parts[2], true
		}
		return schema.GroupVersion{}, "", false
	}
	version, rest, ok := strings.Cut(strings.TrimPrefix(path, "/api/"), "/")
	return schema.GroupVersion{Version: version}, rest, ok && strings.HasPrefix(path, "/api/") && version != ""
}
