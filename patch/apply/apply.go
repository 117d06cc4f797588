package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/internal/jsontype"
	"github.com/kubesdk/kubesdk/patch"
)

// ErrTestFailed is returned when a test operation of a JSON patch finds another value: the API server would refuse the patch.
var ErrTestFailed = errors.New("test failed")

// To returns a copy of obj as p makes it; obj is untouched. T is a pointer to an object type, *unstructured.Unstructured, or anything
// that stands for JSON; a []byte is taken as JSON itself. A strategic merge patch needs a T whose tags say how lists are merged.
func To[T any](obj T, p patch.Patch) (T, error) {
	var none T
	result, err := to(obj, p)
	if err != nil {
		return none, fmt.Errorf("apply a %s to a %s: %w", p.Type(), reflect.TypeFor[T](), err)
	}
	return result, nil
}

func to[T any](obj T, p patch.Patch) (T, error) {
	var result T
	data, err := p.Data()
	if err != nil {
		return result, err
	}
	doc, err := encode(obj)
	if err != nil {
		return result, err
	}
	if p.Type() == types.StrategicMergePatchType {
		t := reflect.TypeFor[T]()
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || jsontype.IsUnstructured(t) {
			return result, errors.New("a strategic merge patch needs a Go type whose tags tell how lists are merged")
		}
		patched, err := strategicpatch.StrategicMergePatch(doc, data, reflect.Zero(t).Interface())
		if err != nil {
			return result, err
		}
		return decode[T](patched)
	}
	patched, err := toJSON(doc, data, p.Type())
	if err != nil {
		return result, err
	}
	return decode[T](patched)
}

// toJSON applies a patch for which only JSON counts.
func toJSON(doc, data []byte, kind types.PatchType) ([]byte, error) {
	var target any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(doc, &target); err != nil {
		return nil, err
	}
	switch kind {
	case types.MergePatchType:
		var changes any
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &changes); err != nil {
			return nil, fmt.Errorf("read the patch: %w", err)
		}
		target = merged(target, changes)
	case types.JSONPatchType:
		var err error
		if target, err = operated(target, data); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("this kind of patch is the server's to apply")
	}
	return json.Marshal(target)
}

func encode(obj any) ([]byte, error) {
	if data, ok := obj.([]byte); ok {
		return data, nil
	}
	if v := reflect.ValueOf(obj); v.Kind() == reflect.Pointer && !v.IsNil() && jsontype.IsUnstructured(v.Type().Elem()) {
		return json.Marshal(jsontype.Content(v.Elem()))
	}
	return json.Marshal(obj)
}

func decode[T any](data []byte) (T, error) {
	var result T
	if raw, ok := any(&result).(*[]byte); ok {
		*raw = data
		return result, nil
	}
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer && jsontype.IsUnstructured(t.Elem()) {
		var content map[string]any
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &content); err != nil {
			return result, err
		}
		made := reflect.New(t.Elem())
		jsontype.SetContent(made.Elem(), content)
		return made.Interface().(T), nil //nolint:forcetypeassert // T is the pointer type that was made
	}
	err := kjson.UnmarshalCaseSensitivePreserveInts(data, &result)
	return result, err
}

// merged is RFC 7386's MergePatch.
func merged(target, changes any) any {
	members, ok := changes.(map[string]any)
	if !ok {
		return changes
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(object, name)
			continue
		}
		object[name] = merged(object[name], value)
	}
	return object
}
