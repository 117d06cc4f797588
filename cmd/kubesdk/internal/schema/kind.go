package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Props is one node of a schema. The API's own type is used, so that no keyword of a
// CustomResourceDefinition is lost between reading and planning.
type Props = apiextensionsv1.JSONSchemaProps

// Kind is one kind in one version of its group. It is a plain value: treat Schema and Definitions as
// read-only once they are set, since kinds of one document share them.
type Kind struct {
	// Group is empty for the core group.
	Group, Version, Kind string
	// ListKind is the kind of the list; empty means Kind followed by "List".
	ListKind string
	// Plural is the resource name in URLs; Singular may be empty.
	Plural, Singular       string
	ShortNames, Categories []string
	Namespaced             bool

	// CustomResource tells that the kind is known from its CustomResourceDefinition, so that the fields
	// below are known too. An OpenAPI document says less.
	CustomResource     bool
	Served, Storage    bool
	Deprecated         bool
	DeprecationWarning *string
	Columns            []apiextensionsv1.CustomResourceColumnDefinition
	SelectableFields   []apiextensionsv1.SelectableField
	// Status tells that the kind has a status subresource. Scale is nil without a scale subresource.
	Status bool
	Scale  *apiextensionsv1.CustomResourceSubresourceScale

	// Schema is the schema of the whole object.
	Schema *Props
	// Definitions are the schemas that "$ref"s inside Schema name, by their name without
	// "#/components/schemas/". Nil for a CustomResourceDefinition, which has no references.
	Definitions map[string]*Props
	// Component is the name of Schema among the Definitions, if it is one of them.
	Component string

	// GoTypes tells that the schema was made from Go types, as those of the built-in APIs are.
	GoTypes bool

	// Origin says where the kind was read: "file.yaml:12" or a URL. It is for messages only.
	Origin string
}

// GroupVersion returns "group/version", or just the version for the core group.
func (k *Kind) GroupVersion() string {
	if k.Group == "" {
		return k.Version
	}
	return k.Group + "/" + k.Version
}

// String returns "Kind.version.group", the form that kubectl reads too.
func (k *Kind) String() string {
	if k.Group == "" {
		return k.Kind + "." + k.Version
	}
	return k.Kind + "." + k.Version + "." + k.Group
}

// List returns the kind of the list.
func (k *Kind) List() string {
	if k.ListKind != "" {
		return k.ListKind
	}
	return k.Kind + "List"
}

// Validate refuses names that the API server would refuse. Names become folders, files, identifiers and
// comments, so nothing is generated from a kind that fails here.
func (k *Kind) Validate() error {
	var errs []error
	check := func(field, value string, problems []string) {
		if len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s: %s %q is refused: %s", k.Origin, field, value, problems[0]))
		}
	}
	label := func(field, value string) { check(field, value, validation.IsDNS1035Label(value)) }
	if k.Group != "" {
		check("group", k.Group, validation.IsDNS1123Subdomain(k.Group))
	}
	label("version", k.Version)
	label("plural", k.Plural)
	check("kind", k.Kind, validation.IsDNS1035Label(strings.ToLower(k.Kind)))
	if k.ListKind != "" {
		check("listKind", k.ListKind, validation.IsDNS1035Label(strings.ToLower(k.ListKind)))
	}
	if k.Singular != "" {
		label("singular", k.Singular)
	}
	for _, name := range k.ShortNames {
		label("shortName", name)
	}
	for _, name := range k.Categories {
		label("category", name)
	}
	if k.Schema == nil {
		errs = append(errs, fmt.Errorf("%s: version %s of %s has no schema: nothing can be generated from it", k.Origin, k.Version, k.Kind))
	}
	return errors.Join(errs...)
}

// ScopeError is a part of the input that could not be read. Scope is the group, group-version or kind that it
// concerns.
type ScopeError struct {
	Scope string
	Err   error
}

// Error implements error.
func (e ScopeError) Error() string { return e.Scope + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e ScopeError) Unwrap() error { return e.Err }

// Set is everything that was read.
type Set struct {
	Kinds    []Kind
	Failures []ScopeError
	// Notes are remarks that are neither failures nor losses, such as documents that were skipped.
	Notes []string
}

// Add appends kinds.
func (s *Set) Add(kinds ...Kind) { s.Kinds = append(s.Kinds, kinds...) }

// Merge appends what other holds.
func (s *Set) Merge(other *Set) {
	s.Kinds = append(s.Kinds, other.Kinds...)
	s.Failures = append(s.Failures, other.Failures...)
	s.Notes = append(s.Notes, other.Notes...)
}

// Sort orders the kinds by group, version and kind, so that the order of the input does not matter. It
// returns an error if one kind was read twice with different plurals or schemas from different origins.
func (s *Set) Sort() error {
	slices.SortStableFunc(s.Kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Origin, b.Origin))
	})
	for i := 1; i < len(s.Kinds); i++ {
		a, b := &s.Kinds[i-1], &s.Kinds[i]
		if a.Group == b.Group && a.Version == b.Version && a.Kind == b.Kind {
			return fmt.Errorf("%s is defined twice: in %s and in %s; leave one of them out", a, a.Origin, b.Origin)
		}
	}
	return nil
}

// Filter keeps the kinds whose group, kind and version are in the lists; an empty list keeps all. The core
// group may be written "core" or "".
func (s *Set) Filter(groups, kinds, versions []string) {
	has := func(list []string, value string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, value) })
	}
	s.Kinds = slices.DeleteFunc(s.Kinds, func(k Kind) bool {
		group := k.Group
		if group == "" && !slices.Contains(groups, "") {
			group = "core"
		}
		return !has(groups, group) || !has(kinds, k.Kind) || !has(versions, k.Version)
	})
}
