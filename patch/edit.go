package patch

import (
	"reflect"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// editor writes the JSON patch (RFC 6902) that turns one value into another: operations, each on the object as the ones before have
// left it.
//
// What is compared are Go values. Where a Go value does not tell whether the server's object has the member (a struct that is all
// zero, an empty map), the editor adds the member whole and notes that it was not sure.
type editor struct {
	writer
	guarded    bool
	ignore     *ignored
	operations int
	unsure     bool
}

// operation writes one operation at the current path; value, where there is one, writes what goes with it.
func (e *editor) operation(name string, value func()) {
	e.text(`{"op":"` + name + `","path":`)
	e.string(string(e.path))
	if value != nil {
		e.text(`,"value":`)
		value()
	}
	e.text("},")
	e.operations++
}

func (e *editor) put(name string, t *jsontype.Type, v reflect.Value) {
	e.operation(name, func() { e.value(t, v) })
}

func (e *editor) remove() { e.operation("remove", nil) }

// testAbsent writes the test that nobody has put something here meanwhile. RFC 6902 has no such test; to the API server, as to
// package apply, a member that is not there tests equal to null.
func (e *editor) testAbsent() {
	if e.guarded {
		e.operation("test", func() { e.text("null") })
	}
}

// change edits a into b at the current path. Neither is null.
func (e *editor) change(t *jsontype.Type, a, b reflect.Value, ig *ignored) {
	switch t.Kind {
	case jsontype.Object:
		e.objectChange(t, a, b, ig)
	case jsontype.Map:
		e.mapChange(t, a, b, ig)
	case jsontype.List:
		if !equal(t, a, b) {
			e.listChange(t, "", a, b)
		}
	case jsontype.Raw:
		e.rawChange(a, b, ig)
	case jsontype.Any:
		if same := jsontype.Of(a.Type()); a.Type() == b.Type() && same.Kind != jsontype.Raw {
			e.change(same, a, b, ig)
		} else {
			e.rawChange(a, b, ig)
		}
	default:
		if !equal(t, a, b) {
			e.put("replace", t, b)
		}
	}
}

func (e *editor) objectChange(t *jsontype.Type, a, b reflect.Value, ig *ignored) {
	for i := range t.Fields {
		field := &t.Fields[i]
		if sub, skip := ig.enter(field.Name); !skip {
			back := e.enter(field.Name)
			e.fieldChange(field, a, b, sub)
			e.leave(back)
		}
	}
}

// fieldChange edits a's field into b's. A null and a field that is not there are the same.
func (e *editor) fieldChange(field *jsontype.Field, a, b reflect.Value, ig *ignored) {
	t := field.Type
	if t.Kind == jsontype.Raw && sameRawField(field, a, b) {
		return
	}
	av, aok := shown(field, a)
	bv, bok := shown(field, b)
	switch {
	case !aok && !bok:
	case !bok:
		e.fieldGone(field, av)
	case !aok:
		e.fieldNew(field, a, bv)
	case field.Quoted || sometimesShown(field, av):
		if !same(t, av, bv) {
			e.unsure = e.unsure || t.Kind == jsontype.Object
			e.operation("add", func() { e.field(field, bv) })
		}
	case t.Kind == jsontype.List:
		if !equal(t, av, bv) {
			e.listChange(t, field.Tag.Get("patchMergeKey"), av, bv)
		}
	default:
		e.change(t, av, bv, ig)
	}
}

// sometimesShown says whether the server's object may lack the field, although Go always shows it: it is zero and no pointer.
func sometimesShown(field *jsontype.Field, v reflect.Value) bool {
	switch field.Go.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return false
	}
	return v.IsZero()
}

// fieldGone takes a field away. A map or list that was emptied loses what it had one by one, so that what someone else adds
// meanwhile stays or is noticed.
func (e *editor) fieldGone(field *jsontype.Field, a reflect.Value) {
	switch {
	case field.Go.Kind() == reflect.Map && field.Type.Kind == jsontype.Map:
		e.mapChange(field.Type, a, reflect.Zero(field.Type.Go), nil)
	case field.Go.Kind() == reflect.Slice && field.Type.Kind == jsontype.List && e.guarded:
		e.listChange(field.Type, field.Tag.Get("patchMergeKey"), a, reflect.Zero(field.Type.Go))
		e.operation("test", func() { e.text("[]") })
		e.remove()
	default:
		e.remove()
	}
}

// fieldNew adds a field that a does not show.
func (e *editor) fieldNew(field *jsontype.Field, a, b reflect.Value) {
	if old, ok := field.Reach(a); ok && nested(field.Type, b) {
		switch old.Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
			if old.IsNil() {
				e.testAbsent()
				break
			}
			e.unsure = true
		default:
			e.unsure = true
		}
	}
	e.operation("add", func() { e.field(field, b) })
}

// mapChange edits map a into b. Nulls count here: a key with one is not the same as no key.
func (e *editor) mapChange(t *jsontype.Type, a, b reflect.Value, ig *ignored) {
	if ig == nil && equalMaps(t, a, b) {
		return
	}
	for _, key := range sortedKeys(a, b) {
		if sub, skip := ig.enter(key.name); !skip {
			back := e.enter(key.name)
			e.entryChange(t, a.MapIndex(key.value), b.MapIndex(key.value), sub)
			e.leave(back)
		}
	}
}

func (e *editor) entryChange(t *jsontype.Type, a, b reflect.Value, ig *ignored) {
	switch {
	case !a.IsValid():
		if nested(t.Elem, b) {
			e.testAbsent()
		}
		e.operation("add", func() { e.entryValue(t, b) })
	case !b.IsValid():
		e.testWhole(t.Elem, a)
		e.remove()
	case sameEntry(t, a, b):
	case null(t.Elem, a) || null(t.Elem, b):
		e.testWhole(t.Elem, a)
		e.operation("replace", func() { e.entryValue(t, b) })
	case t.Elem.Kind == jsontype.Raw:
		e.rawChange(a, b, ig)
	default:
		a, _ = jsontype.Deref(a)
		b, _ = jsontype.Deref(b)
		e.change(t.Elem, a, b, ig)
	}
}

// testWhole guards an object or a list without a Go type that is about to go: it must still be what it was.
func (e *editor) testWhole(t *jsontype.Type, v reflect.Value) {
	if e.guarded && t.Kind == jsontype.Any && nested(t, v) {
		e.put("test", t, v)
	}
}

// rawChange edits values that marshal themselves, or that differ in Go's type.
func (e *editor) rawChange(a, b reflect.Value, ig *ignored) {
	if sameRaw(a, b) {
		return
	}
	aj, err := marshaled(a)
	e.fail(err)
	bj, err := marshaled(b)
	e.fail(err)
	if e.err != nil {
		return
	}
	av, bv := decoded(&e.writer, aj), decoded(&e.writer, bj)
	switch {
	case reflect.DeepEqual(av, bv):
	case reflect.TypeOf(av) == reflect.TypeOf(bv):
		t := jsontype.Of(reflect.TypeOf(av))
		e.change(t, reflect.ValueOf(av), reflect.ValueOf(bv), ig)
	default:
		e.testWhole(anything, reflect.ValueOf(&av).Elem())
		e.put("replace", anything, reflect.ValueOf(&bv).Elem())
	}
}

var anything = jsontype.Of(reflect.TypeFor[any]())
