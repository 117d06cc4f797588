package roundtrip

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// Difference is one keyword of a schema that is not the same after the schema went through Go.
type Difference struct {
	Path, Keyword string
	Want, Got     string
	// Rule is the name of the rule in [SchemaRules] that allows the difference, "lost" if the generator itself
	// reported it, or empty if nothing explains it.
	Rule string
}

// String returns the difference for messages.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: want %s, got %s", d.Path, d.Keyword, d.Want, d.Got)
}

// SchemaRules are the differences that are allowed between a schema and what controller-gen makes of the
// generated package, beside what the generator reports as lost.
var SchemaRules = []struct {
	Name, What string
	// Counted tells that a difference is reported for each place; the others are not looked at.
	Counted bool
}{
	{"object-meta", "apiVersion, kind and metadata of the whole object are written by controller-gen in its own words", false},
	{"white-space", "descriptions are compared without regard to white space, list bullets, doubled quotes, which gofmt turns into typographic ones, link definitions, which it moves to the end, and characters that Go source cannot hold, and lines that start with TODO or with an escaped + or --- are not compared", false},
	{"type-description", "a node without a description takes that of its Go type, and so do list items and map values, since equal shapes share one type", true},
	{"scalar-description", "descriptions of list items and map values have no place in Go unless they are structs", true},
	{"int-or-string", "anyOf integer and string beside x-kubernetes-int-or-string says nothing more", false},
	{"map-int64", "integers without a format as map values are int64 in Go and get that format", true},
	{"free-form", "an object with any fields, or a value of any type, is x-kubernetes-preserve-unknown-fields, also where the schema has additionalProperties: true or says nothing", true},
	{"embedded", "an embedded resource names its apiVersion, kind and metadata", true},
	{"upstream-type", "a type of k8s.io/api or apimachinery that is reused brings its own words; it has the same fields, and the schema no validation beyond that of the type", true},
}

// Schema compares a kind's schema with the one that controller-gen made. lost tells whether the generator
// reported a loss at a path, and of which cause.
func Schema(kind *schema.Kind, got *schema.Props, lost func(path, cause string) bool) []Difference {
	c := &comparison{lost: lost}
	want := kind.Schema.DeepCopy()
	got = got.DeepCopy()
	for _, s := range []*schema.Props{want, got} { // object-meta
		for _, name := range []string{"apiVersion", "kind", "metadata"} {
			delete(s.Properties, name)
			s.Required = slices.DeleteFunc(s.Required, func(r string) bool { return r == name })
		}
	}
	c.node("", want, got, false)
	return c.found
}

type comparison struct {
	found []Difference
	lost  func(path, cause string) bool
}

func (c *comparison) add(path, keyword, rule string, want, got any) {
	c.found = append(c.found, Difference{Path: path, Keyword: keyword, Rule: rule, Want: text(want), Got: text(got)})
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// node compares a node and everything below it. inner tells that it is a list item or map value.
func (c *comparison) node(path string, want, got *schema.Props, inner bool) {
	if c.lost(path, "raw") {
		c.add(path, "type", "lost", want.Type, got.Type)
		return
	}
	if c.lost(path, "upstream") {
		c.add(path, "description", "upstream-type", want.Description, got.Description)
		return
	}
	c.description(path, want, got, inner)
	c.keywords(path, want, got, inner)
	c.children(path, want, got)
}

func (c *comparison) description(path string, want, got *schema.Props, inner bool) {
	a, b := prose(want.Description), prose(got.Description)
	switch {
	case a == b:
	case a == "":
		c.add(path, "description", "type-description", a, b)
	case inner && b == "":
		c.add(path, "description", "scalar-description", a, b)
	case inner: // the words of the type
		c.add(path, "description", "type-description", a, b)
	default:
		c.add(path, "description", "", a, b)
	}
}

// link is a link definition, which gofmt moves to the end of a comment.
var link = regexp.MustCompile(`^\[[^\]]+\]:\s`)

// prose reduces a description to what must survive.
func prose(s string) string {
	s = strings.NewReplacer("“", "``", "”", "''").Replace(s)
	var words []string
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "TODO") || strings.HasPrefix(line, "+") || strings.HasPrefix(line, "---") || strings.HasPrefix(line, `\`) || link.MatchString(line) {
			continue
		}
		words = append(words, line)
	}
	return strings.Join(strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool {
		return r <= ' ' || strings.ContainsRune("-*•#\u00a0\ufeff\u2028\u2029\u0085\x7f\ufffd", r)
	}), "")
}

// structural are the fields of a node that children compares.
var structural = []string{"Description", "Properties", "Items", "AdditionalProperties"}

// keywords compares all other keywords of a node.
func (c *comparison) keywords(path string, want, got *schema.Props, inner bool) {
	a, b := canonical(*want), canonical(*got)
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		name := va.Type().Field(i).Name
		if slices.Contains(structural, name) || reflect.DeepEqual(va.Field(i).Interface(), vb.Field(i).Interface()) {
			continue
		}
		c.add(path, name, c.explain(path, name, &a, &b, inner), va.Field(i).Interface(), vb.Field(i).Interface())
	}
}

// explain names the rule for a keyword that differs.
func (c *comparison) explain(path, name string, want, got *schema.Props, inner bool) string {
	switch {
	case slices.Contains([]string{"OneOf", "AnyOf", "AllOf", "Not"}, name):
		if c.lost(path, "choice") {
			return "lost"
		}
	case name == "Format" && inner && want.Type == "integer" && want.Format == "" && got.Format == "int64":
		return "map-int64"
	case name == "XPreserveUnknownFields" && (want.Type == "" || want.AdditionalProperties != nil && want.AdditionalProperties.Allows):
		return "free-form"
	case name == "Required" && want.XEmbeddedResource:
		return "embedded"
	}
	if c.lost(path, "marker") {
		return "lost"
	}
	return ""
}

// canonical returns a node without what says nothing.
func canonical(s schema.Props) schema.Props {
	s.Required = slices.Compact(slices.Sorted(slices.Values(s.Required)))
	if len(s.Required) == 0 {
		s.Required = nil
	}
	if s.XPreserveUnknownFields != nil && !*s.XPreserveUnknownFields {
		s.XPreserveUnknownFields = nil
	}
	if s.XIntOrString { // int-or-string
		s.Type, s.Format = "", ""
		if len(s.AnyOf) == 2 {
			s.AnyOf = nil
		}
		if len(s.AllOf) == 1 && len(s.AllOf[0].AnyOf) == 2 {
			s.AllOf = nil
		}
	}
	s.Enum = slices.Clone(s.Enum)
	for i := range s.Enum {
		s.Enum[i].Raw = compact(s.Enum[i].Raw)
	}
	for _, value := range []**apiextensionsv1.JSON{&s.Default, &s.Example} {
		if *value != nil {
			*value = &apiextensionsv1.JSON{Raw: compact((*value).Raw)}
		}
	}
	if s.Type == "" && len(s.Properties) > 0 {
		s.Type = "object"
	}
	for _, list := range []*[]schema.Props{&s.OneOf, &s.AnyOf, &s.AllOf} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return s
}

// compact writes JSON with sorted keys.
func compact(raw []byte) []byte {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// children compares the properties, items and values.
func (c *comparison) children(path string, want, got *schema.Props) {
	for name, child := range want.Properties {
		at := path + Segment(name)
		other, ok := got.Properties[name]
		switch {
		case ok:
			c.node(at, &child, &other, false)
		case c.lost(at, "raw"):
			c.add(at, "property", "lost", "present", "absent")
		default:
			c.add(at, "property", "", "present", "absent")
		}
	}
	for name := range got.Properties {
		if _, ok := want.Properties[name]; !ok {
			rule := ""
			if want.XEmbeddedResource {
				rule = "embedded"
			}
			c.add(path+Segment(name), "property", rule, "absent", "present")
		}
	}
	var items, otherItems, values, otherValues *schema.Props
	if want.Items != nil {
		items = want.Items.Schema
	}
	if got.Items != nil {
		otherItems = got.Items.Schema
	}
	if want.AdditionalProperties != nil {
		values = want.AdditionalProperties.Schema
	}
	if got.AdditionalProperties != nil {
		otherValues = got.AdditionalProperties.Schema
	}
	c.inner(path+"[]", items, otherItems)
	c.inner(path+"{}", values, otherValues)
}

func (c *comparison) inner(path string, want, got *schema.Props) {
	switch {
	case want == nil && got == nil:
	case want == nil || got == nil:
		rule := ""
		if c.lost(path, "raw") || c.lost(strings.TrimSuffix(strings.TrimSuffix(path, "[]"), "{}"), "marker") {
			rule = "lost"
		}
		c.add(path, "schema", rule, want != nil, got != nil)
	default:
		c.node(path, want, got, true)
	}
}

// Segment returns a property name as paths have it.
func Segment(name string) string {
	if strings.Trim(name, "-_$0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "[" + strconv.Quote(name) + "]"
	}
	if name == "" {
		return `[""]`
	}
	return "." + name
}
