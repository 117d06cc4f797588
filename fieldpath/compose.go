package fieldpath

import (
	"fmt"
	"reflect"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// Key is the path to one entry of a map:
//
//	labels := fieldpath.Of(cm, &cm.Labels)
//	team := fieldpath.Key(labels, "example.com/team") // Path[corev1.ConfigMap, string]
func Key[T any, M ~map[K]V, K ~string, V any](p Path[T, M], key K) Path[T, V] {
	return extend[T, V](p.way(), Step{Kind: KeyStep, Name: string(key)})
}

// Index is the path to the element of a list at index i, counted from 0. A negative index is an error in the path.
func Index[T any, L ~[]E, E any](p Path[T, L], i int) Path[T, E] {
	if i < 0 && p.Err() == nil {
		return Path[T, E]{&route{err: fmt.Errorf("fieldpath: index %d of %s in %s: an index counts from 0", i, p, p.Root())}}
	}
	return extend[T, E](list(p.way(), p.Type()), Step{Kind: IndexStep, Index: i})
}

// End is the place after the last element of a list, "-" in a JSON Pointer: adding there appends.
func End[T any, L ~[]E, E any](p Path[T, L]) Path[T, E] {
	return extend[T, E](list(p.way(), p.Type()), Step{Kind: EndStep})
}

// Where is the path to the element of a list whose member key has the given value, wherever in the list it is:
//
//	containers := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
//	nginx := fieldpath.Where(containers, "name", "nginx") // Path[appsv1.Deployment, corev1.Container]
//
// key is the member's name in JSON. A key that the elements do not have, or that takes another type of value, is an error in the
// path.
func Where[T any, L ~[]E, E any, V ~string | ~bool | ~int | ~int32 | ~int64](p Path[T, L], key string, value V) Path[T, E] {
	step := Step{Kind: WhereStep, Name: key, Value: keyValue(reflect.ValueOf(value))}
	if err := p.Err(); err != nil {
		return Path[T, E]{p.way()}
	}
	if _, err := elementType(reflect.TypeFor[L](), step); err != nil {
		return Path[T, E]{&route{err: fmt.Errorf("fieldpath: %s%s in %s: %w", p, step, p.Root(), err)}}
	}
	return extend[T, E](p.way(), step)
}

// Join is the path that follows a and then b.
func Join[T, M, F any](a Path[T, M], b Path[M, F]) Path[T, F] {
	if b.Err() != nil {
		return extend[T, F](&route{err: firstOf(a.Err(), b.Err())})
	}
	return extend[T, F](a.way(), b.way().steps...)
}

// Resolve is p with every [Where] step replaced by the index that the element has in obj. It returns [ErrAbsent] when there is
// no such element.
func Resolve[T, F any](obj *T, p Path[T, F]) (Path[T, F], error) {
	if err := p.Err(); err != nil {
		return p, err
	}
	steps := p.Steps()
	for i, s := range steps {
		if s.Kind != WhereStep {
			continue
		}
		list, err := rootOf(reflect.ValueOf(obj))
		if err == nil {
			list, err = lookup(list, steps[:i])
		}
		if err == nil {
			steps[i].Index, err = indexWhere(list, s)
			steps[i].Kind = IndexStep
		}
		if err != nil {
			return Path[T, F]{&route{err: fmt.Errorf("fieldpath: resolve %s in %s: %w", p, p.Root(), err)}}, fmt.Errorf("fieldpath: resolve %s in %s: %w", p, p.Root(), err)
		}
		steps[i].Name, steps[i].Value = "", nil
	}
	return Path[T, F]{&route{steps: steps}}, nil
}

func extend[T, F any](r *route, more ...Step) Path[T, F] {
	if r.err != nil {
		return Path[T, F]{r}
	}
	steps := make([]Step, 0, len(r.steps)+len(more))
	return Path[T, F]{&route{steps: append(append(steps, r.steps...), more...)}}
}

// list is r when t is a list in JSON, and else says that it is not: []byte is a string.
func list(r *route, t reflect.Type) *route {
	if r.err == nil && jsontype.Of(t).Kind != jsontype.List {
		return &route{err: fmt.Errorf("fieldpath: an element of %s: %s is one value in JSON: no path leads into it", spell(r.steps), t)}
	}
	return r
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// elementType is the type that a step leads to from type t, or why it cannot.
func elementType(t reflect.Type, s Step) (reflect.Type, error) {
	shape := jsontype.Of(t)
	if jsontype.IsUnstructured(shape.Go) || shape.Kind == jsontype.Any {
		return reflect.TypeFor[any](), nil
	}
	switch s.Kind {
	case FieldStep:
		if shape.Kind != jsontype.Object {
			break
		}
		field, ok := shape.Field(s.Name)
		if !ok {
			return nil, fmt.Errorf("%s has no field %q in its JSON", shape.Go, s.Name)
		}
		return field.Go, nil
	case KeyStep:
		if shape.Kind != jsontype.Map {
			break
		}
		if _, ok := jsontype.Key(shape.Go.Key(), s.Name); !ok {
			return nil, fmt.Errorf("%q is not a key of %s", s.Name, shape.Go)
		}
		return shape.Go.Elem(), nil
	default:
		if shape.Kind != jsontype.List {
			break
		}
		if s.Kind == WhereStep {
			if err := checkKey(shape.Elem, s); err != nil {
				return nil, err
			}
		}
		return shape.Go.Elem(), nil
	}
	return nil, fmt.Errorf("%s: %s is %s", s, shape.Go, kindNames[shape.Kind])
}

var kindNames = map[jsontype.Kind]string{
	jsontype.Scalar: "a single value",
	jsontype.Bytes:  "a string in JSON",
	jsontype.Object: "an object: name a field",
	jsontype.Map:    "a map: name a key",
	jsontype.List:   "a list: give an index or a key and its value",
	jsontype.Raw:    "one value in JSON: no path leads into it",
}

// checkKey says whether elements of the given shape can be told apart by the key of a Where step.
func checkKey(element *jsontype.Type, s Step) error {
	switch element.Kind {
	case jsontype.Any:
		return nil
	case jsontype.Map:
		element = element.Elem
	case jsontype.Object:
		field, ok := element.Field(s.Name)
		if !ok {
			return fmt.Errorf("%s has no field %q in its JSON", element.Go, s.Name)
		}
		element = field.Type
	default:
		return fmt.Errorf("elements are %s, which has no field %q", element.Go, s.Name)
	}
	switch {
	case element.Kind == jsontype.Any:
		return nil
	case element.Kind == jsontype.Scalar && keyKind(reflect.New(element.Go).Elem()) == keyKind(reflect.ValueOf(s.Value)):
		return nil
	}
	return fmt.Errorf("%s is a %s, the value %v a %T", s.Name, element.Go, s.Value, s.Value)
}

// keyKind tells apart what a Where step can compare: strings, integers, booleans, and the rest.
func keyKind(v reflect.Value) reflect.Kind {
	switch {
	case v.CanInt(), v.CanUint():
		return reflect.Int64
	case v.Kind() == reflect.String, v.Kind() == reflect.Bool:
		return v.Kind()
	}
	return reflect.Invalid
}

// keyValue is a scalar in the form that Step.Value has, or nil.
func keyValue(v reflect.Value) any {
	switch {
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return int64(v.Uint())
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	}
	return nil
}
