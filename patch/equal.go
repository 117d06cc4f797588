package patch

import (
	"bytes"
	"maps"
	"reflect"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// same says whether a and b, of a type with shape t, are the same in JSON. Either may be nil, which is null.
func same(t *jsontype.Type, a, b reflect.Value) bool {
	if t.Kind == jsontype.Raw {
		return sameRaw(a, b)
	}
	a, aok := jsontype.Deref(a)
	b, bok := jsontype.Deref(b)
	if !aok || !bok {
		return aok == bok
	}
	return equal(t, a, b)
}

// equal is same for values that are neither pointers nor nil.
func equal(t *jsontype.Type, a, b reflect.Value) bool {
	switch t.Kind {
	case jsontype.Object:
		return equalObjects(t, a, b)
	case jsontype.Map:
		return equalMaps(t, a, b)
	case jsontype.List:
		return equalLists(t, a, b)
	case jsontype.Bytes:
		return bytes.Equal(a.Bytes(), b.Bytes())
	case jsontype.Raw:
		return sameRaw(a, b)
	case jsontype.Any:
		if a.Type() == b.Type() {
			return same(jsontype.Of(a.Type()), a, b)
		}
		return sameJSON(a, b)
	}
	return equalScalars(a, b)
}

func equalScalars(a, b reflect.Value) bool {
	switch {
	case a.Kind() == reflect.String:
		return a.String() == b.String()
	case a.CanInt():
		return a.Int() == b.Int()
	case a.CanUint():
		return a.Uint() == b.Uint()
	case a.CanFloat():
		return a.Float() == b.Float()
	}
	return a.Bool() == b.Bool()
}

func equalObjects(t *jsontype.Type, a, b reflect.Value) bool {
	if a.CanAddr() && b.CanAddr() && a.Addr().Pointer() == b.Addr().Pointer() {
		return true
	}
	for i := range t.Fields {
		field := &t.Fields[i]
		av, aok := field.Value(a)
		bv, bok := field.Value(b)
		switch {
		case !aok && !bok:
		case aok && bok:
			if !same(field.Type, av, bv) {
				return false
			}
		case aok && !null(field.Type, av), bok && !null(field.Type, bv):
			return false
		}
	}
	return true
}

// null says whether v is null in JSON. In a struct that is the same as not being there.
func null(t *jsontype.Type, v reflect.Value) bool {
	v, ok := jsontype.Deref(v)
	if !ok || t.Kind != jsontype.Raw {
		return !ok
	}
	data, err := marshal(v)
	return err == nil && string(data) == "null"
}

func equalMaps(t *jsontype.Type, a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	if a.Pointer() == b.Pointer() {
		return true
	}
	if t.Go == plainMap {
		return maps.Equal(a.Interface().(map[string]string), b.Interface().(map[string]string)) //nolint:forcetypeassert // t says so
	}
	for each := a.MapRange(); each.Next(); {
		other := b.MapIndex(each.Key())
		if !other.IsValid() || !sameEntry(t, each.Value(), other) {
			return false
		}
	}
	return true
}

var plainMap = reflect.TypeFor[map[string]string]()

// sameEntry is same for entries of a map, where no bytes are an empty string and not null.
func sameEntry(t *jsontype.Type, a, b reflect.Value) bool {
	if t.Elem.Kind == jsontype.Bytes && a.Kind() == reflect.Slice && b.Kind() == reflect.Slice {
		return bytes.Equal(a.Bytes(), b.Bytes())
	}
	return same(t.Elem, a, b)
}

func equalLists(t *jsontype.Type, a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	if a.Kind() == reflect.Slice && a.Len() > 0 && a.Pointer() == b.Pointer() {
		return true
	}
	for i := range a.Len() {
		if !same(t.Elem, a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

// sameRaw compares values that marshal themselves. Equal ones marshal alike; unequal ones may still do, such as two times.
func sameRaw(a, b reflect.Value) bool {
	a, aok := jsontype.Deref(a)
	b, bok := jsontype.Deref(b)
	if aok && bok && a.Type() == b.Type() {
		if a.Comparable() {
			if a.Equal(b) {
				return true
			}
		} else if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return true
		}
	}
	return sameJSON(a, b)
}

// sameJSON compares what the values marshal to. What cannot be marshaled is never the same, so that writing it reports why.
func sameJSON(a, b reflect.Value) bool {
	aj, err := marshaled(a)
	if err != nil {
		return false
	}
	bj, err := marshaled(b)
	return err == nil && bytes.Equal(aj, bj)
}

// marshaled is v's JSON, null for nil.
func marshaled(v reflect.Value) ([]byte, error) {
	v, ok := jsontype.Deref(v)
	if !ok && (!v.IsValid() || (v.Kind() != reflect.Map && v.Kind() != reflect.Slice)) {
		return []byte("null"), nil
	}
	return marshal(v)
}
