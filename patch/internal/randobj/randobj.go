// Package randobj makes random objects for tests: filled by reflection from a small vocabulary, so that two of them have much in
// common, and changed a little, as people change objects.
package randobj

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// deepest is how far down objects are filled.
const deepest = 9

// Maker makes and changes objects. What it does follows from its seed.
type Maker struct {
	r *rand.Rand
	// Loose lets elements of lists with a merge key share a key or lack it, and maps have keys that read as directives.
	Loose bool
	// Nulls lets untyped values have nulls.
	Nulls bool
}

// New returns a Maker with the given seed.
func New(seed uint64) *Maker { return &Maker{r: rand.New(rand.NewPCG(seed, 1))} }

// Fill gives the value that pointer points to random content.
func (m *Maker) Fill(pointer any) { m.fill(reflect.ValueOf(pointer).Elem(), "", 0) }

// Change changes the value that pointer points to in about n places. The value must not share memory with another.
func (m *Maker) Change(pointer any, n int) {
	for range n {
		m.change(reflect.ValueOf(pointer).Elem(), "", 0)
	}
}

func (m *Maker) one(of int) bool { return m.r.IntN(of) == 0 }

func pick[T any](m *Maker, from ...T) T { return from[m.r.IntN(len(from))] }

func (m *Maker) text() string {
	return pick(m, "", "a", "b", "c", "nginx:1.24", "x/y", "m~n", "<é&>", "10", "quo\"te", " ", "web")
}

func (m *Maker) key() string {
	if m.Loose && m.one(10) {
		return pick(m, "$patch", "$retainKeys", "$setElementOrder/a", "")
	}
	return pick(m, "a", "b", "c", "app.kubernetes.io/name", "m~n", "$x")
}

// setKey stands for the merge key of a list of strings that is merged as a set.
const setKey = "="

func mergeKeyOf(field reflect.StructField) string {
	if key := field.Tag.Get("patchMergeKey"); key != "" {
		return key
	}
	if field.Tag.Get("patchStrategy") == "merge" && field.Type == reflect.TypeFor[[]string]() {
		return setKey
	}
	return ""
}

// mergeKey sets the key of element i of a list so that the elements differ.
func (m *Maker) mergeKey(element reflect.Value, name string, taken map[string]bool) {
	for element.Kind() == reflect.Pointer {
		if element.IsNil() {
			return
		}
		element = element.Elem()
	}
	if element.Kind() != reflect.Struct || (m.Loose && m.one(8)) {
		return
	}
	field := fieldByJSON(element, name)
	if field.IsValid() && !field.IsZero() && !taken[fmt.Sprint(field)] {
		taken[fmt.Sprint(field)] = true
		return
	}
	for range 50 {
		n := m.r.IntN(6)
		var text string
		if field.IsValid() && field.CanInt() {
			field.SetInt(int64(8000 + n))
			text = fmt.Sprint(field)
		} else if field.IsValid() && field.Kind() == reflect.String {
			text = fmt.Sprintf("k%d", n)
			field.SetString(text)
		}
		if !taken[text] {
			taken[text] = true
			return
		}
	}
}

func fieldByJSON(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("json")
		if len(tag) >= len(name) && tag[:len(name)] == name && (len(tag) == len(name) || tag[len(name)] == ',') {
			return v.Field(i)
		}
		if v.Type().Field(i).Anonymous && v.Field(i).Kind() == reflect.Struct {
			if found := fieldByJSON(v.Field(i), name); found.IsValid() {
				return found
			}
		}
	}
	return reflect.Value{}
}

// special fills types with a form of their own, and says whether v is one.
func (m *Maker) special(v reflect.Value) bool {
	if !v.CanAddr() {
		return false
	}
	at := time.Date(2026, 1, 1+m.r.IntN(3), 0, 0, 0, 0, time.UTC)
	switch p := v.Addr().Interface().(type) {
	case *resource.Quantity:
		*p = resource.MustParse(pick(m, "0", "1", "100m", "0.5", "2Gi", "1e3"))
	case *metav1.Time:
		*p = metav1.Time{Time: at}
	case *metav1.MicroTime:
		*p = metav1.MicroTime{Time: at}
	case *metav1.Duration:
		p.Duration = time.Duration(m.r.IntN(3)) * time.Minute
	case *intstr.IntOrString:
		*p = pick(m, intstr.FromInt32(80), intstr.FromInt32(0), intstr.FromString("25%"), intstr.FromString("http"))
	case *runtime.RawExtension:
		p.Raw = []byte(pick(m, `{"a":1}`, `{"a":{"b":1}}`, `{"a":{"b":2},"c":[1]}`, `{}`, `[1]`, `"x"`))
	case *metav1.FieldsV1:
		p.SetRawBytes([]byte(`{"f:metadata":{}}`))
	case *metav1.ManagedFieldsEntry:
		*p = metav1.ManagedFieldsEntry{Manager: m.text()}
	case *any:
		*p = m.json(0)
	default:
		return false
	}
	return true
}

// JSON is a random document.
func (m *Maker) JSON() any { return m.json(0) }

func (m *Maker) json(depth int) any {
	n := 9
	if depth > 4 {
		n = 6
	}
	switch m.r.IntN(n) {
	case 0:
		if m.Nulls {
			return nil
		}
		return true
	case 1:
		return m.one(2)
	case 2:
		return pick(m, int64(0), 1, -7, 9007199254740993)
	case 3:
		return pick(m, 0.5, 1e300)
	case 4, 5:
		return m.text()
	case 6:
		list := make([]any, m.r.IntN(4))
		for i := range list {
			list[i] = m.json(depth + 1)
		}
		return list
	}
	object := map[string]any{}
	for range m.r.IntN(4) {
		object[pick(m, "name", "spec", "a", "b", "x/y", "m~n", "", "$patch")] = m.json(depth + 1)
	}
	return object
}

func (m *Maker) fill(v reflect.Value, mergeKey string, depth int) {
	if m.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.SetZero()
		if depth < deepest && m.one(2) {
			v.Set(reflect.New(v.Type().Elem()))
			m.fill(v.Elem(), "", depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && (depth < 2 || m.one(3)) {
				m.fill(v.Field(i), mergeKeyOf(field), depth+1)
			}
		}
	case reflect.Slice:
		m.fillSlice(v, mergeKey, depth)
	case reflect.Map:
		v.SetZero()
		if depth >= deepest || m.one(3) {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range m.r.IntN(4) {
			m.putKey(v, depth)
		}
	case reflect.String:
		v.SetString(m.text())
	case reflect.Bool:
		v.SetBool(m.one(2))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(pick(m, 0, 0.5, 2))
	default:
		switch {
		case v.CanInt():
			v.SetInt(pick[int64](m, 0, 1, 2, 80))
		case v.CanUint():
			v.SetUint(pick[uint64](m, 0, 1, 2, 80))
		}
	}
}

func (m *Maker) fillSlice(v reflect.Value, mergeKey string, depth int) {
	v.SetZero()
	if depth >= deepest || m.one(4) {
		return
	}
	n := m.r.IntN(4)
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		m.fill(v.Index(i), "", depth+1)
	}
	m.distinct(v, mergeKey)
}

// distinct gives the elements keys of their own, and lists of single values that are merged as sets different values.
func (m *Maker) distinct(v reflect.Value, mergeKey string) {
	if mergeKey == "" {
		return
	}
	taken := map[string]bool{}
	if mergeKey == setKey {
		for i := range v.Len() {
			for taken[v.Index(i).String()] && !m.Loose {
				v.Index(i).SetString(fmt.Sprintf("s%d", m.r.IntN(50)))
			}
			taken[v.Index(i).String()] = true
		}
		return
	}
	for i := range v.Len() {
		m.mergeKey(v.Index(i), mergeKey, taken)
	}
}

func (m *Maker) putKey(v reflect.Value, depth int) {
	value := reflect.New(v.Type().Elem()).Elem()
	m.fill(value, "", depth+1)
	key := reflect.New(v.Type().Key()).Elem()
	if key.Kind() == reflect.String {
		key.SetString(m.key())
	} else {
		m.fill(key, "", depth)
	}
	v.SetMapIndex(key, value)
}

// change changes one place in v.
func (m *Maker) change(v reflect.Value, mergeKey string, depth int) {
	if depth > 0 && m.one(12) || m.special(v) {
		m.fill(v, mergeKey, depth)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || m.one(6) {
			m.fill(v, mergeKey, depth)
			return
		}
		m.change(v.Elem(), "", depth+1)
	case reflect.Struct:
		for range 5 { // rather a field that has something
			i := m.r.IntN(v.NumField())
			field := v.Type().Field(i)
			if field.IsExported() && (!v.Field(i).IsZero() || m.one(4)) {
				m.change(v.Field(i), mergeKeyOf(field), depth+1)
				return
			}
		}
	case reflect.Slice:
		m.changeSlice(v, mergeKey, depth)
	case reflect.Map:
		keys := v.MapKeys()
		if v.IsNil() || len(keys) == 0 {
			m.fill(v, "", depth)
			return
		}
		key := pick(m, keys...)
		if m.one(3) {
			v.SetMapIndex(key, reflect.Value{})
			return
		}
		if m.one(2) {
			m.putKey(v, depth)
			return
		}
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(key))
		m.change(value, "", depth+1)
		v.SetMapIndex(key, value)
	default:
		m.fill(v, mergeKey, depth)
	}
}

func (m *Maker) changeSlice(v reflect.Value, mergeKey string, depth int) {
	n := v.Len()
	if n == 0 {
		m.fillSlice(v, mergeKey, depth)
		return
	}
	i := m.r.IntN(n)
	switch m.r.IntN(6) {
	case 0: // remove
		v.Set(reflect.AppendSlice(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, n), v.Slice(0, i)), v.Slice(i+1, n)))
	case 1: // add
		element := reflect.New(v.Type().Elem()).Elem()
		m.fill(element, "", depth+1)
		longer := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, n+1), v.Slice(0, i))
		v.Set(reflect.AppendSlice(reflect.Append(longer, element), v.Slice(i, n)))
		m.distinct(v, mergeKey)
	case 2: // swap
		j := m.r.IntN(n)
		a, b := v.Index(i).Interface(), v.Index(j).Interface()
		if a != nil && b != nil {
			v.Index(i).Set(reflect.ValueOf(b))
			v.Index(j).Set(reflect.ValueOf(a))
		}
	default:
		m.change(v.Index(i), "", depth+1)
	}
}
