package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// QuantityPattern is the pattern that controller-gen writes for resource.Quantity.
const QuantityPattern = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`

// classify decides what a node becomes. The warning is set where the schema says more than raw JSON can
// carry.
func classify(s *schema.Props, customResource bool) (form, string) {
	if s.XIntOrString || intOrString(s) {
		if s.Pattern == QuantityPattern {
			return formQuantity, ""
		}
		return formIntOrString, ""
	}
	switch s.Type {
	case "object":
		return object(s, customResource), ""
	case "array":
		return formList, ""
	case "string":
		return text(s), ""
	case "integer":
		if enumOf(s, 'i') {
			return formEnum, ""
		}
		if s.Format == "int32" {
			return formInt32, ""
		}
		return formInt64, ""
	case "number":
		return formNumber, ""
	case "boolean":
		return formBool, ""
	case "":
		return untyped(s, customResource)
	}
	return formAny, fmt.Sprintf("type %q is not a JSON type", s.Type)
}

func object(s *schema.Props, customResource bool) form {
	switch extra := s.AdditionalProperties; {
	case len(s.Properties) > 0:
		return formStruct
	case extra != nil && extra.Schema != nil:
		return formMap
	case extra != nil && extra.Allows, preserves(s), s.XEmbeddedResource, !customResource:
		return formObject
	}
	return formEmpty
}

func text(s *schema.Props) form {
	switch {
	case enumOf(s, 's'):
		return formEnum
	case len(s.Enum) > 0:
		return formString
	case s.Format == "byte" && s.Pattern == "":
		return formBytes
	case s.Format == "date-time" && s.Pattern == "":
		return formDateTime
	}
	return formString
}

// untyped decides about nodes without "type".
func untyped(s *schema.Props, customResource bool) (form, string) {
	if len(s.Properties) > 0 {
		return object(s, customResource), ""
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		return formMap, ""
	}
	if kinds := branchTypes(s); len(kinds) > 1 {
		return formAny, "the value may be " + strings.Join(kinds, " or ")
	}
	if s.Items != nil {
		return formAny, "items without the type array"
	}
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0 || s.Not != nil {
		return formAny, "a choice without a type"
	}
	if len(s.Enum) > 0 || s.Pattern != "" || s.Format != "" || s.Minimum != nil || s.Maximum != nil {
		return formAny, "constraints without a type"
	}
	return formAny, ""
}

// branchTypes returns the types that oneOf or anyOf choose among.
func branchTypes(s *schema.Props) []string {
	var out []string
	for _, branch := range slices.Concat(s.OneOf, s.AnyOf) {
		if branch.Type != "" && !slices.Contains(out, branch.Type) {
			out = append(out, branch.Type)
		}
	}
	return out
}

// intOrString recognizes the way in which OpenAPI documents publish intstr.IntOrString.
func intOrString(s *schema.Props) bool {
	if s.Format != "int-or-string" || len(s.Properties) > 0 {
		return false
	}
	kinds := branchTypes(s)
	return s.Type == "" && len(kinds) == 2 && slices.Contains(kinds, "integer") && slices.Contains(kinds, "string")
}

// enumOf tells whether the node is an enum whose values, but for null, are all strings ('s') or integers ('i').
func enumOf(s *schema.Props, kind byte) bool {
	values := enumValues(s)
	return len(values) > 0 && !slices.ContainsFunc(values, func(v any) bool {
		switch v := v.(type) {
		case string:
			return kind != 's'
		case float64:
			return kind != 'i' || v != float64(int64(v))
		}
		return true
	})
}

// enumValues returns the values of an enum but for null.
func enumValues(s *schema.Props) []any {
	out := make([]any, 0, len(s.Enum))
	for _, raw := range s.Enum {
		var v any
		if err := json.Unmarshal(raw.Raw, &v); err == nil && v != nil {
			out = append(out, v)
		}
	}
	return out
}

func preserves(s *schema.Props) bool {
	return s.XPreserveUnknownFields != nil && *s.XPreserveUnknownFields
}

// keepsUnknown tells whether a struct may hold fields that its schema does not name.
func keepsUnknown(s *schema.Props) bool {
	return preserves(s) || s.AdditionalProperties != nil && (s.AdditionalProperties.Allows || s.AdditionalProperties.Schema != nil)
}
