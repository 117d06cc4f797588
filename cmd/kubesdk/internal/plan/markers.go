package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

const validation = "kubebuilder:validation:"

// markers returns the markers of a node in a position: of a field, of a named type's declaration, or, with
// the items prefix, of a list's items. What no marker can carry is recorded as lost.
func (b *builder) markers(n *node, at position) []string {
	if n.form == formAny && n.warning != "" || n.form == formUpstream {
		return b.useMarkers(n, at) // raw JSON, whose warning stands for all that the schema says, or a type with markers of its own
	}
	var out []string
	if n.typ == nil || at == atType {
		prefix := validation
		if at == atItem {
			prefix += "items:"
		}
		if at == atDeep {
			b.loseDeep(n)
		} else {
			out = b.constraints(n, prefix, at)
		}
	}
	out = append(out, b.useMarkers(n, at)...)
	if n.elem != nil && (n.typ == nil || at == atType) {
		next := atDeep
		if n.form == formList && (at == atField || at == atType) {
			next = atItem
		}
		out = append(out, b.markers(n.elem, next)...)
	}
	return out
}

// useMarkers returns the markers that belong to a use of a type rather than to the type.
func (b *builder) useMarkers(n *node, at position) []string {
	if at == atType {
		return nil
	}
	s := n.props
	var out []string
	if at != atField {
		if s.Nullable {
			b.lose(Marker, n.path, "nullable")
		}
		if s.Default != nil {
			b.lose(Marker, n.path, "default")
		}
		if s.Title != "" || s.Example != nil {
			b.lose(Marker, n.path, "title or example")
		}
		return nil
	}
	if s.Nullable {
		out = append(out, "nullable")
	}
	if s.Default != nil {
		if compact, ok := compactJSON(s.Default.Raw); ok && compact != "null" {
			out = append(out, "default="+compact)
		} else {
			b.lose(Marker, n.path, "a default of null")
		}
	}
	if s.Title != "" {
		out = append(out, "kubebuilder:title="+Quote(s.Title))
	}
	if s.Example != nil {
		if marker, ok := anyLiteral(s.Example.Raw); ok {
			out = append(out, "kubebuilder:example="+marker)
		} else {
			b.lose(Marker, n.path, "example")
		}
	}
	return out
}

// constraints returns the markers for a node's own validation.
func (b *builder) constraints(n *node, prefix string, at position) []string {
	s := n.props
	var out []string
	add := func(name, value string) { out = append(out, prefix+name+"="+value) }
	out = append(out, prelude(n, prefix)...)
	if f, ok := formatMarker(n); ok {
		add("Format", f)
	}
	if len(s.Enum) > 0 {
		if values, ok := enumLiteral(s); ok {
			add("Enum", values)
		} else {
			b.lose(Marker, n.path, "an enum whose values are not all of one scalar type")
		}
	}
	bounds(s, add)
	b.numbers(n, add)
	if preserves(s) && n.form != formObject && n.form != formAny {
		if at == atItem {
			out = append(out, prefix+"XPreserveUnknownFields")
		} else {
			out = append(out, "kubebuilder:pruning:PreserveUnknownFields")
		}
	}
	if s.XEmbeddedResource {
		out = append(out, prefix+"XEmbeddedResource")
	}
	for i := range s.XValidations {
		out = append(out, prefix+"XValidation:"+ruleMarker(&s.XValidations[i]))
	}
	out = append(out, b.topology(n, at)...)
	b.loseMisplaced(n)
	b.loseChoices(n)
	return out
}

// prelude returns the markers without which controller-gen refuses others on a type that it cannot see into.
func prelude(n *node, prefix string) []string {
	s := n.props
	switch {
	case n.form == formIntOrString && (s.Pattern != "" || s.MinLength != nil || s.MaxLength != nil):
		return []string{prefix + "XIntOrString"}
	case (n.form == formObject || n.form == formEmpty) && (s.MinProperties != nil || s.MaxProperties != nil || s.XMapType != nil):
		return []string{prefix + `Type="object"`}
	}
	return nil
}

// formatMarker returns the format, if the Go type does not imply it.
func formatMarker(n *node) (string, bool) {
	format := n.props.Format
	switch n.form {
	case formInt32, formDateTime, formBytes, formIntOrString, formQuantity:
		return "", false
	case formInt64:
		return strconv.Quote(format), format != "int64"
	case formEnum:
		implied := map[string]string{"int32": "int32", "int64": "int64"}[n.enumBase]
		return strconv.Quote(format), format != implied
	case formAny:
		return "", false
	}
	return strconv.Quote(format), format != ""
}

// bounds adds the markers for lengths and patterns.
func bounds(s *schema.Props, add func(name, value string)) {
	for _, limit := range []struct {
		name  string
		value *int64
	}{
		{"MinLength", s.MinLength}, {"MaxLength", s.MaxLength}, {"MinItems", s.MinItems}, {"MaxItems", s.MaxItems},
		{"MinProperties", s.MinProperties}, {"MaxProperties", s.MaxProperties},
	} {
		if limit.value != nil {
			add(limit.name, strconv.FormatInt(*limit.value, 10))
		}
	}
	if s.Pattern != "" && (!s.XIntOrString || s.Pattern != QuantityPattern) {
		add("Pattern", quote(s.Pattern))
	}
	if s.UniqueItems {
		add("UniqueItems", "true")
	}
}

// numbers adds the markers for numeric limits.
func (b *builder) numbers(n *node, add func(name, value string)) {
	s := n.props
	numeric := s.Type == "integer" || s.Type == "number"
	for _, limit := range []struct {
		name  string
		value *float64
	}{{"Minimum", s.Minimum}, {"Maximum", s.Maximum}, {"MultipleOf", s.MultipleOf}} {
		switch {
		case limit.value == nil:
		case !numeric || s.Type == "integer" && *limit.value != math.Trunc(*limit.value):
			b.lose(Marker, n.path, strings.ToLower(limit.name)+" on a value that is not a number of that kind")
		default:
			add(limit.name, strconv.FormatFloat(*limit.value, 'f', -1, 64))
		}
	}
	if s.ExclusiveMinimum {
		add("ExclusiveMinimum", "true")
	}
	if s.ExclusiveMaximum {
		add("ExclusiveMaximum", "true")
	}
}

// topology returns the list and map type markers.
func (b *builder) topology(n *node, at position) []string {
	s := n.props
	if s.XListType == nil && s.XMapType == nil {
		return nil
	}
	if at == atItem {
		b.lose(Marker, n.path, "list or map type of a list's items")
		return nil
	}
	var out []string
	if s.XListType != nil {
		out = append(out, "listType="+*s.XListType)
		for _, key := range s.XListMapKeys {
			out = append(out, "listMapKey="+Quote(key))
		}
	}
	if s.XMapType != nil {
		if n.form == formMap {
			out = append(out, "mapType="+*s.XMapType)
		} else {
			out = append(out, "structType="+*s.XMapType)
		}
	}
	return out
}

// loseMisplaced records keywords that stand where they say nothing about the Go type.
func (b *builder) loseMisplaced(n *node) {
	s := n.props
	for _, name := range s.Required {
		implied := inherited(name) && (s.XEmbeddedResource || len(n.path.segments) == 0)
		if _, ok := s.Properties[name]; !ok && !implied {
			b.lose(Marker, n.path, "required fields that the schema does not describe")
		}
	}
	if s.Items != nil && n.form != formList {
		b.lose(Marker, n.path, "items of a value that is no list")
	}
}

// loseChoices records the keywords that no marker has.
func (b *builder) loseChoices(n *node) {
	s := n.props
	if s.XIntOrString || n.form == formIntOrString || n.form == formQuantity {
		if len(s.AnyOf) <= 2 && len(s.OneOf)+len(s.AllOf) == 0 && s.Not == nil {
			return // anyOf integer and string is what the marker means
		}
	}
	for _, choice := range []struct {
		name string
		has  bool
	}{{"oneOf", len(s.OneOf) > 0}, {"anyOf", len(s.AnyOf) > 0}, {"allOf", len(s.AllOf) > 0}, {"not", s.Not != nil}} {
		if choice.has {
			b.lose(Choice, n.path, choice.name)
		}
	}
}

// loseDeep records the constraints of a node that no marker reaches.
func (b *builder) loseDeep(n *node) {
	if constrained(n) {
		b.lose(Marker, n.path, "validation of values below a map or a nested list")
	}
	b.loseChoices(n)
}

// constrained tells whether a node has validation that needs a marker.
func constrained(n *node) bool {
	s := n.props
	if n.form == formUpstream {
		return false
	}
	if f, ok := formatMarker(n); ok && (n.form != formInt64 || f != `""`) {
		return true
	}
	numbers := s.Minimum != nil || s.Maximum != nil || s.MultipleOf != nil
	lengths := s.MinLength != nil || s.MaxLength != nil || s.MinItems != nil || s.MaxItems != nil || s.MinProperties != nil || s.MaxProperties != nil
	text := s.Pattern != "" && n.form != formQuantity
	return numbers || lengths || text || s.UniqueItems || len(s.Enum) > 0 || len(s.XValidations) > 0 || s.XEmbeddedResource ||
		s.XListType != nil || s.XMapType != nil || preserves(s) && n.form != formObject && n.form != formAny
}

// constrainedScalar tells of list items whose markers would have to stand on the list.
func constrainedScalar(n *node) bool {
	switch n.form {
	case formString, formInt32, formInt64, formNumber, formBool, formBytes:
		return constrained(n)
	}
	return false
}

// quote writes a string as a marker argument, raw where that reads better.
func quote(s string) string {
	if strings.ContainsRune(s, '\\') && !strings.Contains(s, "''") && strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return Quote(s)
}

// Quote writes a string as a marker argument: it is strconv.Quote, but for pairs of quotes that gofmt would turn into typographic ones.
func Quote(s string) string {
	return strings.NewReplacer("''", `'\x27`, "``", "`\\x60").Replace(strconv.Quote(s))
}

// ruleMarker writes a CEL rule.
func ruleMarker(r *apiextensionsv1.ValidationRule) string {
	out := "rule=" + quote(r.Rule)
	if r.Message != "" {
		out += ",message=" + Quote(r.Message)
	}
	if r.MessageExpression != "" {
		out += ",messageExpression=" + quote(r.MessageExpression)
	}
	if r.Reason != nil {
		out += ",reason=" + strconv.Quote(string(*r.Reason))
	}
	if r.FieldPath != "" {
		out += ",fieldPath=" + quote(r.FieldPath)
	}
	if r.OptionalOldSelf != nil {
		out += ",optionalOldSelf=" + strconv.FormatBool(*r.OptionalOldSelf)
	}
	return out
}

// enumLiteral writes the values of an enum, which must all be scalars of one type.
func enumLiteral(s *schema.Props) (string, bool) {
	var out []string
	kinds := map[string]bool{}
	for _, raw := range s.Enum {
		var v any
		if err := json.Unmarshal(raw.Raw, &v); err != nil {
			return "", false
		}
		literal, ok := anyLiteral(raw.Raw)
		kinds[fmt.Sprintf("%T", v)] = true
		if !ok {
			return "", false
		}
		out = append(out, literal)
	}
	return "{" + strings.Join(out, ",") + "}", len(kinds) == 1
}

// anyLiteral writes a JSON scalar as an argument of a marker that takes any type.
func anyLiteral(raw []byte) (string, bool) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return Quote(v), true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		literal := strconv.FormatFloat(v, 'f', -1, 64)
		return literal, !strings.HasPrefix(literal, "-") || !strings.Contains(literal, ".")
	}
	return "", false
}

// compactJSON returns JSON on one line.
func compactJSON(raw []byte) (string, bool) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", false
	}
	return strings.NewReplacer("''", `'\u0027`, "``", "`\\u0060").Replace(b.String()), b.Len() > 0
}
