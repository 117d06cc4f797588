package patch

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// Diff returns the patch that turns old into new: applied to old it gives new, and to another object it makes the same changes and
// leaves the rest alone. The objects are compared as they are, without being marshaled; neither is changed or kept.
//
// T is a pointer to an object type, *unstructured.Unstructured, or any value that stands for JSON, such as a map[string]any. What
// JSON shows of the objects is what counts: a field left out of JSON and one that is null are the same.
//
// Without [As] the kind of patch is chosen so that nobody else's work is overwritten: a strategic merge patch for Kubernetes' own
// types, whose lists have merge keys, and for all others a merge patch as long as no list is touched, else a JSON patch that edits
// lists element by element and tests that each is still the one that was meant (see [Unguarded]). Where the chosen kind cannot say
// the difference a JSON patch is made; a kind that was asked for fails with [ErrNotExpressible] instead.
//
// Removing the last entry of a typed map, or the last element of a list with a merge key, removes just that and leaves an empty map
// or list behind, so that an entry which somebody else adds at the same time survives.
func Diff[T any](old, new T, opts ...Option) (Patch, error) {
	o := collect(opts)
	if len(o.only) > 0 {
		var err error
		if new, err = fieldpath.Take(old, new, o.only...); err != nil {
			return nil, fmt.Errorf("patch: difference of two %s: %w", reflect.TypeFor[T](), err)
		}
	}
	d := &difference{options: o, goType: reflect.TypeFor[T]()}
	err := d.compare(reflect.ValueOf(&old).Elem(), reflect.ValueOf(&new).Elem())
	if err == nil {
		var p Patch
		if p, err = d.patch(); err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("patch: difference of two %s: %w", reflect.TypeFor[T](), err)
}

// difference is the work of one Diff: the values to compare and their shape, which is that of anything when it is not the same.
type difference struct {
	options
	goType reflect.Type
	t      *jsontype.Type
	a, b   reflect.Value
}

// compare sets what is compared.
func (d *difference) compare(old, new reflect.Value) error {
	var err error
	if d.a, err = content(old); err != nil {
		return err
	}
	if d.b, err = content(new); err != nil {
		return err
	}
	d.t = anything
	if d.a.IsValid() && d.b.IsValid() && d.a.Type() == d.b.Type() && d.a.Kind() != reflect.Interface {
		d.t = jsontype.Of(d.a.Type())
	}
	return nil
}

// content is what is compared of an object: the value behind pointers, the map that an unstructured object is kept in, or what
// a document that marshals itself says.
func content(v reflect.Value) (reflect.Value, error) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			if v.Kind() == reflect.Pointer {
				return v, errors.New("an object is nil")
			}
			return v, nil
		}
		v = v.Elem()
	}
	if jsontype.IsUnstructured(v.Type()) && v.CanAddr() {
		return reflect.ValueOf(jsontype.Content(v)), nil
	}
	if jsontype.Of(v.Type()).Kind != jsontype.Raw {
		return v, nil
	}
	data, err := marshaled(v)
	if err != nil {
		return v, err
	}
	w := &writer{}
	plain := decoded(w, data)
	return content(reflect.ValueOf(&plain).Elem())
}

func (d *difference) patch() (Patch, error) {
	switch d.kind {
	case types.MergePatchType:
		p, _, err := d.merge(false)
		return p, err
	case types.StrategicMergePatchType:
		if d.a.Kind() != reflect.Struct {
			return nil, errors.New("a strategic merge patch needs a Go type whose tags tell how lists are merged")
		}
		p, _, err := d.merge(true)
		return p, err
	case types.JSONPatchType:
		return d.edit()
	case "":
		strategic := BuiltIn(d.goType)
		p, lists, err := d.merge(strategic)
		if errors.Is(err, ErrNotExpressible) || (err == nil && lists && !strategic) {
			return d.edit()
		}
		return p, err
	}
	return nil, fmt.Errorf("no difference can be made as a %s", d.kind)
}

// BuiltIn says whether t is, or points to, one of Kubernetes' own API types, for which the API server takes strategic merge patches.
func BuiltIn(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, module := range []string{"k8s.io/api/", "k8s.io/apiextensions-apiserver/", "k8s.io/kube-aggregator/"} {
		if strings.HasPrefix(t.PkgPath(), module) {
			return true
		}
	}
	return false
}

// merge is the difference as a merge patch, and whether it writes a list as a whole.
func (d *difference) merge(strategic bool) (Patch, bool, error) {
	m := &merger{strategic: strategic, ignore: d.ignoring()}
	m.buf, m.noNulls, m.noDirectives = make([]byte, 0, 512), true, strategic
	if isObject(d.a) && isObject(d.b) {
		m.root(d.t, d.a, d.b)
	} else {
		m.value(d.t, d.b) // what is no object is replaced as a whole
	}
	if m.err != nil {
		return nil, false, m.err
	}
	if demanded := d.preconditions(); len(demanded) > 0 && m.buf[0] == '{' && len(m.buf) > len("{}") {
		m.demand(demanded)
	}
	if strategic {
		return &body{kind: types.StrategicMergePatchType, data: m.buf}, m.lists, nil
	}
	return &body{kind: types.MergePatchType, data: m.buf}, m.lists, nil
}

func isObject(v reflect.Value) bool {
	v, ok := jsontype.Deref(v)
	if !ok {
		return false
	}
	kind := jsontype.Of(v.Type()).Kind
	return kind == jsontype.Object || kind == jsontype.Map
}

// demand puts what the object must have into the patch.
func (m *merger) demand(demanded []precondition) {
	var text []byte
	for _, p := range demanded {
		text = append(appendString(append(appendString(text, p.name), ':'), p.value), ',')
	}
	at := m.metadata
	if at == 0 {
		at, text = 1, append(append([]byte(`"metadata":{`), text[:len(text)-1]...), "},"...)
	}
	m.buf = slices.Insert(m.buf, at, text...)
}

// edit is the difference as a JSON patch.
func (d *difference) edit() (Patch, error) {
	e := &editor{guarded: d.guarded(), ignore: d.ignoring()}
	e.buf = make([]byte, 0, 512)
	if d.t.Kind != jsontype.Any {
		e.change(d.t, d.a, d.b, e.ignore)
	} else {
		e.rawChange(d.a, d.b, e.ignore)
	}
	if e.err != nil {
		return nil, e.err
	}
	if e.unsure && e.guarded {
		d.resourceVersion = resourceVersion(d.a)
	}
	first := &editor{}
	first.text("[")
	if e.operations > 0 {
		first.demand(d.preconditions())
	}
	e.buf = append(first.buf, e.buf...)
	e.closed(']')
	return &body{kind: types.JSONPatchType, data: e.buf}, nil
}

// demand writes the operations for what the object must have: it is written, and the server refuses if that changes it. A test would
// be refused without the reason.
func (e *editor) demand(demanded []precondition) {
	for _, p := range demanded {
		e.path = append(e.path[:0], "/metadata/"+p.name...)
		e.operation("replace", func() { e.string(p.value) })
	}
}

// resourceVersion is the version that an object says it has.
func resourceVersion(v reflect.Value) string {
	metadata, ok := inner(v, "metadata")
	if !ok {
		return ""
	}
	version, _ := member(metadata, "resourceVersion")
	text, _ := version.(string)
	return text
}
