package jsontype

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// candidate is a field that may become a member: encoding/json decides between those of one name.
type candidate struct {
	Field
	tagged bool
}

// structFields lists the members of struct t as encoding/json sees them: embedded structs without a name of their own are
// flattened, the shallowest of one name wins, then the one named by a tag, and a tie hides them all.
func structFields(t reflect.Type) []Field {
	type embedded struct {
		goType reflect.Type
		index  []int
	}
	var found []candidate
	level, seen := []embedded{{goType: t}}, map[reflect.Type]bool{}
	for len(level) > 0 {
		var next []embedded
		count := map[reflect.Type]int{}
		for _, e := range level {
			count[e.goType]++
		}
		for _, e := range level {
			if seen[e.goType] {
				continue
			}
			seen[e.goType] = true
			for i := range e.goType.NumField() {
				index := append(slices.Clone(e.index), i)
				c, inner, ok := examine(e.goType.Field(i), index)
				switch {
				case !ok:
				case inner != nil:
					next = append(next, embedded{inner, index})
				default:
					found = append(found, c)
					if count[e.goType] > 1 { // embedded twice at one depth: the copies hide each other
						found = append(found, c)
					}
				}
			}
		}
		level = next
	}
	return dominant(found)
}

// examine reads one struct field: a candidate, or the type of an embedded struct to look into.
func examine(sf reflect.StructField, index []int) (c candidate, inner reflect.Type, ok bool) {
	base := sf.Type
	if base.Name() == "" && base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	if sf.Anonymous {
		if !sf.IsExported() && base.Kind() != reflect.Struct {
			return c, nil, false
		}
	} else if !sf.IsExported() {
		return c, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return c, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	if name == "" && sf.Anonymous && base.Kind() == reflect.Struct {
		return c, base, true
	}
	c.tagged = name != ""
	if name == "" {
		name = sf.Name
	}
	c.Field = Field{Name: name, Go: sf.Type, Tag: sf.Tag, Index: index}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			c.OmitEmpty = true
		case "omitzero":
			c.OmitZero = true
			c.isZero = zeroTest(sf.Type)
		case "string":
			c.Quoted = quotable(base.Kind())
		}
	}
	return c, nil, true
}

func dominant(found []candidate) []Field {
	slices.SortStableFunc(found, func(a, b candidate) int {
		if c := cmp.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if c := cmp.Compare(len(a.Index), len(b.Index)); c != 0 {
			return c
		}
		switch {
		case a.tagged == b.tagged:
			return 0
		case a.tagged:
			return -1
		default:
			return 1
		}
	})
	var fields []Field
	for len(found) > 0 {
		same := 1
		for same < len(found) && found[same].Name == found[0].Name {
			same++
		}
		tie := same > 1 && len(found[0].Index) == len(found[1].Index) && found[0].tagged == found[1].tagged
		if !tie {
			fields = append(fields, found[0].Field)
		}
		found = found[same:]
	}
	return fields
}

// Value is the field's value in struct v, and whether the object has the member: it has not when the tag says to leave it out
// or when an embedded pointer on the way is nil. A value that is there may still be null.
func (f *Field) Value(v reflect.Value) (reflect.Value, bool) {
	v, ok := f.Reach(v)
	if !ok {
		return v, false
	}
	if f.OmitEmpty && empty(v) {
		return v, false
	}
	if f.OmitZero && f.isZero(v) {
		return v, false
	}
	return v, true
}

// Reach is the field's value in struct v whether JSON shows it or not. It is false only for a nil embedded pointer on the way.
func (f *Field) Reach(v reflect.Value) (reflect.Value, bool) {
	for i, x := range f.Index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, true
}

// Settable is the field of struct v for writing: embedded pointers on the way are allocated. v must be addressable.
func (f *Field) Settable(v reflect.Value) reflect.Value {
	for i, x := range f.Index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Bool, reflect.Interface, reflect.Pointer,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		return v.IsZero()
	}
	return false
}

// zeroTest is what omitzero asks of a value of type t: its IsZero method, else Go's zero.
func zeroTest(t reflect.Type) func(reflect.Value) bool {
	ask := func(v reflect.Value) bool {
		return v.Interface().(interface{ IsZero() bool }).IsZero() //nolint:forcetypeassert // asked only of types that implement it
	}
	switch {
	case t.Kind() == reflect.Interface && t.Implements(zeroer):
		return func(v reflect.Value) bool {
			return v.IsNil() || (v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil()) || ask(v)
		}
	case t.Kind() == reflect.Pointer && t.Implements(zeroer):
		return func(v reflect.Value) bool { return v.IsNil() || ask(v) }
	case t.Implements(zeroer):
		return ask
	case reflect.PointerTo(t).Implements(zeroer):
		return func(v reflect.Value) bool {
			if !v.CanAddr() {
				boxed := reflect.New(v.Type()).Elem()
				boxed.Set(v)
				v = boxed
			}
			return ask(v.Addr())
		}
	}
	return reflect.Value.IsZero
}

func quotable(k reflect.Kind) bool {
	return k == reflect.String || (k >= reflect.Bool && k <= reflect.Float64)
}

// validName says whether encoding/json takes a tag's name as a name.
func validName(name string) bool {
	if name == "" {
		return false
	}
	for _, r := range name {
		if strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) || unicode.IsLetter(r) || unicode.IsDigit(r) {
			continue
		}
		return false
	}
	return true
}
