package fieldpath

import (
	"encoding/json"
	"fmt"
	"reflect"

	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// assign puts src into dst, converting only where nothing is lost: a value for a pointer to it and the reverse, between named and
// plain types of one kind, and between numbers that hold the same. A dst without a type of its own gets what JSON decoding would
// put there.
func assign(dst, src reflect.Value) error {
	src = unwrap(src)
	if !src.IsValid() {
		dst.SetZero()
		return nil
	}
	switch {
	case dst.Kind() == reflect.Interface && dst.NumMethod() == 0:
		native, err := native(src)
		if err != nil {
			return err
		}
		if native == nil {
			dst.SetZero()
			return nil
		}
		dst.Set(reflect.ValueOf(native))
		return nil
	case src.Type().AssignableTo(dst.Type()):
		dst.Set(deepCopy(src))
		return nil
	case dst.Kind() == reflect.Pointer:
		if src.Kind() == reflect.Pointer && src.IsNil() {
			dst.SetZero()
			return nil
		}
		made := reflect.New(dst.Type().Elem())
		if err := assign(made.Elem(), src); err != nil {
			return err
		}
		dst.Set(made)
		return nil
	case src.Kind() == reflect.Pointer:
		if src.IsNil() {
			dst.SetZero()
			return nil
		}
		return assign(dst, src.Elem())
	}
	return convert(dst, src)
}

func unwrap(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// convert puts src into dst when they differ in type but not in kind.
func convert(dst, src reflect.Value) error {
	refused := fmt.Errorf("a %s cannot hold a %s", dst.Type(), src.Type())
	switch {
	case isNumber(dst) && isNumber(src):
		converted := src.Convert(dst.Type())
		back := converted.Convert(src.Type())
		if !back.Equal(src) || (src.CanInt() && converted.CanUint() && src.Int() < 0) || (src.CanUint() && converted.CanInt() && converted.Int() < 0) {
			return fmt.Errorf("a %s cannot hold %v", dst.Type(), src)
		}
		dst.Set(converted)
		return nil
	case dst.Kind() == src.Kind() && src.CanConvert(dst.Type()):
		dst.Set(deepCopy(src).Convert(dst.Type()))
		return nil
	case jsontype.Of(src.Type()).Kind == jsontype.Map || jsontype.Of(src.Type()).Kind == jsontype.List:
		if src.Type() != reflect.TypeFor[map[string]any]() && src.Type() != reflect.TypeFor[[]any]() {
			return refused
		}
	default:
		return refused
	}
	data, err := json.Marshal(src.Interface())
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(data, dst.Addr().Interface())
	if err != nil || len(strict) > 0 {
		return fmt.Errorf("%w: %w", refused, firstOf(append(strict, err)...))
	}
	return nil
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// native is v as JSON decoding into an any would give it, integers as int64: the form that unstructured objects hold.
func native(v reflect.Value) (any, error) {
	v, ok := jsontype.Deref(v)
	if !ok {
		return nil, nil
	}
	switch shape := jsontype.Of(v.Type()); {
	case shape.Kind != jsontype.Scalar:
	case v.CanFloat():
		return v.Float(), nil
	default:
		if value := keyValue(v); value != nil {
			return value, nil
		}
	}
	data, err := json.Marshal(v.Interface())
	if err != nil {
		return nil, err
	}
	var decoded any
	err = kjson.UnmarshalCaseSensitivePreserveInts(data, &decoded)
	return decoded, err
}

// deepCopy copies v and all that it refers to, except through unexported fields: those belong to types such as times and
// quantities, which share what they never change.
func deepCopy(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		made := reflect.New(v.Type().Elem())
		made.Elem().Set(deepCopy(v.Elem()))
		return made.Convert(v.Type())
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		made := reflect.New(v.Type()).Elem()
		made.Set(deepCopy(v.Elem()))
		return made
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		made := reflect.MakeMapWithSize(v.Type(), v.Len())
		for each := v.MapRange(); each.Next(); {
			made.SetMapIndex(each.Key(), deepCopy(each.Value()))
		}
		return made
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		made := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			made.Index(i).Set(deepCopy(v.Index(i)))
		}
		return made
	case reflect.Struct:
		made := reflect.New(v.Type()).Elem()
		made.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && refers(v.Type().Field(i).Type) {
				made.Field(i).Set(deepCopy(v.Field(i)))
			}
		}
		return made
	case reflect.Array:
		made := reflect.New(v.Type()).Elem()
		for i := range v.Len() {
			made.Index(i).Set(deepCopy(v.Index(i)))
		}
		return made
	}
	return v
}

// refers says whether a value of type t may share memory when it is assigned.
func refers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Struct, reflect.Array:
		return true
	}
	return false
}
