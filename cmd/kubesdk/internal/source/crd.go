package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

const extensionsGroup = "apiextensions.k8s.io/"

// CRDs reads CustomResourceDefinitions from files, folders (all .yaml, .yml and .json files below them) and,
// for "-", from stdin. Other objects in a file are skipped with a note; a path without any definition is an
// error.
func CRDs(paths []string, stdin io.Reader) (*schema.Set, error) {
	set := &schema.Set{}
	var errs []error
	for _, path := range paths {
		files, err := expand(path, stdin)
		if err != nil {
			return nil, err
		}
		found := 0
		for _, f := range files {
			n, err := readCRDs(set, f.name, f.data)
			if err != nil {
				errs = append(errs, err)
			}
			found += n
		}
		if found == 0 && len(errs) == 0 {
			errs = append(errs, fmt.Errorf("%s: no CustomResourceDefinition in it; --crd takes files, folders or - with objects of the kind CustomResourceDefinition", path))
		}
	}
	return set, errors.Join(errs...)
}

type file struct {
	name string
	data []byte
}

// expand returns the files behind a path.
func expand(path string, stdin io.Reader) ([]file, error) {
	if path == "-" {
		data, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return []file{{"<stdin>", data}}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading definitions: %w", err)
	}
	names := []string{path}
	if info.IsDir() {
		names = nil
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading definitions below %s: %w", path, err)
		}
	}
	var out []file
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading definitions: %w", err)
		}
		out = append(out, file{name, data})
	}
	return out, nil
}

// readCRDs adds the definitions of a file to the set and returns how many there were.
func readCRDs(set *schema.Set, name string, data []byte) (int, error) {
	docs, err := split(name, data)
	if err != nil {
		return 0, err
	}
	found := 0
	var errs []error
	for _, doc := range docs {
		n, err := readObject(set, doc)
		found += n
		if err != nil {
			errs = append(errs, err)
		}
	}
	return found, errors.Join(errs...)
}

// readObject adds a definition, or the definitions of a List.
func readObject(set *schema.Set, doc document) (int, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      []raw  `json:"items"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(doc.json, &head); err != nil {
		return 0, fmt.Errorf("%s: this is not a Kubernetes object: %w", doc.origin, err)
	}
	switch {
	case head.Kind == "List" || head.Kind == "CustomResourceDefinitionList":
		found := 0
		var errs []error
		for i, item := range head.Items {
			if head.Kind != "List" { // the items of a typed list do not repeat their kind
				item = withKind(item, head.APIVersion)
			}
			n, err := readObject(set, document{json: item, origin: fmt.Sprintf("%s: items[%d]", doc.origin, i)})
			found += n
			if err != nil {
				errs = append(errs, err)
			}
		}
		return found, errors.Join(errs...)
	case head.Kind != "CustomResourceDefinition" || !strings.HasPrefix(head.APIVersion, extensionsGroup):
		what := head.Kind
		if what == "" {
			what = "document without a kind"
		}
		set.Notes = append(set.Notes, fmt.Sprintf("%s: skipped: a %s, not a CustomResourceDefinition", doc.origin, what))
		return 0, nil
	case head.APIVersion != extensionsGroup+"v1":
		return 0, fmt.Errorf("%s: CustomResourceDefinition %s has apiVersion %s, which Kubernetes 1.22 removed; convert it to %sv1, where the schema stands in each version",
			doc.origin, head.Metadata.Name, head.APIVersion, extensionsGroup)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	strict, err := kjson.UnmarshalStrict(doc.json, &crd, kjson.DisallowUnknownFields)
	if err != nil {
		return 0, fmt.Errorf("%s: CustomResourceDefinition %s: %w", doc.origin, head.Metadata.Name, err)
	}
	for _, problem := range strict {
		set.Notes = append(set.Notes, fmt.Sprintf("%s: ignored as the API server would: %v", doc.origin, problem))
	}
	if len(crd.Spec.Versions) == 0 {
		return 0, fmt.Errorf("%s: CustomResourceDefinition %s: spec.versions is missing or empty", doc.origin, head.Metadata.Name)
	}
	set.Add(kindsOf(&crd, doc.origin)...)
	return 1, nil
}

// kindsOf returns one kind for each version of a definition.
func kindsOf(crd *apiextensionsv1.CustomResourceDefinition, origin string) []schema.Kind {
	var out []schema.Kind
	names := crd.Spec.Names
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		k := schema.Kind{
			Group: crd.Spec.Group, Version: v.Name, Kind: names.Kind, ListKind: names.ListKind, Plural: names.Plural, Singular: names.Singular,
			ShortNames: names.ShortNames, Categories: names.Categories, Namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
			CustomResource: true, Served: v.Served, Storage: v.Storage, Deprecated: v.Deprecated, DeprecationWarning: v.DeprecationWarning,
			Columns: v.AdditionalPrinterColumns, SelectableFields: v.SelectableFields, Origin: origin,
		}
		if k.Singular == "" {
			k.Singular = strings.ToLower(k.Kind)
		}
		if v.Subresources != nil {
			k.Status, k.Scale = v.Subresources.Status != nil, v.Subresources.Scale
		}
		if v.Schema != nil {
			k.Schema = v.Schema.OpenAPIV3Schema
		}
		if k.Schema != nil && crd.Spec.PreserveUnknownFields {
			root := *k.Schema
			keep := true
			root.XPreserveUnknownFields = &keep
			k.Schema = &root
		}
		out = append(out, k)
	}
	return out
}
