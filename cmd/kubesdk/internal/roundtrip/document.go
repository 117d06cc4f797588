package roundtrip

import (
	"math"
	"slices"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// Allowed are the differences between a document and its encoding by a generated type, each with its name.
// There are no others.
var Allowed = []struct{ Name, What string }{
	{"optional-null", "null in an optional, nullable field without a default reads as absent: to the server both mean that there is no value"},
	{"zero-root", "an optional spec or status of the whole object that is {}, or whose required strings are all empty and which holds nothing else, reads as absent, and an absent spec with defaults is written as {}"},
	{"number", "numbers of the schema type number are compared as 64-bit floating point, and 1.0 equals 1"},
	{"object-meta", "metadata of the whole object is metav1.ObjectMeta, which leaves out what is empty and knows no fractions of seconds"},
	{"base64", "strings with the format byte are decoded, and written as base64 without line breaks"},
}

// Document returns a copy of a document of a kind without what the differences in [Allowed] are about, so
// that two documents can be compared.
func Document(kind *schema.Kind, doc map[string]any) map[string]any {
	out, _ := document(kind.Schema, doc).(map[string]any)
	for _, name := range []string{"spec", "status"} {
		child, ok := kind.Schema.Properties[name]
		if ok && !slices.Contains(kind.Schema.Required, name) && zero(&child, out[name]) { // zero-root
			delete(out, name)
		}
	}
	return out
}

func document(s *schema.Props, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			child, known := s.Properties[name]
			switch {
			case !known && s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
				out[name] = document(s.AdditionalProperties.Schema, value)
			case !known:
				out[name] = document(&schema.Props{}, value)
			case value == nil && child.Nullable && !slices.Contains(s.Required, name) && !defaulted(&child) && typed(&child): // optional-null
			default:
				out[name] = document(&child, value)
			}
		}
		return out
	case []any:
		item := &schema.Props{}
		if s.Items != nil && s.Items.Schema != nil {
			item = s.Items.Schema
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = document(item, v[i])
		}
		return out
	case float64: // number
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	return v
}

// typed tells whether a node has a Go type; raw JSON keeps null.
func typed(s *schema.Props) bool {
	return s.XIntOrString || s.Type != "" && slices.Contains([]string{"object", "array", "string", "integer", "number", "boolean"}, s.Type) || len(s.Properties) > 0
}

func defaulted(s *schema.Props) bool {
	return s.Default != nil && string(s.Default.Raw) != "null"
}

// zero tells whether a value is {} or holds nothing but the zero values of required fields.
func zero(s *schema.Props, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			child := s.Properties[name]
			if !slices.Contains(s.Required, name) || defaulted(&child) || !zero(&child, value) {
				return false
			}
		}
		return true
	case nil:
		return true
	case string:
		return v == ""
	}
	return v == false || v == int64(0)
}
