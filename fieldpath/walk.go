package fieldpath

import (
	"fmt"
	"reflect"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// rootOf is what the steps of a path start from, given a pointer to the object: the object, or the map that it is kept in.
func rootOf(obj reflect.Value) (reflect.Value, error) {
	if !obj.IsValid() || obj.Kind() != reflect.Pointer || obj.IsNil() {
		return reflect.Value{}, fmt.Errorf("the object is nil: %w", ErrAbsent)
	}
	if jsontype.IsUnstructured(obj.Type().Elem()) {
		return reflect.ValueOf(jsontype.Content(obj.Elem())), nil
	}
	return obj.Elem(), nil
}

// lookup follows steps from v. The error wraps ErrAbsent and names the step that led nowhere.
func lookup(v reflect.Value, steps []Step) (reflect.Value, error) {
	for i, s := range steps {
		parent, ok := jsontype.Deref(v)
		if !ok {
			return v, fmt.Errorf("%s is nil: %w", spell(steps[:i]), ErrAbsent)
		}
		var err error
		if v, err = enter(parent, s); err != nil {
			return v, fmt.Errorf("%s: %w", spell(steps[:i+1]), err)
		}
	}
	return v, nil
}

// enter follows one step from v, which is no pointer and not nil.
func enter(v reflect.Value, s Step) (reflect.Value, error) {
	shape := jsontype.Of(v.Type())
	switch shape.Kind {
	case jsontype.Object:
		field, ok := shape.Field(s.Name)
		if !ok || s.Kind > KeyStep {
			break
		}
		inner, ok := field.Reach(v)
		if !ok {
			return inner, fmt.Errorf("its embedded struct is nil: %w", ErrAbsent)
		}
		return inner, nil
	case jsontype.Map:
		key, ok := jsontype.Key(v.Type().Key(), s.Name)
		if !ok || s.Kind > KeyStep {
			break
		}
		inner := v.MapIndex(key)
		if !inner.IsValid() {
			return inner, fmt.Errorf("there is no such key: %w", ErrAbsent)
		}
		return inner, nil
	case jsontype.List:
		i, err := indexIn(v, s)
		if err != nil {
			return reflect.Value{}, err
		}
		if i >= v.Len() {
			return reflect.Value{}, fmt.Errorf("the list has %d elements: %w", v.Len(), ErrAbsent)
		}
		return v.Index(i), nil
	}
	return reflect.Value{}, fmt.Errorf("a %s has no such part: %w", v.Type(), ErrAbsent)
}

// indexIn is the index that a step means in list v: its length for the place after the last.
func indexIn(v reflect.Value, s Step) (int, error) {
	switch s.Kind {
	case IndexStep:
		return s.Index, nil
	case EndStep:
		return v.Len(), nil
	case WhereStep:
		return indexWhere(v, s)
	}
	// A name inside an object without a Go type may be an index.
	if s.Name == "-" {
		return v.Len(), nil
	}
	if i, ok := arrayIndex(s.Name); ok {
		return i, nil
	}
	return 0, fmt.Errorf("a list has no member %q: %w", s.Name, ErrAbsent)
}

// indexWhere is the index of the first element of list v that a Where step means.
func indexWhere(v reflect.Value, s Step) (int, error) {
	v, ok := jsontype.Deref(v)
	if ok && jsontype.Of(v.Type()).Kind == jsontype.List {
		for i := range v.Len() {
			element, ok := jsontype.Deref(v.Index(i))
			if !ok {
				continue
			}
			member, err := enter(element, Step{Kind: KeyStep, Name: s.Name})
			if err != nil {
				continue
			}
			if member, ok = jsontype.Deref(member); ok && keyValue(member) == s.Value {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("no element has this %s: %w", s.Name, ErrAbsent)
}

// change is what is done at the end of a path: a value put there, or what is there removed.
type change struct {
	value  reflect.Value
	remove bool
}

// apply makes the change at the end of steps. v is addressable. Missing parents are made to put a value, and left alone to remove
// one.
func (c change) apply(v reflect.Value, steps []Step) error {
	if len(steps) == 0 {
		if c.remove {
			v.SetZero()
			return nil
		}
		return assign(v, c.value)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			if c.remove {
				return nil
			}
			v.Set(reflect.New(v.Type().Elem()))
		}
		return c.apply(v.Elem(), steps)
	case reflect.Interface:
		return c.applyInside(v, steps)
	}
	shape := jsontype.Of(v.Type())
	s := steps[0]
	switch {
	case shape.Kind == jsontype.Object && s.Kind <= KeyStep:
		return c.applyField(v, shape, steps)
	case shape.Kind == jsontype.Map && s.Kind <= KeyStep:
		return c.applyKey(v, steps)
	case shape.Kind == jsontype.List:
		return c.applyElement(v, steps)
	}
	return fmt.Errorf("%s: a %s has no such part", s, v.Type())
}

// applyInside changes what an interface holds: a copy of it, since it cannot be changed in place.
func (c change) applyInside(v reflect.Value, steps []Step) error {
	var content reflect.Value
	switch {
	case !v.IsNil():
		content = reflect.New(v.Elem().Type()).Elem()
		content.Set(v.Elem())
	case c.remove:
		return nil
	case v.NumMethod() > 0:
		return fmt.Errorf("%s: a nil %s: only its own type could be put there", steps[0], v.Type())
	case steps[0].Kind <= KeyStep:
		content = reflect.New(reflect.TypeFor[map[string]any]()).Elem()
	default:
		content = reflect.New(reflect.TypeFor[[]any]()).Elem()
	}
	if err := c.apply(content, steps); err != nil {
		return err
	}
	v.Set(content)
	return nil
}

func (c change) applyField(v reflect.Value, shape *jsontype.Type, steps []Step) error {
	field, ok := shape.Field(steps[0].Name)
	if !ok {
		return fmt.Errorf("%s: %s has no such field in its JSON", steps[0], v.Type())
	}
	if c.remove {
		inner, ok := field.Reach(v)
		if !ok {
			return nil
		}
		return c.apply(inner, steps[1:])
	}
	return c.apply(field.Settable(v), steps[1:])
}

func (c change) applyKey(v reflect.Value, steps []Step) error {
	key, ok := jsontype.Key(v.Type().Key(), steps[0].Name)
	if !ok {
		return fmt.Errorf("%s: not a key of %s", steps[0], v.Type())
	}
	entry := reflect.New(v.Type().Elem()).Elem()
	if found := v.MapIndex(key); found.IsValid() {
		entry.Set(found)
	} else if c.remove {
		return nil
	}
	if c.remove && len(steps) == 1 {
		v.SetMapIndex(key, reflect.Value{})
		return nil
	}
	if err := c.apply(entry, steps[1:]); err != nil {
		return fmt.Errorf("%s: %w", steps[0], err)
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(key, entry)
	return nil
}

func (c change) applyElement(v reflect.Value, steps []Step) error {
	s := steps[0]
	i, err := indexIn(v, s)
	missing := err != nil && s.Kind == WhereStep
	switch {
	case missing && c.remove:
		return nil
	case missing:
		i = v.Len()
	case err != nil:
		return err
	}
	if c.remove && (i >= v.Len() || len(steps) == 1) {
		return removeElement(v, i)
	}
	if i > v.Len() || (i == v.Len() && v.Kind() == reflect.Array) {
		return fmt.Errorf("%s: the list has %d elements: only the next one can be added", s, v.Len())
	}
	if i == v.Len() {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	}
	if missing {
		key := change{value: reflect.ValueOf(s.Value)}
		if err := key.apply(v.Index(i), []Step{{Kind: KeyStep, Name: s.Name}}); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if err := c.apply(v.Index(i), steps[1:]); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	if s.Kind == WhereStep && len(steps) == 1 {
		if at, err := indexWhere(v, s); err != nil || at != i {
			return fmt.Errorf("%s: the element put there has another %s", s, s.Name)
		}
	}
	return nil
}

func removeElement(v reflect.Value, i int) error {
	if i >= v.Len() {
		return nil
	}
	if v.Kind() == reflect.Array {
		return fmt.Errorf("[%d]: an array of %s has a fixed length", i, v.Type().Elem())
	}
	shorter := reflect.MakeSlice(v.Type(), 0, v.Len()-1)
	shorter = reflect.AppendSlice(shorter, v.Slice(0, i))
	v.Set(reflect.AppendSlice(shorter, v.Slice(i+1, v.Len())))
	return nil
}
