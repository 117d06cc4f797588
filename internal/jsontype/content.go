package jsontype

import "reflect"

// unstructured is what *unstructured.Unstructured offers: an object kept as maps.
type unstructured interface {
	UnstructuredContent() map[string]any
	SetUnstructuredContent(map[string]any)
}

var unstructuredType = reflect.TypeFor[unstructured]()

// IsUnstructured says whether *t keeps its object as maps, as *unstructured.Unstructured does.
func IsUnstructured(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(unstructuredType)
}

// Content is the map that an addressable v of an IsUnstructured type keeps.
func Content(v reflect.Value) map[string]any {
	return v.Addr().Interface().(unstructured).UnstructuredContent() //nolint:forcetypeassert // IsUnstructured says it is one
}

// SetContent replaces the map that an addressable v of an IsUnstructured type keeps.
func SetContent(v reflect.Value, content map[string]any) {
	v.Addr().Interface().(unstructured).SetUnstructuredContent(content) //nolint:forcetypeassert // IsUnstructured says it is one
}
