package plan

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// fill gives every named type its fields, base and markers.
func (b *builder) fill() {
	for i, k := range b.pkg.Kinds {
		b.at = []place{b.roots[i].path}
		b.root(k, b.roots[i])
	}
	for _, key := range b.order {
		g := b.groups[key]
		b.at = b.at[:0]
		for _, n := range append([]*node{g.node}, g.nodes...) {
			b.at = append(b.at, n.path)
		}
		t := g.typ
		t.Doc = g.node.props.Description
		t.Markers = b.markers(g.node, atType)
		switch g.form {
		case Struct:
			b.fields(t, g.node)
		case Enum:
			t.Base = &Ref{Kind: Builtin, Name: g.node.enumBase}
		case Defined:
			t.Base = b.spelled(g.node)
		}
	}
}

func (b *builder) kindAt(p place) *Kind {
	i := slices.IndexFunc(b.pkg.Kinds, func(k *Kind) bool { return k.API.Kind == p.kind })
	return b.pkg.Kinds[i]
}

// root plans a kind: the metav1 types, then the properties of the schema.
func (b *builder) root(k *Kind, n *node) {
	t := k.Type
	t.Doc = n.props.Description
	t.Markers = b.markers(n, atType)
	const metaPath = "k8s.io/apimachinery/pkg/apis/meta/v1"
	t.Fields = append(t.Fields,
		Field{Type: &Ref{Kind: External, Import: metaPath, Name: "TypeMeta", Shallow: true}, Tag: `json:",inline"`},
		Field{Type: &Ref{Kind: External, Import: metaPath, Name: "ObjectMeta"}, Tag: `json:"metadata,omitzero"`, Markers: []string{"optional"}})
	if meta, ok := n.props.Properties["metadata"]; ok && k.API.CustomResource && (len(meta.Properties) > 0 || len(meta.XValidations) > 0) {
		b.lose(Marker, n.path.add("metadata"), "constraints on metadata")
	}
	b.fields(t, n)
}

// fields plans the fields of a struct.
func (b *builder) fields(t *Type, n *node) {
	root := len(n.path.segments) == 0 && n.typ == t
	reserved := map[string]bool{"DeepCopy": true, "DeepCopyInto": true}
	if root {
		reserved = maps.Clone(rootReserved)
	}
	unknown := keepsUnknown(n.props)
	var properties []string
	for _, name := range n.order {
		switch {
		case root && inherited(name):
		case !validTag(name):
			unknown = true
			b.lose(Raw, n.path.add(name), "no Go struct tag can hold this name; the value is kept in AdditionalFields as raw JSON")
		default:
			properties = append(properties, name)
		}
	}
	if n.props.XEmbeddedResource {
		b.embedded(t, n, reserved)
	}
	if unknown {
		t.Unknown = true
		b.pkg.Values[ValueJSON] = true
		for _, name := range []string{"AdditionalFields", "MarshalJSON", "UnmarshalJSON"} {
			reserved[name] = true
		}
	}
	goNames, collisions := names.Members(reserved, b.lock.MembersOf(t.Name), names.Exported, properties)
	if len(collisions) > 0 {
		b.pkg.Lock.Members[t.Name] = collisions
	}
	for _, name := range properties {
		f := b.field(n.fields[name], name, slices.Contains(n.props.Required, name), root)
		f.Name = goNames[name]
		t.Fields = append(t.Fields, f)
	}
}

// embedded adds the fields that an embedded resource has even if its schema does not name them.
func (b *builder) embedded(t *Type, n *node, reserved map[string]bool) {
	add := func(property, name string, ref *Ref, tag string) {
		if n.fields[property] == nil {
			reserved[name] = true
			t.Fields = append(t.Fields, Field{Name: name, Property: property, Type: ref, Tag: tag, Markers: []string{"kubebuilder:validation:Schemaless"}})
		}
	}
	add("apiVersion", "APIVersion", &Ref{Kind: Builtin, Name: "string"}, `json:"apiVersion"`)
	add("kind", "Kind", &Ref{Kind: Builtin, Name: "string"}, `json:"kind"`)
	add("metadata", "Metadata", &Ref{Kind: Support, Value: ValueJSON}, `json:"metadata,omitzero"`)
	b.pkg.Values[ValueJSON] = true
}

// rootReserved are the names that a field of a kind must not have, lest it hides a method or a field of the
// metav1 types that a kind embeds, or meets a method that is generated.
var rootReserved = func() map[string]bool {
	out := map[string]bool{"DeepCopy": true, "DeepCopyInto": true, "DeepCopyObject": true, "KubeType": true, "TypeMeta": true, "ObjectMeta": true}
	for _, t := range []reflect.Type{reflect.TypeFor[*metav1.ObjectMeta](), reflect.TypeFor[*metav1.TypeMeta]()} {
		for m := range t.Methods() {
			out[m.Name] = true
		}
		for f := range t.Elem().Fields() {
			out[f.Name] = true
		}
	}
	return out
}()

// field plans a property: its type, its tag and its markers.
func (b *builder) field(n *node, property string, required, root bool) Field {
	f := Field{Property: property, Doc: n.props.Description}
	threeWay := n.nullable() && n.hasDefault()
	if threeWay && n.form != formAny {
		b.lose(Raw, n.path, "null, absent and a value all differ here, since it is nullable and has a default")
		n.form, n.typ, n.elem = formAny, nil, nil
	} else if n.warning != "" {
		b.lose(Raw, n.path, n.warning)
	}
	f.Type = b.base(n)
	option := ""
	switch {
	case required && !n.hasDefault():
		if n.nullable() && !holdsNull(f.Type) {
			f.Type = &Ref{Kind: Pointer, Elem: f.Type}
		}
	case root && (property == "spec" || property == "status") && n.form == formStruct && !n.nullable():
		option = b.rootOption(n, &f)
	case n.form == formAny:
		option = "omitzero"
	case f.Type.Kind == Slice || f.Type.Kind == Map || f.Type.Kind == Named && f.Type.Type.Collection:
		option = "omitzero"
		if !n.nullable() && excludesEmpty(n.props) {
			option = "omitempty"
		}
	default:
		option = "omitempty"
		if !scalar(n.form) || n.nullable() || !excludesZero(n) {
			f.Type = &Ref{Kind: Pointer, Elem: f.Type}
		}
	}
	f.Tag = tag(property, option)
	if key := patchTag(n.props); key != "" {
		f.Tag += " " + key
	}
	if required {
		f.Markers = append(f.Markers, "required")
	} else {
		f.Markers = append(f.Markers, "optional")
	}
	f.Markers = append(f.Markers, b.markers(n, atField)...)
	return f
}

// rootOption decides about an optional spec or status, which is a plain value in every Kubernetes API. It is
// a pointer only where the zero value is a document that means something else than absence: where numbers or
// booleans are all that is required.
func (b *builder) rootOption(n *node, f *Field) string {
	defaults, required := false, false
	for _, name := range n.order {
		defaults = defaults || n.fields[name].hasDefault()
		required = required || mustBeWritten(n, name)
	}
	switch {
	case required && zeroIsDocument(n):
		f.Type = &Ref{Kind: Pointer, Elem: f.Type}
		return "omitempty"
	case defaults && !required:
		return "omitempty" // always written, so that the server fills the defaults in
	}
	return "omitzero"
}

// mustBeWritten tells whether a property is required and has no default that the server could fill in.
func mustBeWritten(n *node, property string) bool {
	return slices.Contains(n.props.Required, property) && !n.fields[property].hasDefault()
}

// zeroIsDocument tells whether the Go zero value of a required field is a document that somebody writes: 0 and
// false are, while an empty string where a string is required is not, though most schemas let it pass.
func zeroIsDocument(n *node) bool {
	switch n.form {
	case formInt32, formInt64, formNumber, formEnum:
		return n.nullable() || !excludesZero(n) && n.enumBase != "string"
	case formStruct:
		for _, name := range n.order {
			if mustBeWritten(n, name) && !zeroIsDocument(n.fields[name]) {
				return false
			}
		}
		return true
	case formBool, formEmpty, formIntOrString, formQuantity, formUpstream:
		return true
	}
	return n.nullable()
}

// base returns the type of a node's value, without regard to absence and null.
func (b *builder) base(n *node) *Ref {
	if n.typ != nil {
		return &Ref{Kind: Named, Type: n.typ}
	}
	return b.spelled(n)
}

// spelled returns the type of a node without its name, if it has one.
func (b *builder) spelled(n *node) *Ref {
	switch n.form {
	case formObject:
		return &Ref{Kind: External, Import: "k8s.io/apimachinery/pkg/runtime", Name: "RawExtension"}
	case formEmpty:
		return b.support(ValueEmpty)
	case formMap:
		return &Ref{Kind: Map, Elem: b.element(n.elem)}
	case formList:
		return &Ref{Kind: Slice, Elem: b.element(n.elem)}
	case formString:
		return &Ref{Kind: Builtin, Name: "string"}
	case formBytes:
		return &Ref{Kind: Slice, Elem: &Ref{Kind: Builtin, Name: "byte"}}
	case formDateTime:
		return b.support(ValueDateTime)
	case formInt32:
		return &Ref{Kind: Builtin, Name: "int32"}
	case formInt64:
		return &Ref{Kind: Builtin, Name: "int64"}
	case formNumber:
		return &Ref{Kind: Builtin, Name: "float64"}
	case formBool:
		return &Ref{Kind: Builtin, Name: "bool"}
	case formIntOrString:
		return b.support(ValueIntOrString)
	case formQuantity:
		b.pkg.Values[ValueIntOrString] = true
		return b.support(ValueQuantity)
	case formUpstream:
		return n.upstream
	}
	return b.support(ValueJSON)
}

func (b *builder) support(v Value) *Ref {
	b.pkg.Values[v] = true
	return &Ref{Kind: Support, Value: v}
}

// element returns the type of a list item or map value.
func (b *builder) element(n *node) *Ref {
	if n.warning != "" {
		b.lose(Raw, n.path, n.warning)
	}
	ref := b.base(n)
	if n.nullable() && !holdsNull(ref) {
		return &Ref{Kind: Pointer, Elem: ref}
	}
	return ref
}

// holdsNull tells whether a Go type holds null without a pointer.
func holdsNull(r *Ref) bool {
	return r.Kind == Slice || r.Kind == Map || r.Kind == Support && r.Value == ValueJSON || r.Kind == Named && r.Type.Collection
}

func scalar(f form) bool {
	switch f {
	case formString, formDateTime, formInt32, formInt64, formNumber, formBool, formEnum:
		return true
	}
	return false
}

// excludesEmpty tells whether an empty list, map or byte string breaks the schema.
func excludesEmpty(s *schema.Props) bool {
	return s.MinItems != nil && *s.MinItems > 0 || s.MinProperties != nil && *s.MinProperties > 0 || s.MinLength != nil && *s.MinLength > 0
}

// excludesZero tells whether the Go zero value of a scalar breaks the schema, so that it can stand for
// absence.
func excludesZero(n *node) bool {
	s := n.props
	switch n.form {
	case formEnum:
		return !slices.ContainsFunc(enumValues(s), func(v any) bool { return v == "" || v == float64(0) })
	case formString, formDateTime:
		if s.MinLength != nil && *s.MinLength > 0 {
			return true
		}
		if len(s.Enum) > 0 || s.Pattern == "" {
			return false
		}
		re, err := regexp.Compile(s.Pattern)
		return err == nil && !re.MatchString("")
	case formInt32, formInt64, formNumber:
		return s.Minimum != nil && (*s.Minimum > 0 || *s.Minimum == 0 && s.ExclusiveMinimum) ||
			s.Maximum != nil && (*s.Maximum < 0 || *s.Maximum == 0 && s.ExclusiveMaximum)
	}
	return false
}

// tag returns the json tag of a property.
func tag(property, option string) string {
	if property == "-" && option == "" {
		return `json:"-,"`
	}
	if option != "" {
		property += "," + option
	}
	return `json:"` + property + `"`
}

// patchTag returns the tags that tell a strategic merge how to merge a list with one key, or a set.
func patchTag(s *schema.Props) string {
	switch {
	case s.XListType == nil:
	case *s.XListType == "map" && len(s.XListMapKeys) == 1 && validTag(s.XListMapKeys[0]):
		return `patchStrategy:"merge" patchMergeKey:"` + s.XListMapKeys[0] + `"`
	case *s.XListType == "set":
		return `patchStrategy:"merge"`
	}
	return ""
}

// validTag tells whether encoding/json accepts a name in a struct tag.
func validTag(name string) bool {
	if name == "" {
		return false
	}
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// lose records a loss at every place where the node's type stands.
func (b *builder) lose(cause Cause, at place, what string) {
	below := at.segments[len(b.at[0].segments):]
	for _, where := range b.at {
		full := place{where.kind, slices.Concat(where.segments, below)}
		loss := Loss{Cause: cause, Kind: b.kindAt(where).API.String(), Path: strings.TrimPrefix(full.String(), full.kind), What: what}
		if !b.lost[loss] {
			b.lost[loss] = true
			b.pkg.Losses = append(b.pkg.Losses, loss)
		}
	}
}
