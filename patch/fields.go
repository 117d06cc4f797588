package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// Fields returns the patch that sets exactly the fields at the given paths to what they are in obj, whatever the object on the server
// has there: what obj lacks is removed, and everything else stays. A map or an object is merged with the server's, and so is a list
// with a merge key; another list is replaced.
//
// A field inside a list can be named where the list has a merge key that obj's element tells. In other lists only a JSON patch can
// reach it: by the index that the element has in obj, with a test that the element there has the key of a Where step.
//
// The kind of patch is chosen as by [Diff]; of the options, [As], [ResourceVersion], [UID] and [Unguarded] count.
func Fields[T any](obj T, paths []fieldpath.Any, opts ...Option) (Patch, error) {
	f := &fields{options: collect(opts)}
	p, err := f.patch(reflect.ValueOf(&obj).Elem(), reflect.TypeFor[T](), paths)
	if err != nil {
		return nil, fmt.Errorf("patch: fields of a %s: %w", reflect.TypeFor[T](), err)
	}
	return p, nil
}

// fields is the work of one Fields.
type fields struct {
	options
	strategic bool
}

func (f *fields) patch(obj reflect.Value, goType reflect.Type, paths []fieldpath.Any) (Patch, error) {
	root, err := content(obj)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if err := p.Err(); err != nil {
			return nil, err
		}
		if own := pointed(goType); p.Root() != own {
			return nil, fmt.Errorf("%s is a path into %s, not %s", p, p.Root(), own)
		}
	}
	f.strategic = f.kind == types.StrategicMergePatchType || (f.kind == "" && BuiltIn(goType))
	switch f.kind {
	case types.JSONPatchType:
		return f.edit(root, paths)
	case types.MergePatchType, types.StrategicMergePatchType:
		return f.merge(root, paths)
	case "":
		p, err := f.merge(root, paths)
		if errors.Is(err, ErrNotExpressible) {
			return f.edit(root, paths)
		}
		return p, err
	}
	return nil, fmt.Errorf("no patch of fields can be made as a %s", f.kind)
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// merge is a document with the fields in it.
func (f *fields) merge(root reflect.Value, paths []fieldpath.Any) (Patch, error) {
	doc := map[string]any{}
	for _, p := range paths {
		if err := f.put(doc, root, p.Steps()); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	if demanded := f.preconditions(); len(demanded) > 0 && len(doc) > 0 {
		metadata, ok := doc["metadata"].(map[string]any)
		if !ok {
			metadata = map[string]any{}
			if whole, ok := doc["metadata"].(json.RawMessage); ok {
				if err := json.Unmarshal(whole, &metadata); err != nil {
					return nil, err
				}
			}
			doc["metadata"] = metadata
		}
		for _, p := range demanded {
			metadata[p.name] = p.value
		}
	}
	kind := types.MergePatchType
	if f.strategic {
		kind = types.StrategicMergePatchType
	}
	p := document(kind, doc)
	_, err := p.Data()
	return p, err
}

// put puts the field at the end of steps into doc, which stands for the object v.
func (f *fields) put(doc map[string]any, v reflect.Value, steps []fieldpath.Step) error {
	if len(steps) == 0 {
		return fmt.Errorf("the whole object is no field: %w", ErrNotExpressible)
	}
	s, rest := steps[0], steps[1:]
	t, inside, how, ok := f.enter(v, s)
	switch {
	case s.Kind > fieldpath.KeyStep || (v.IsValid() && jsontype.Of(v.Type()).Kind == jsontype.List):
		return fmt.Errorf("%s: a list is replaced as a whole: %w", s, ErrNotExpressible)
	case len(rest) == 0 && !ok:
		doc[s.Name] = nil
		return nil
	case len(rest) == 0:
		w := writer{noNulls: true, noDirectives: f.strategic}
		if w.value(t, inside); w.err != nil {
			return w.err
		}
		doc[s.Name] = json.RawMessage(w.buf)
		if t.Kind == jsontype.Object && how.retainKeys {
			doc[s.Name] = f.retaining(t, inside)
		}
		return nil
	case rest[0].Kind > fieldpath.KeyStep:
		return f.putElement(doc, s.Name, inside, how, rest)
	}
	if _, whole := doc[s.Name].(json.RawMessage); whole {
		return nil // it is in already
	}
	inner, _ := doc[s.Name].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
		doc[s.Name] = inner
	}
	return f.put(inner, inside, rest)
}

// enter goes one step into v, which may be missing. It returns what is known of the member's shape and strategy, and whether it is
// there.
func (f *fields) enter(v reflect.Value, s fieldpath.Step) (*jsontype.Type, reflect.Value, strategy, bool) {
	if !v.IsValid() {
		return anything, reflect.Value{}, strategy{}, false
	}
	t := jsontype.Of(v.Type())
	switch t.Kind {
	case jsontype.Object:
		field, ok := t.Field(s.Name)
		if !ok {
			break
		}
		how := strategy{}
		if f.strategic {
			how = strategyOf(field)
		}
		inside, ok := shown(field, v)
		if !ok {
			inside = reflect.Value{}
		}
		return field.Type, inside, how, ok
	case jsontype.Map:
		if key, ok := jsontype.Key(t.Go.Key(), s.Name); ok {
			inside, ok := jsontype.Deref(v.MapIndex(key))
			if !ok {
				inside = reflect.Value{}
			}
			return t.Elem, inside, strategy{}, ok
		}
	}
	return anything, reflect.Value{}, strategy{}, false
}

// retaining is an object of which the server keeps no other members.
func (f *fields) retaining(t *jsontype.Type, v reflect.Value) json.RawMessage {
	m := &merger{strategic: true}
	m.value(t, v)
	m.buf = m.buf[:len(m.buf)-1]
	if len(m.buf) > len("{") {
		m.text(",")
	}
	m.retainKeys(t, v)
	m.closed('}')
	return m.buf
}

// putElement puts a field of an element of the list called name into doc, or the element itself.
func (f *fields) putElement(doc map[string]any, name string, list reflect.Value, how strategy, steps []fieldpath.Step) error {
	s, rest := steps[0], steps[1:]
	if !how.merge || how.key == "" || (s.Kind == fieldpath.WhereStep && s.Name != how.key) {
		return fmt.Errorf("%s: the list is not merged by this key but replaced as a whole: %w", s, ErrNotExpressible)
	}
	element, key, err := elementAt(list, s, how.key)
	if err != nil {
		return err
	}
	whole, entries := element.IsValid() && len(rest) == 0, listOf(doc[name])
	if _, all := doc[name].(json.RawMessage); all {
		return nil
	}
	if !element.IsValid() {
		if len(rest) > 0 {
			return fmt.Errorf("%s: %w", s, fieldpath.ErrAbsent)
		}
		doc[name] = append(entries, map[string]any{how.key: key, "$patch": "delete"})
		return nil
	}
	if whole {
		w := writer{noNulls: true, noDirectives: true}
		if w.value(jsontype.Of(element.Type()), element); w.err != nil {
			return w.err
		}
		doc[name] = append(entries, json.RawMessage(w.buf))
		return nil
	}
	for _, entry := range entries {
		if members, ok := entry.(map[string]any); ok && members[how.key] == key {
			return f.put(members, element, rest)
		}
	}
	members := map[string]any{}
	if err := f.put(members, element, rest); err != nil {
		return err
	}
	members[how.key] = key
	doc[name] = append(entries, members)
	return nil
}

func listOf(v any) []any {
	entries, _ := v.([]any)
	return entries
}

// elementAt is the element of a list that a step means, and the value of its key. The element is invalid if the list has none with
// the key that a Where step names.
func elementAt(list reflect.Value, s fieldpath.Step, key string) (reflect.Value, any, error) {
	if list, ok := jsontype.Deref(list); ok {
		for i := range list.Len() {
			id, ok := member(list.Index(i), key)
			if !ok || (s.Kind == fieldpath.WhereStep && id != s.Value) || (s.Kind == fieldpath.IndexStep && i != s.Index) {
				continue
			}
			element, _ := jsontype.Deref(list.Index(i))
			return element, id, nil
		}
	}
	if s.Kind == fieldpath.WhereStep {
		return reflect.Value{}, s.Value, nil
	}
	return reflect.Value{}, nil, fmt.Errorf("%s: no element with a %s is there: %w", s, key, fieldpath.ErrAbsent)
}

// edit is a list of operations that set the fields.
func (f *fields) edit(root reflect.Value, paths []fieldpath.Any) (Patch, error) {
	e := &editor{guarded: f.guarded()}
	e.text("[")
	if len(paths) > 0 {
		e.demand(f.preconditions())
	}
	for _, p := range paths {
		e.path = e.path[:0]
		if err := f.set(e, root, p.Steps()); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	e.closed(']')
	return &body{kind: types.JSONPatchType, data: e.buf}, e.err
}

// set writes the operation that sets the field at the end of steps.
func (f *fields) set(e *editor, v reflect.Value, steps []fieldpath.Step) error {
	t, ok := jsontype.Of(v.Type()), true
	for i, s := range steps {
		last := i == len(steps)-1
		if !v.IsValid() {
			return fmt.Errorf("%s: its parent: %w", s, fieldpath.ErrAbsent)
		}
		if jsontype.Of(v.Type()).Kind != jsontype.List {
			t, v, _, ok = f.enter(v, s)
			e.enter(s.Name)
			continue
		}
		at, err := indexOf(v, s)
		if err != nil {
			return err
		}
		e.index(at)
		t, ok = jsontype.Of(v.Type()).Elem, true
		v = v.Index(at)
		if s.Kind == fieldpath.WhereStep && e.guarded {
			back := e.enter(s.Name)
			e.put("test", anything, reflect.ValueOf(&s.Value).Elem())
			e.leave(back)
		}
		if last {
			e.put("replace", t, v)
			return nil
		}
		v, _ = jsontype.Deref(v)
	}
	if !ok {
		e.remove()
		return nil
	}
	e.put("add", t, v)
	return nil
}

// indexOf is the index that a step means in a list.
func indexOf(list reflect.Value, s fieldpath.Step) (int, error) {
	at := s.Index
	switch s.Kind {
	case fieldpath.EndStep:
		at = list.Len()
	case fieldpath.WhereStep:
		for at = 0; at < list.Len(); at++ {
			if id, ok := member(list.Index(at), s.Name); ok && id == s.Value {
				break
			}
		}
	case fieldpath.FieldStep, fieldpath.KeyStep:
		if n, err := json.Number(s.Name).Int64(); err == nil && n >= 0 {
			at = int(n)
		} else {
			at = list.Len()
		}
	}
	if at >= list.Len() {
		return 0, fmt.Errorf("%s: %w", s, fieldpath.ErrAbsent)
	}
	return at, nil
}
