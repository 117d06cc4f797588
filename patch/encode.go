package patch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// writer builds a patch: JSON text, and where in the object it is.
type writer struct {
	buf  []byte
	path []byte // a JSON Pointer
	err  error  // the first

	// What the kind of patch cannot say, and is therefore an error when met.
	noNulls      bool // a null in a map
	noDirectives bool // a key that starts with $ and would be taken for a directive

	lists bool // whether a list was written
}

// enter goes to the member called name and returns what leave takes back.
func (w *writer) enter(name string) int {
	back := len(w.path)
	w.path = append(w.path, '/')
	if strings.ContainsAny(name, "~/") {
		name = pointerEscaper.Replace(name)
	}
	w.path = append(w.path, name...)
	return back
}

func (w *writer) index(i int) int {
	back := len(w.path)
	w.path = strconv.AppendInt(append(w.path, '/'), int64(i), 10)
	return back
}

func (w *writer) leave(back int) { w.path = w.path[:back] }

var (
	pointerEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

func (w *writer) fail(err error) {
	if w.err == nil && err != nil {
		at := string(w.path)
		if at == "" {
			at = "the object"
		}
		w.err = fmt.Errorf("%s: %w", at, err)
	}
}

func (w *writer) cannot(format string, args ...any) {
	w.fail(fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrNotExpressible))
}

func (w *writer) text(s string) { w.buf = append(w.buf, s...) }

// closed replaces the comma after the last member or element by the closing bracket.
func (w *writer) closed(bracket byte) {
	if w.buf[len(w.buf)-1] == ',' {
		w.buf[len(w.buf)-1] = bracket
		return
	}
	w.buf = append(w.buf, bracket)
}

// string appends s as a JSON string, with the escapes of encoding/json.
func (w *writer) string(s string) { w.buf = appendString(w.buf, s) }

func appendString(buf []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(buf, quoted...)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, s...)
	return append(buf, '"')
}

// value appends v, which may be null, as JSON.
func (w *writer) value(t *jsontype.Type, v reflect.Value) {
	if t.Kind == jsontype.Raw {
		w.raw(v)
		return
	}
	v, ok := jsontype.Deref(v)
	if !ok {
		w.text("null")
		return
	}
	if t.Kind == jsontype.Any {
		if t = jsontype.Of(v.Type()); t.Kind == jsontype.Raw {
			w.raw(v)
			return
		}
	}
	switch t.Kind {
	case jsontype.Object:
		w.object(t, v)
	case jsontype.Map:
		w.mapping(t, v)
	case jsontype.List:
		w.list(t, v)
	case jsontype.Bytes:
		w.buf = append(w.buf, '"')
		w.buf = base64.StdEncoding.AppendEncode(w.buf, v.Bytes())
		w.buf = append(w.buf, '"')
	default:
		w.scalar(v)
	}
}

func (w *writer) scalar(v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		w.string(v.String())
	case v.Kind() == reflect.Bool:
		w.buf = strconv.AppendBool(w.buf, v.Bool())
	case v.CanInt():
		w.buf = strconv.AppendInt(w.buf, v.Int(), 10)
	case v.CanUint():
		w.buf = strconv.AppendUint(w.buf, v.Uint(), 10)
	default:
		w.raw(v)
	}
}

// raw appends what v marshals itself to.
func (w *writer) raw(v reflect.Value) {
	data, err := marshal(v)
	w.fail(err)
	w.buf = append(w.buf, data...)
}

// marshal is v's JSON, by way of its address where that matters to its MarshalJSON.
func marshal(v reflect.Value) ([]byte, error) {
	if v.CanAddr() {
		v = v.Addr()
	}
	return json.Marshal(v.Interface())
}

func (w *writer) object(t *jsontype.Type, v reflect.Value) {
	w.text("{")
	for i := range t.Fields {
		field := &t.Fields[i]
		member, ok := field.Value(v)
		if !ok {
			continue
		}
		back := w.enter(field.Name)
		w.string(field.Name)
		w.text(":")
		w.field(field, member)
		w.text(",")
		w.leave(back)
	}
	w.closed('}')
}

// field appends the value of a member.
func (w *writer) field(field *jsontype.Field, v reflect.Value) {
	if !field.Quoted {
		w.value(field.Type, v)
		return
	}
	v, ok := jsontype.Deref(v)
	if !ok {
		w.text("null")
		return
	}
	inner := writer{}
	inner.scalar(v)
	w.fail(inner.err)
	w.string(string(inner.buf))
}

func (w *writer) mapping(t *jsontype.Type, v reflect.Value) {
	w.text("{")
	for _, key := range sortedKeys(v) {
		w.entry(t, key.name, v.MapIndex(key.value))
		w.text(",")
	}
	w.closed('}')
}

// entry appends one member of a map, key and value, if the patch can say it.
func (w *writer) entry(t *jsontype.Type, name string, v reflect.Value) {
	back := w.enter(name)
	defer w.leave(back)
	w.checkKey(name)
	w.string(name)
	w.text(":")
	w.entryValue(t, v)
}

func (w *writer) entryValue(t *jsontype.Type, v reflect.Value) {
	if t.Elem.Kind == jsontype.Bytes && v.Kind() == reflect.Slice && v.IsNil() {
		w.text(`""`) // no bytes are meant, not no entry
		return
	}
	start := len(w.buf)
	w.value(t.Elem, v)
	if w.noNulls && string(w.buf[start:]) == "null" {
		w.cannot("a null in a map")
	}
}

// checkKey refuses map keys that a strategic merge patch takes for directives.
func (w *writer) checkKey(name string) {
	if w.noDirectives && strings.HasPrefix(name, "$") && directive(name) {
		w.cannot("the key %q reads as a directive", name)
	}
}

func directive(name string) bool {
	return name == "$patch" || name == "$retainKeys" ||
		strings.HasPrefix(name, "$setElementOrder") || strings.HasPrefix(name, "$deleteFromPrimitiveList")
}

func (w *writer) list(t *jsontype.Type, v reflect.Value) {
	w.lists = true
	w.text("[")
	for i := range v.Len() {
		back := w.index(i)
		w.value(t.Elem, v.Index(i))
		w.text(",")
		w.leave(back)
	}
	w.closed(']')
}

// mapKey is a key of a map, and its name in JSON.
type mapKey struct {
	name  string
	value reflect.Value
}

// sortedKeys are the keys of the maps, each once, by name.
func sortedKeys(maps ...reflect.Value) []mapKey {
	var keys []mapKey
	for i, m := range maps {
		for each := m.MapRange(); each.Next(); {
			key := each.Key()
			if i > 0 && maps[0].MapIndex(key).IsValid() {
				continue
			}
			keys = append(keys, mapKey{jsontype.KeyName(key), key})
		}
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].name < keys[j].name })
	return keys
}
