package fieldpath

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// Get returns the value of the field in obj. It returns [ErrAbsent] when the path ends early: a nil parent, a list too short, a
// key or an element that is not there. A field that is there and unset has its zero value: nil for a pointer. The value shares
// memory with obj.
func Get[T, F any](obj *T, p Path[T, F]) (F, error) {
	var value F
	err := p.Err()
	if err != nil {
		return value, err
	}
	found, err := rootOf(reflect.ValueOf(obj))
	if err == nil {
		found, err = lookup(found, p.r.steps)
	}
	if err == nil {
		err = read(reflect.ValueOf(&value).Elem(), found)
	}
	if err != nil {
		return value, fmt.Errorf("fieldpath: get %s of %s: %w", p, p.Root(), err)
	}
	return value, nil
}

// read puts what was found into dst, the field's type or what it points to.
func read(dst, found reflect.Value) error {
	switch {
	case found.Type().AssignableTo(dst.Type()):
		dst.Set(found)
		return nil
	case dst.Kind() == reflect.Pointer:
		return assign(dst, found)
	}
	value := found
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		if value.IsNil() {
			return fmt.Errorf("it is nil: %w", ErrAbsent)
		}
		value = value.Elem()
	}
	if value.Type().AssignableTo(dst.Type()) {
		dst.Set(value)
		return nil
	}
	return assign(dst, value)
}

// Has says whether obj has the field set: whether it is in obj's JSON and not null. The error is that of a path that cannot be
// used.
func Has[T, F any](obj *T, p Path[T, F]) (bool, error) {
	if err := p.Err(); err != nil {
		return false, err
	}
	if obj == nil {
		return false, nil
	}
	root, err := rootOf(reflect.ValueOf(obj))
	return err == nil && shown(root, p.r.steps), err
}

// shown says whether the value at the end of steps is in v's JSON.
func shown(v reflect.Value, steps []Step) bool {
	for _, s := range steps {
		parent, ok := jsontype.Deref(v)
		if !ok {
			return false
		}
		if v, ok = shownIn(parent, s); !ok {
			return false
		}
	}
	v, ok := jsontype.Deref(v)
	if !ok || jsontype.Of(v.Type()).Kind != jsontype.Raw {
		return ok
	}
	data, err := json.Marshal(v.Interface())
	return err == nil && string(data) != "null"
}

func shownIn(v reflect.Value, s Step) (reflect.Value, bool) {
	if shape := jsontype.Of(v.Type()); shape.Kind == jsontype.Object {
		field, ok := shape.Field(s.Name)
		if !ok {
			return v, false
		}
		return field.Value(v)
	}
	inner, err := enter(v, s)
	return inner, err == nil
}

// Set returns a deep copy of obj in which the field has the given value; obj itself is untouched. Missing parents are made, an
// element at the end of a list or at [End] is added, and so is the element that a [Where] names. An index further out is an error.
// What the path does not name stays as it is.
func Set[T, F any](obj *T, p Path[T, F], value F) (*T, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	if obj == nil {
		return nil, fmt.Errorf("fieldpath: set %s of %s: the object is nil", p, p.Root())
	}
	changed := copyOf(obj)
	if err := (change{value: reflect.ValueOf(&value).Elem()}).in(reflect.ValueOf(changed), p.r.steps); err != nil {
		return nil, fmt.Errorf("fieldpath: set %s of %s: %w", p, p.Root(), err)
	}
	return changed, nil
}

// in makes the change in the object that obj points to.
func (c change) in(obj reflect.Value, steps []Step) error {
	if !jsontype.IsUnstructured(obj.Type().Elem()) {
		return c.apply(obj.Elem(), steps)
	}
	content := jsontype.Content(obj.Elem())
	if err := c.apply(reflect.ValueOf(&content).Elem(), steps); err != nil {
		return err
	}
	jsontype.SetContent(obj.Elem(), content)
	return nil
}

// Take returns a deep copy of base in which every path holds what it holds in from, absence included; base and from are
// untouched. O is a pointer to the type that the paths start from.
//
//	next, err := fieldpath.Take(fetched, edited, labels, replicas) // fetched, with the labels and replicas of edited
func Take[O any](base, from O, paths ...Any) (O, error) {
	var none O
	to := reflect.ValueOf(base)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return none, fmt.Errorf("fieldpath: take into a %T: want a pointer to an object", base)
	}
	source, err := rootOf(reflect.ValueOf(from))
	if err != nil {
		return none, fmt.Errorf("fieldpath: take from a %T: %w", from, err)
	}
	for _, p := range paths {
		err := p.Err()
		if err == nil && p.Root() != to.Type().Elem() {
			err = fmt.Errorf("fieldpath: %s is a path into %s, not %s", p, p.Root(), to.Type().Elem())
		}
		if err != nil {
			return none, err
		}
	}
	result := copyOf(base)
	if err := take(reflect.ValueOf(result), source, paths); err != nil {
		return none, err
	}
	return result, nil
}

// take puts what is there into to first, and then removes what is absent, elements from the last to the first so that those
// removed by index do not shift those still to be removed.
func take(to, source reflect.Value, paths []Any) error {
	var absent []Any
	for _, p := range paths {
		value, err := lookup(source, p.way().steps)
		if errors.Is(err, ErrAbsent) {
			absent = append(absent, p)
			continue
		}
		if err := (change{value: value}).in(to, p.way().steps); err != nil {
			return fmt.Errorf("fieldpath: take %s of %s: %w", p, p.Root(), err)
		}
	}
	slices.SortStableFunc(absent, func(a, b Any) int { return backwards(a.way().steps, b.way().steps) })
	for _, p := range absent {
		if err := (change{remove: true}).in(to, p.way().steps); err != nil {
			return fmt.Errorf("fieldpath: take the absence of %s of %s: %w", p, p.Root(), err)
		}
	}
	return nil
}

// backwards orders paths so that of two into one list, the later index comes first.
func backwards(a, b []Step) int {
	return slices.CompareFunc(b, a, func(x, y Step) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Index, y.Index))
	})
}

// copyOf is a deep copy of obj, by its own DeepCopy where it has one.
func copyOf[O any](obj O) O {
	if own, ok := any(obj).(interface{ DeepCopy() O }); ok {
		return own.DeepCopy()
	}
	return deepCopy(reflect.ValueOf(obj)).Interface().(O) //nolint:forcetypeassert // a deep copy has the type of what it copies
}
