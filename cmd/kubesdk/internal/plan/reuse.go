package plan

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Reuse is a place where an upstream type stands instead of a generated one.
type Reuse struct {
	// Kind is the kind's full name, Path the place in its schema, Type the Go type, such as "v1.HTTPHeader".
	Kind, Path, Type string
	// Loses says what the type does not keep. It is empty unless [Options.UpstreamTypes] is set.
	Loses []string
}

// String returns the reuse as the tool prints it.
func (r Reuse) String() string {
	return fmt.Sprintf("%s: %s: %s %s", r.Kind, r.Path, r.Type, strings.Join(r.Loses, ", "))
}

// candidate is an upstream struct that a schema node may have been made from.
type candidate struct {
	typ    reflect.Type
	fields map[string]upstreamField
	docs   map[string]string // prose of the fields' documentation
}

// upstreamField is a field as encoding/json sees it.
type upstreamField struct {
	typ     reflect.Type
	omitted bool // left out when empty
}

// reuseCandidates are the upstream structs with documentation, by which they are recognized: the names and
// types of the fields alone would take every {name, value} for an HTTP header.
var reuseCandidates = sync.OnceValue(func() []*candidate {
	var out []*candidate
	for _, name := range slices.Sorted(maps.Keys(upstreamTypes)) {
		t := upstreamTypes[name]
		if t.Kind() != reflect.Struct || t == reflect.TypeFor[metav1.ObjectMeta]() {
			continue
		}
		documented, ok := reflect.New(t).Elem().Interface().(interface{ SwaggerDoc() map[string]string })
		if !ok {
			continue
		}
		c := &candidate{typ: t, fields: upstreamFields(t), docs: map[string]string{}}
		for field, doc := range documented.SwaggerDoc() {
			c.docs[field] = prose(doc)
		}
		for f := range t.Fields() { // embedded structs document their fields themselves
			if inner, ok := reflect.New(f.Type).Elem().Interface().(interface{ SwaggerDoc() map[string]string }); ok && f.Anonymous {
				for field, doc := range inner.SwaggerDoc() {
					c.docs[field] = prose(doc)
				}
			}
		}
		out = append(out, c)
	}
	return out
})

// upstreamFields returns the fields of a struct by JSON name, those of embedded structs included.
func upstreamFields(t reflect.Type) map[string]upstreamField {
	out := map[string]upstreamField{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous:
			maps.Copy(out, upstreamFields(f.Type))
		default:
			out[name] = upstreamField{f.Type, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")}
		}
	}
	return out
}

// prose reduces documentation to its letters, so that line breaks and markup do not matter.
func prose(doc string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, doc)
}

// reuse turns struct nodes into upstream types where those keep everything that the schema allows, or, with
// UpstreamTypes, where they are what the schema was made from.
func (b *builder) reuse(k *Kind, n *node) {
	if n.form == formStruct && len(n.path.segments) > 0 && n.component == "" {
		if c := recognize(n, b.opts.UpstreamTypes); c != nil {
			loses := map[string]bool{}
			if fits(c.typ, n, loses) && (len(loses) == 0 || b.opts.UpstreamTypes) {
				n.form, n.order, n.fields = formUpstream, nil, nil
				n.upstream = &Ref{Kind: External, Import: c.typ.PkgPath(), Name: c.typ.Name()}
				b.pkg.Reused = append(b.pkg.Reused, Reuse{k.API.String(), strings.TrimPrefix(n.path.String(), n.path.kind), c.typ.String(), slices.Sorted(maps.Keys(loses))})
				return
			}
		}
	}
	for _, name := range n.order {
		if len(n.path.segments) > 0 || !inherited(name) {
			b.reuse(k, n.fields[name])
		}
	}
	if n.elem != nil {
		b.reuse(k, n.elem)
	}
}

// recognize returns the upstream struct that a node was made from, by its fields and their documentation. An
// older version of the struct, which lacks some fields, is recognized only if partial is set.
func recognize(n *node, partial bool) *candidate {
	var best *candidate
	for _, c := range reuseCandidates() {
		if len(n.order) > len(c.fields) || !partial && len(n.order) != len(c.fields) || 2*len(n.order) < len(c.fields) || best != nil && len(c.fields) >= len(best.fields) {
			continue
		}
		if slices.ContainsFunc(n.order, func(name string) bool { _, ok := c.fields[name]; return !ok }) {
			continue
		}
		same := 0
		for _, name := range n.order {
			if doc := prose(n.fields[name].props.Description); sameBeginning(doc, c.docs[name]) {
				same++
			}
		}
		if same > 0 && 2*same >= len(n.order) {
			best = c
		}
	}
	return best
}

// sameBeginning tells whether two documentations begin alike: their ends change between versions.
func sameBeginning(a, b string) bool {
	n := min(len(a), len(b), 40)
	return n >= 8 && a[:n] == b[:n]
}

// fits tells whether an upstream type can stand for a node, and adds to loses what it does not keep.
func fits(t reflect.Type, n *node, loses map[string]bool) bool {
	if n.nullable() || n.hasDefault() && n.form != formStruct || n.warning != "" {
		loses["defaults and null"] = true
	}
	if constrained(n) && n.props.XMapType == nil {
		loses["validation beyond that of the type"] = true
	}
	switch t {
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		loses["fractions of seconds and time zones"] = true
		return n.form == formDateTime
	case reflect.TypeFor[resource.Quantity]():
		loses["the spelling of quantities"] = true
		return n.form == formQuantity
	case reflect.TypeFor[intstr.IntOrString]():
		loses["integers beyond 32 bits"] = true
		return n.form == formIntOrString
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fits(t.Elem(), n, loses)
	case reflect.Struct:
		return fitsStruct(t, n, loses)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return n.form == formBytes
		}
		return n.form == formList && fits(t.Elem(), n.elem, loses)
	case reflect.Map:
		return n.form == formMap && fits(t.Elem(), n.elem, loses)
	case reflect.String:
		return n.form == formString || n.form == formEnum && n.enumBase == "string"
	case reflect.Int32:
		return n.form == formInt32
	case reflect.Int64:
		return n.form == formInt64
	case reflect.Bool:
		return n.form == formBool
	}
	return false
}

// fitsStruct is fits for structs: every property must be a field, and every field that is always written a
// required property.
func fitsStruct(t reflect.Type, n *node, loses map[string]bool) bool {
	if n.form == formEmpty && t == reflect.TypeFor[metav1.ObjectMeta]() {
		loses["empty metadata"] = true
		return true
	}
	if n.form != formStruct || keepsUnknown(n.props) {
		return false
	}
	fields := upstreamFields(t)
	for _, name := range n.order {
		field, ok := fields[name]
		if !ok || !fits(field.typ, n.fields[name], loses) {
			return false
		}
		required := slices.Contains(n.props.Required, name)
		kind := field.typ.Kind()
		switch {
		case !field.omitted && !required:
			loses["the difference between absent and empty"] = true
		case field.omitted && (kind == reflect.Slice || kind == reflect.Map) && !excludesEmpty(n.fields[name].props):
			loses["empty lists and maps"] = true
		case field.omitted && kind != reflect.Pointer && kind != reflect.Slice && kind != reflect.Map && !excludesZero(n.fields[name]):
			loses["zeros and empty strings"] = true
		}
	}
	for name, field := range fields {
		if n.fields[name] == nil && !field.omitted {
			loses["the difference between absent and empty"] = true
		}
	}
	return true
}
