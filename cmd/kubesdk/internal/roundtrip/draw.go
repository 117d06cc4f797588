package roundtrip

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// Draw returns a random object of a kind, as decoded JSON: every document that it returns is allowed by the
// schema's types, ranges, lengths, patterns and enums. Zeros, empty strings, lists and maps, nulls and unknown
// fields are drawn often wherever they are allowed. Choices (oneOf, anyOf, not) and CEL rules are not heeded.
func Draw(rng *rand.Rand, kind *schema.Kind) map[string]any {
	d := &drawer{rng}
	root := *kind.Schema
	root.Nullable = false
	doc, _ := d.object(&root, 0).(map[string]any)
	if doc == nil {
		doc = map[string]any{}
	}
	doc["apiVersion"], doc["kind"] = kind.GroupVersion(), kind.Kind
	doc["metadata"] = map[string]any{"name": "drawn", "labels": map[string]any{"a": "b"}}
	if rng.IntN(8) == 0 {
		delete(doc, "metadata")
	}
	return doc
}

type drawer struct{ *rand.Rand }

// one tells with probability 1/n.
func (d *drawer) one(n int) bool { return d.IntN(n) == 0 }

func (d *drawer) value(s *schema.Props, depth int) any {
	if s.Nullable && d.one(4) {
		return nil
	}
	if s.XIntOrString && len(s.Enum) == 0 {
		return d.intOrString(s)
	}
	if values := enumOf(s); len(values) > 0 {
		return values[d.IntN(len(values))]
	}
	switch s.Type {
	case "object":
		return d.object(s, depth)
	case "array":
		return d.list(s, depth)
	case "string":
		return d.text(s)
	case "integer":
		return d.integer(s)
	case "number":
		return d.number(s)
	case "boolean":
		return d.one(2)
	case "":
		if len(s.Properties) > 0 || s.AdditionalProperties != nil {
			return d.object(s, depth)
		}
	}
	return d.anything(2)
}

// enumOf returns the values of an enum that are of the node's type.
func enumOf(s *schema.Props) []any {
	var out []any
	for _, raw := range s.Enum {
		var v any
		_ = json.Unmarshal(raw.Raw, &v)
		switch f, number := v.(float64); {
		case number && s.Type == "integer" || number && s.XIntOrString:
			out = append(out, int64(f))
		case number && s.Type == "number", fmt.Sprintf("%T", v) == "string" && s.Type == "string", fmt.Sprintf("%T", v) == "bool" && s.Type == "boolean":
			out = append(out, v)
		}
	}
	return out
}

// object draws a struct or a map.
func (d *drawer) object(s *schema.Props, depth int) any {
	out := map[string]any{}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		child := s.Properties[name]
		if slices.Contains(s.Required, name) || d.one(2+depth/2) {
			out[name] = d.value(&child, depth+1)
		}
	}
	if extra := s.AdditionalProperties; extra != nil && extra.Schema != nil && len(s.Properties) == 0 {
		n := d.length(s.MinProperties, s.MaxProperties)
		for i := 0; len(out) < n && i < 20; i++ {
			out[d.word()] = d.value(extra.Schema, depth+1)
		}
	}
	if open(s) {
		for range d.IntN(3) {
			name := d.word()
			if len(names) > 0 && d.one(2) {
				name = strings.ToUpper(names[d.IntN(len(names))]) // differs by case only: a trap
			}
			if _, known := s.Properties[name]; !known {
				out[name] = d.anything(2)
			}
		}
	}
	if s.XEmbeddedResource {
		out["apiVersion"], out["kind"], out["metadata"] = "v1", "Thing", map[string]any{"name": d.word()}
	}
	return out
}

// open tells whether an object may hold fields of any type that the schema does not name.
func open(s *schema.Props) bool {
	if extra := s.AdditionalProperties; extra != nil {
		return extra.Schema == nil && extra.Allows
	}
	return s.XPreserveUnknownFields != nil && *s.XPreserveUnknownFields
}

func (d *drawer) list(s *schema.Props, depth int) any {
	out := []any{}
	n := d.length(s.MinItems, s.MaxItems)
	unique := s.UniqueItems || s.XListType != nil && *s.XListType == "set"
	for i := 0; len(out) < n && i < 20; i++ {
		var item any
		if s.Items != nil && s.Items.Schema != nil {
			item = d.value(s.Items.Schema, depth+1)
		} else {
			item = d.anything(1)
		}
		if !unique || !slices.ContainsFunc(out, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(item) }) {
			out = append(out, item)
		}
	}
	return out
}

// length draws a small length within limits, often the smallest.
func (d *drawer) length(least, most *int64) int {
	n := 0
	if least != nil {
		n = int(*least)
	}
	n += d.IntN(3)
	if most != nil && int64(n) > *most {
		n = int(*most)
	}
	return n
}

func (d *drawer) text(s *schema.Props) any {
	switch {
	case s.Pattern != "":
		return d.matching(s)
	case s.Format == "date-time":
		return d.pick("2024-02-29T12:30:00Z", "2024-02-29T12:30:00.123456789Z", "1999-12-31T23:59:59.5+05:30", "0001-01-01T00:00:00Z")
	case s.Format == "byte":
		raw := make([]byte, d.IntN(5))
		for i := range raw {
			raw[i] = byte(d.IntN(256))
		}
		for s.MinLength != nil && int64(base64.StdEncoding.EncodedLen(len(raw))) < *s.MinLength {
			raw = append(raw, 'x')
		}
		return base64.StdEncoding.EncodeToString(raw)
	case s.Format == "duration":
		return d.pick("60m", "1h0m0s", "1.5h")
	}
	text := d.pick("", "a", "Zürich", "<&>\"'\\", "line\nline", "0", "null", "true", " spaced ", "😀")
	if s.MaxLength != nil && int64(len([]rune(text))) > *s.MaxLength {
		text = string([]rune(text)[:*s.MaxLength])
	}
	for s.MinLength != nil && int64(len([]rune(text))) < *s.MinLength {
		text += "x"
	}
	return text
}

func (d *drawer) intOrString(s *schema.Props) any {
	if s.Pattern != "" && d.one(2) {
		if strings.Contains(s.Pattern, "KMGTPE") {
			return d.pick("1000m", "1Gi", "0.5", "1e3", "0", "+5", "100000000000")
		}
		return d.matching(s)
	}
	switch d.IntN(4) {
	case 0:
		return int64(0)
	case 1:
		return int64(d.IntN(100))
	case 2:
		return int64(1) << (30 + d.IntN(10))
	}
	if s.Pattern != "" {
		return int64(7)
	}
	return d.pick("50%", "", "7", "http")
}

func (d *drawer) integer(s *schema.Props) any {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if s.Format == "int32" {
		least, most = math.MinInt32, math.MaxInt32
	}
	if s.Minimum != nil {
		least = max(least, int64(math.Ceil(*s.Minimum)))
		if s.ExclusiveMinimum {
			least++
		}
	}
	if s.Maximum != nil && *s.Maximum < math.MaxInt64 {
		most = min(most, int64(math.Floor(*s.Maximum)))
		if s.ExclusiveMaximum {
			most--
		}
	}
	v := []int64{0, 1, least, most, int64(d.IntN(1000))}[d.IntN(5)]
	v = min(max(v, least), most)
	if s.MultipleOf != nil && *s.MultipleOf >= 1 {
		step := int64(*s.MultipleOf)
		if v = v / step * step; v < least {
			v += step
		}
	}
	return v
}

func (d *drawer) number(s *schema.Props) any {
	v := []float64{0, 1, 1.5, -2.25, 1e10, 0.1, 1e-7}[d.IntN(7)]
	if s.Minimum != nil {
		v = max(v, *s.Minimum)
		if s.ExclusiveMinimum && v == *s.Minimum {
			v += 0.5
		}
	}
	if s.Maximum != nil {
		v = min(v, *s.Maximum)
		if s.ExclusiveMaximum && v == *s.Maximum {
			v -= 0.5
		}
	}
	return v
}

// anything draws any JSON value.
func (d *drawer) anything(depth int) any {
	n := 7
	if depth <= 0 {
		n = 5
	}
	switch d.IntN(n) {
	case 0:
		return nil
	case 1:
		return d.one(2)
	case 2:
		return int64(d.IntN(3)) << d.IntN(60)
	case 3:
		return d.pick("", "text", "1")
	case 4:
		return 1.25
	case 5:
		out := []any{}
		for range d.IntN(3) {
			out = append(out, d.anything(depth-1))
		}
		return out
	}
	out := map[string]any{}
	for range d.IntN(3) {
		out[d.word()] = d.anything(depth - 1)
	}
	return out
}

func (d *drawer) word() string {
	return d.pick("key", "Key", "a.b/c", "x-y", "$ref", "ümlaut", "with space", "0", "logFormat", "logformat")
}

func (d *drawer) pick(choices ...string) string { return choices[d.IntN(len(choices))] }
