package patch

import (
	"bytes"
	"reflect"

	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// merger writes the merge patch, strategic or of RFC 7386, that turns one value into another.
type merger struct {
	writer
	strategic bool
	ignore    *ignored
	metadata  int // where the members of the object's metadata begin in buf, 0 if they are not in it
}

// mark is where a member began, for finish.
type mark struct{ buf, path int }

// open begins the member called name.
func (m *merger) open(name string) mark {
	at := mark{buf: len(m.buf), path: m.enter(name)}
	m.string(name)
	m.text(":")
	return at
}

// finish ends a member, or takes it back when nothing changed in it.
func (m *merger) finish(at mark, changed bool) {
	m.leave(at.path)
	if changed {
		m.text(",")
		return
	}
	m.buf = m.buf[:at.buf]
}

// root writes the patch for the whole object.
func (m *merger) root(t *jsontype.Type, a, b reflect.Value) {
	if !m.change(t, strategy{}, a, b, m.ignore) {
		m.text("{}")
	}
}

// change writes the patch that turns a into b, and whether there is any. Neither is null.
func (m *merger) change(t *jsontype.Type, how strategy, a, b reflect.Value, ig *ignored) bool {
	switch t.Kind {
	case jsontype.Object:
		if how.replace {
			return m.replaced(t, a, b)
		}
		return m.objectChange(t, how, a, b, ig)
	case jsontype.Map:
		return m.mapChange(t, a, b, ig)
	case jsontype.Raw:
		return m.rawChange(a, b, ig)
	case jsontype.Any:
		return m.anyChange(a, b, ig)
	}
	return m.replaced(t, a, b)
}

// replaced writes b as a whole unless it equals a.
func (m *merger) replaced(t *jsontype.Type, a, b reflect.Value) bool {
	if equal(t, a, b) {
		return false
	}
	if m.strategic && t.Kind == jsontype.List && t.Elem.Kind == jsontype.List {
		m.cannot("a list of lists")
	}
	m.value(t, b)
	return true
}

func (m *merger) objectChange(t *jsontype.Type, how strategy, a, b reflect.Value, ig *ignored) bool {
	start := len(m.buf)
	m.text("{")
	if string(m.path) == "/metadata" {
		m.metadata = len(m.buf)
	}
	for i := range t.Fields {
		field := &t.Fields[i]
		if sub, skip := ig.enter(field.Name); !skip {
			m.fieldChange(field, a, b, sub)
		}
	}
	if m.nothing(start) {
		return false
	}
	if how.retainKeys {
		m.retainKeys(t, b)
	}
	m.closed('}')
	return true
}

// fieldChange writes the member that turns a's field into b's, if they differ. A null and a field that is not there are the same.
func (m *merger) fieldChange(field *jsontype.Field, a, b reflect.Value, ig *ignored) {
	t := field.Type
	if t.Kind == jsontype.Raw && sameRawField(field, a, b) {
		return
	}
	av, aok := shown(field, a)
	bv, bok := shown(field, b)
	if !aok && !bok {
		return
	}
	var how strategy
	if m.strategic {
		how = strategyOf(field)
	}
	if how.merge && t.Kind == jsontype.List && (bok || field.Go.Kind() == reflect.Slice) {
		m.mergedList(field, how, av, aok, bv, bok)
		return
	}
	at := m.open(field.Name)
	changed := true
	switch {
	case aok && bok && field.Quoted:
		if changed = !equal(t, av, bv); changed {
			m.field(field, bv)
		}
	case aok && bok:
		changed = m.change(t, how, av, bv, ig)
	case bok:
		m.field(field, bv)
	case field.Go.Kind() == reflect.Map:
		// Emptied: key by key, so that a key which someone else adds meanwhile stays.
		changed = m.change(t, how, av, reflect.Zero(t.Go), ig)
	default:
		m.removed(t)
	}
	m.finish(at, changed)
}

// removed writes the null that takes a member away.
func (m *merger) removed(t *jsontype.Type) {
	if t.Kind == jsontype.List {
		m.lists = true
	}
	m.text("null")
}

// sameRawField is a quick test for fields whose value marshals itself: it saves asking whether they are null.
func sameRawField(field *jsontype.Field, a, b reflect.Value) bool {
	av, aok := field.Value(a)
	bv, bok := field.Value(b)
	return aok == bok && (!aok || sameRaw(av, bv))
}

// shown is a field's value without pointers, and whether it is in the object's JSON and not null.
func shown(field *jsontype.Field, v reflect.Value) (reflect.Value, bool) {
	v, ok := field.Value(v)
	if !ok {
		return v, false
	}
	if field.Type.Kind == jsontype.Raw {
		return v, !null(field.Type, v)
	}
	return jsontype.Deref(v)
}

// mapChange writes the changes from map a to map b. Nulls count here: a key with one is not the same as no key.
func (m *merger) mapChange(t *jsontype.Type, a, b reflect.Value, ig *ignored) bool {
	if ig == nil && equalMaps(t, a, b) {
		return false
	}
	if m.strategic && m.nestedChange(t, a, b) {
		m.replacedMap(t, b)
		return true
	}
	start := len(m.buf)
	m.text("{")
	if string(m.path) == "/metadata" {
		m.metadata = len(m.buf)
	}
	for _, key := range sortedKeys(a, b) {
		sub, skip := ig.enter(key.name)
		if skip {
			continue
		}
		at := m.open(key.name)
		m.finish(at, m.entryChange(t, a.MapIndex(key.value), b.MapIndex(key.value), sub))
	}
	if m.nothing(start) {
		return false
	}
	m.closed('}')
	return true
}

// nothing takes back the object begun at start if no members were written.
func (m *merger) nothing(start int) bool {
	if len(m.buf) > start+1 {
		return false
	}
	m.buf = m.buf[:start]
	if string(m.path) == "/metadata" {
		m.metadata = 0
	}
	return true
}

func (m *merger) entryChange(t *jsontype.Type, a, b reflect.Value, ig *ignored) bool {
	m.checkKey(lastToken(m.path))
	if !b.IsValid() {
		m.removed(kindOf(t.Elem, a))
		return true
	}
	if !a.IsValid() || null(t.Elem, a) || null(t.Elem, b) {
		if a.IsValid() && sameEntry(t, a, b) {
			return false
		}
		m.entryValue(t, b)
		return true
	}
	if t.Elem.Kind != jsontype.Raw {
		a, _ = jsontype.Deref(a)
		b, _ = jsontype.Deref(b)
	}
	return m.change(t.Elem, strategy{}, a, b, ig)
}

// kindOf is the shape of v, which has shape t as far as is known from Go's type.
func kindOf(t *jsontype.Type, v reflect.Value) *jsontype.Type {
	if t.Kind == jsontype.Any {
		if v, ok := jsontype.Deref(v); ok {
			return jsontype.Of(v.Type())
		}
	}
	return t
}

// nestedChange says whether the API server could not merge map a with what makes it b, because an object or a list inside both
// differs: it looks for their merge strategy in struct tags, and a map has none.
func (m *merger) nestedChange(t *jsontype.Type, a, b reflect.Value) bool {
	if t.Elem.Kind == jsontype.Scalar || t.Elem.Kind == jsontype.Bytes {
		return false
	}
	for each := b.MapRange(); each.Next(); {
		old := a.MapIndex(each.Key())
		if old.IsValid() && nested(t.Elem, old) && nested(t.Elem, each.Value()) && !same(t.Elem, old, each.Value()) {
			return true
		}
	}
	return false
}

// nested says whether v is an object or a list in JSON.
func nested(t *jsontype.Type, v reflect.Value) bool {
	if null(t, v) {
		return false
	}
	switch t := kindOf(t, v); t.Kind {
	case jsontype.Object, jsontype.Map, jsontype.List:
		return true
	case jsontype.Raw:
		data, err := marshaled(v)
		return err == nil && (data[0] == '{' || data[0] == '[')
	}
	return false
}

// replacedMap writes b in place of whatever map is there.
func (m *merger) replacedMap(t *jsontype.Type, b reflect.Value) {
	m.text(`{"$patch":"replace",`)
	for _, key := range sortedKeys(b) {
		m.entry(t, key.name, b.MapIndex(key.value))
		m.text(",")
	}
	m.closed('}')
}

// anyChange writes the change between values that are anything.
func (m *merger) anyChange(a, b reflect.Value, ig *ignored) bool {
	if a.Type() == b.Type() {
		if t := jsontype.Of(a.Type()); t.Kind != jsontype.Raw {
			return m.change(t, strategy{}, a, b, ig)
		}
	}
	return m.rawChange(a, b, ig)
}

// rawChange writes the change between values that marshal themselves, or that differ in Go's type.
func (m *merger) rawChange(a, b reflect.Value, ig *ignored) bool {
	if sameRaw(a, b) {
		return false
	}
	aj, err := marshaled(a)
	m.fail(err)
	bj, err := marshaled(b)
	m.fail(err)
	if m.err != nil {
		return true
	}
	return m.jsonChange(aj, bj, ig)
}

func (m *merger) jsonChange(a, b []byte, ig *ignored) bool {
	av, bv := decoded(&m.writer, a), decoded(&m.writer, b)
	am, aok := av.(map[string]any)
	bm, bok := bv.(map[string]any)
	switch {
	case reflect.DeepEqual(av, bv):
		return false
	case aok && bok && m.strategic:
		m.replacedMap(untyped, reflect.ValueOf(bm))
		return true
	case aok && bok:
		return m.mapChange(untyped, reflect.ValueOf(am), reflect.ValueOf(bm), ig)
	}
	m.value(jsontype.Of(reflect.TypeFor[any]()), reflect.ValueOf(&bv).Elem())
	return true
}

var untyped = jsontype.Of(reflect.TypeFor[map[string]any]())

// decoded is JSON as plain values, integers as int64.
func decoded(w *writer, data []byte) any {
	var v any
	w.fail(kjson.UnmarshalCaseSensitivePreserveInts(data, &v))
	return v
}

// lastToken is the last name of a JSON Pointer.
func lastToken(pointer []byte) string {
	token := pointer[bytes.LastIndexByte(pointer, '/')+1:]
	if bytes.IndexByte(token, '~') < 0 {
		return string(token)
	}
	return pointerUnescaper.Replace(string(token))
}
