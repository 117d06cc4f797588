package emit

import (
	"regexp"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/plan"
)

// values prints the support types that a package needs.
func values(p *plan.Package) string {
	f := newFile(p)
	needsJSON := p.Values[plan.ValueJSON]
	if needsJSON {
		f.use("bytes")
		f.use("encoding/json")
		f.use("k8s.io/apimachinery/pkg/util/json")
		f.WriteString(jsonValue)
	}
	for _, t := range allTypes(p) {
		if t.Unknown {
			f.WriteString(withFields)
			break
		}
	}
	if p.Values[plan.ValueIntOrString] || p.Values[plan.ValueQuantity] {
		for _, path := range []string{"encoding/json", "fmt", "strconv", "strings", "k8s.io/apimachinery/pkg/util/intstr", "k8s.io/apimachinery/pkg/util/json"} {
			f.use(path)
		}
		f.WriteString(intOrStringValue)
	}
	if p.Values[plan.ValueQuantity] {
		f.use("k8s.io/apimachinery/pkg/api/resource")
		f.printf(quantityValue, plan.QuantityPattern)
	}
	if p.Values[plan.ValueDateTime] {
		f.use("time")
		f.WriteString(dateTimeValue)
	}
	if p.Values[plan.ValueEmpty] {
		f.WriteString("// EmptyObject is an object for which the schema names no fields: the server drops all of them.\ntype EmptyObject struct{}\n")
	}
	if f.Len() == 0 {
		return ""
	}
	text := f.source()
	for v, name := range p.Names {
		if name != string(v) { // a kind has the name
			text = regexp.MustCompile(`\b`+string(v)+`\b`).ReplaceAllString(text, name)
			text = strings.NewReplacer("intstr."+name, "intstr."+string(v), "resource."+name, "resource."+string(v)).Replace(text)
		}
	}
	return text
}

func allTypes(p *plan.Package) []*plan.Type {
	var out []*plan.Type
	for _, k := range p.Kinds {
		out = append(out, k.Type)
	}
	return append(out, p.Types...)
}

const jsonValue = `// JSON is any JSON value, kept as the server sent it. The zero JSON is no value at all: a field that holds it
// is left out, while NewJSON(nil) is null.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:pruning:PreserveUnknownFields
type JSON struct {
	// Raw is the JSON text.
	Raw []byte ` + "`json:\"-\"`" + `
}

// NewJSON returns the JSON of a value.
func NewJSON(value any) (JSON, error) {
	raw, err := json.Marshal(value)
	return JSON{Raw: raw}, err
}

// Decode decodes the value into a pointer, as the API server would: names are case-sensitive, and integers
// stay integers.
func (j JSON) Decode(into any) error {
	return utiljson.Unmarshal(j.Raw, into)
}

// MarshalJSON implements json.Marshaler.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j.Raw) == 0 {
		return []byte("null"), nil
	}
	return j.Raw, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (j *JSON) UnmarshalJSON(data []byte) error {
	j.Raw = bytes.Clone(data)
	return nil
}

// DeepCopyInto copies the receiver into out.
func (j *JSON) DeepCopyInto(out *JSON) {
	out.Raw = bytes.Clone(j.Raw)
}

// DeepCopy returns a deep copy.
func (j *JSON) DeepCopy() *JSON {
	if j == nil {
		return nil
	}
	out := new(JSON)
	j.DeepCopyInto(out)
	return out
}

`

const withFields = `// marshalWithFields encodes a struct and adds fields to it.
func marshalWithFields(known any, fields map[string]JSON) ([]byte, error) {
	data, err := json.Marshal(known)
	if err != nil || len(fields) == 0 {
		return data, err
	}
	all := map[string]JSON{}
	if err := utiljson.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name, value := range fields {
		if _, taken := all[name]; !taken {
			all[name] = value
		}
	}
	return json.Marshal(all)
}

// unmarshalWithFields decodes a struct and returns the fields that are not among the known ones.
func unmarshalWithFields(data []byte, into any, known []string) (map[string]JSON, error) {
	if string(data) == "null" {
		return nil, nil
	}
	if err := utiljson.Unmarshal(data, into); err != nil {
		return nil, err
	}
	all := map[string]JSON{}
	if err := utiljson.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for _, name := range known {
		delete(all, name)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

`

const intOrStringValue = `// IntOrString is an integer or a string, kept as the server sent it. It converts from and to
// intstr.IntOrString, whose integers have 32 bits: a larger one has Type Int and its digits in StrVal.
type IntOrString intstr.IntOrString

// IntOrStringFromInt returns an integer.
func IntOrStringFromInt(value int64) IntOrString {
	if int64(int32(value)) == value {
		return IntOrString{Type: intstr.Int, IntVal: int32(value)}
	}
	return IntOrString{Type: intstr.Int, StrVal: strconv.FormatInt(value, 10)}
}

// IntOrStringFromString returns a string.
func IntOrStringFromString(value string) IntOrString {
	return IntOrString{Type: intstr.String, StrVal: value}
}

// String returns the string, or the integer's digits.
func (v IntOrString) String() string {
	if v.Type == intstr.String || v.StrVal != "" {
		return v.StrVal
	}
	return strconv.Itoa(int(v.IntVal))
}

// MarshalJSON implements json.Marshaler.
func (v IntOrString) MarshalJSON() ([]byte, error) {
	if v.Type == intstr.String {
		return json.Marshal(v.StrVal)
	}
	return []byte(v.String()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *IntOrString) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if strings.HasPrefix(text, "\"") {
		*v = IntOrString{Type: intstr.String}
		return utiljson.Unmarshal(data, &v.StrVal)
	}
	if digits := strings.TrimPrefix(text, "-"); digits == "" || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("%s is neither an integer nor a string", text)
	}
	*v = IntOrString{Type: intstr.Int, StrVal: text}
	if small, err := strconv.ParseInt(text, 10, 32); err == nil {
		*v = IntOrString{Type: intstr.Int, IntVal: int32(small)}
	}
	return nil
}

`

const quantityValue = `// Quantity is a resource quantity, kept as the server sent it: resource.Quantity would write "1000m" as "1".
//
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:Pattern=` + "`%s`" + `
type Quantity intstr.IntOrString

// NewQuantity returns the canonical form of a quantity.
func NewQuantity(q resource.Quantity) Quantity {
	return Quantity{Type: intstr.String, StrVal: q.String()}
}

// Parse returns the quantity as a number to calculate with.
func (q Quantity) Parse() (resource.Quantity, error) {
	return resource.ParseQuantity(q.String())
}

// String returns the quantity as it was written.
func (q Quantity) String() string { return IntOrString(q).String() }

// MarshalJSON implements json.Marshaler.
func (q Quantity) MarshalJSON() ([]byte, error) { return IntOrString(q).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (q *Quantity) UnmarshalJSON(data []byte) error { return (*IntOrString)(q).UnmarshalJSON(data) }

`

const dateTimeValue = `// DateTime is a date and time in the format of RFC 3339, kept as the server sent it: metav1.Time would drop
// fractions of a second and the time zone.
//
// +kubebuilder:validation:Format="date-time"
type DateTime string

// NewDateTime returns a time with all its digits.
func NewDateTime(t time.Time) DateTime {
	return DateTime(t.Format(time.RFC3339Nano))
}

// Time returns the point in time.
func (d DateTime) Time() (time.Time, error) {
	return time.Parse(time.RFC3339Nano, string(d))
}

`
