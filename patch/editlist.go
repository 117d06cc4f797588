package patch

import (
	"reflect"
	"slices"
	"sort"
	"strconv"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// mostEdits is how many operations one list may take before it is written whole: the API server takes 10,000 in one patch.
const mostEdits = 2000

// identifying are the members by which the elements of a list are told apart when no tag names one, as far as each has it and no
// two have the same. They decide how a list is edited, not what comes of it.
var identifying = []string{"name", "key", "type", "id"}

// listEdit is the editing of one list.
type listEdit struct {
	*editor
	t        *jsontype.Type // of an element
	key      string         // the member that identifies elements, "" if they have none
	a, b     reflect.Value
	from     []int // by index in b: the index in a of the same element, or -1
	stays    []bool
	replaces []bool // whether the element takes the place of another one rather than changing it
	first    int    // the index of the first element not equal from the start
	tail     int    // how many elements are equal at the end
	current  []int  // the elements between as they are now, by their index in a, -1 for new ones
}

// listChange edits list a into list b, element by element: with as few operations as keeping, moving, adding and removing elements
// needs, each guarded by a test that it still meets the element that it means.
func (e *editor) listChange(t *jsontype.Type, mergeKey string, a, b reflect.Value) {
	start := *e
	l := &listEdit{editor: e, t: t.Elem, a: a, b: b, key: identifyingKey(t.Elem, mergeKey, a, b)}
	l.match()
	l.removals()
	l.moves()
	l.additions()
	l.changes()
	if e.operations-start.operations > mostEdits {
		e.buf, e.operations, e.unsure = e.buf[:len(start.buf)], start.operations, true
		e.put("replace", t, b)
	}
}

// identifyingKey is the first of the members that may identify elements of which every element of both lists has one of its own.
func identifyingKey(t *jsontype.Type, mergeKey string, a, b reflect.Value) string {
	if k := t.Kind; k != jsontype.Object && k != jsontype.Map && k != jsontype.Any {
		return ""
	}
	if mergeKey != "" && identifies(mergeKey, a) && identifies(mergeKey, b) {
		return mergeKey
	}
	for _, name := range identifying {
		if identifies(name, a) && identifies(name, b) {
			return name
		}
	}
	return ""
}

func identifies(name string, list reflect.Value) bool {
	seen := make(map[any]bool, list.Len())
	for i := range list.Len() {
		id, ok := member(list.Index(i), name)
		if !ok || seen[id] {
			return false
		}
		seen[id] = true
	}
	return true
}

// member is the string or integer that v has under name.
func member(v reflect.Value, name string) (any, bool) {
	v, ok := inner(v, name)
	switch {
	case !ok || jsontype.Of(v.Type()).Kind != jsontype.Scalar:
	case v.Kind() == reflect.String:
		return v.String(), true
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return int64(v.Uint()), true
	}
	return nil, false
}

// inner is what object v has under name, without pointers. It is false for null and where nothing is.
func inner(v reflect.Value, name string) (reflect.Value, bool) {
	v, ok := jsontype.Deref(v)
	if !ok {
		return v, false
	}
	switch t := jsontype.Of(v.Type()); t.Kind {
	case jsontype.Object:
		if field, found := t.Field(name); found && !field.Quoted {
			return shown(field, v)
		}
	case jsontype.Map:
		if key, valid := jsontype.Key(v.Type().Key(), name); valid {
			return jsontype.Deref(v.MapIndex(key))
		}
	}
	return v, false
}

// match finds which elements of b are in a, which of those keep their order, and which of the others take each other's place.
func (l *listEdit) match() {
	n, m := l.a.Len(), l.b.Len()
	for l.first < min(n, m) && same(l.t, l.a.Index(l.first), l.b.Index(l.first)) {
		l.first++
	}
	for l.tail < min(n, m)-l.first && same(l.t, l.a.Index(n-1-l.tail), l.b.Index(m-1-l.tail)) {
		l.tail++
	}
	old := map[any]int{}
	for i, id := range l.identities(l.a) {
		old[id] = l.first + i
	}
	l.from = make([]int, m)
	l.stays, l.replaces = make([]bool, m), make([]bool, m)
	for j := range l.from {
		l.from[j] = -1
	}
	for j, id := range l.identities(l.b) {
		if i, ok := old[id]; ok {
			l.from[l.first+j] = i
		}
	}
	l.longestRun()
	l.pair()
}

// occurrence is the identity of an element that has none: what it is, and how many like it come before.
type occurrence struct {
	json  string
	count int
}

// identities are the identities of the elements between the equal ends.
func (l *listEdit) identities(list reflect.Value) []any {
	ids := make([]any, 0, max(0, list.Len()-l.tail-l.first))
	seen := map[string]int{}
	for i := l.first; i < list.Len()-l.tail; i++ {
		if l.key != "" {
			id, _ := member(list.Index(i), l.key)
			ids = append(ids, id)
			continue
		}
		w := writer{}
		w.value(l.t, list.Index(i))
		id := string(w.buf)
		ids = append(ids, occurrence{id, seen[id]})
		seen[id]++
	}
	return ids
}

// longestRun marks the most elements that can stay while the others move: a longest increasing run of their old indices.
func (l *listEdit) longestRun() {
	var ends []int // by length-1: the index in b of the element that ends the run of that length with the least old index
	before := make([]int, len(l.from))
	for j, i := range l.from {
		if i < 0 {
			continue
		}
		length := sort.Search(len(ends), func(k int) bool { return l.from[ends[k]] >= i })
		before[j] = -1
		if length > 0 {
			before[j] = ends[length-1]
		}
		if length == len(ends) {
			ends = append(ends, j)
		} else {
			ends[length] = j
		}
	}
	if len(ends) == 0 {
		return
	}
	for j := ends[len(ends)-1]; j >= 0; j = before[j] {
		l.stays[j] = true
	}
}

// pair lets elements that are gone be changed into elements that are new where both lie between the same ones that stay.
func (l *listEdit) pair() {
	used, stays := make([]bool, l.a.Len()), make([]bool, l.a.Len())
	for j, i := range l.from {
		if i >= 0 {
			used[i], stays[i] = true, l.stays[j]
		}
	}
	i, end := l.first, l.a.Len()-l.tail
	for j := l.first; j < len(l.from)-l.tail; j++ {
		switch {
		case l.stays[j]:
			i = l.from[j] + 1
		case l.from[j] < 0:
			for i < end && used[i] && !stays[i] {
				i++
			}
			if i < end && !used[i] {
				l.from[j], l.stays[j], l.replaces[j] = i, true, true
				used[i] = true
				i++
			}
		}
	}
}

// removals removes the elements that are gone.
func (l *listEdit) removals() {
	kept := make([]bool, l.a.Len())
	for _, i := range l.from {
		if i >= 0 {
			kept[i] = true
		}
	}
	for i := l.first; i < l.a.Len()-l.tail; i++ {
		if kept[i] {
			l.current = append(l.current, i)
			continue
		}
		back := l.index(l.first + len(l.current))
		l.guard(l.a.Index(i))
		l.remove()
		l.leave(back)
	}
}

// moves moves the elements that change their order, each behind the one that it follows.
func (l *listEdit) moves() {
	to := 0
	for j := l.first; j < len(l.from)-l.tail; j++ {
		i := l.from[j]
		if i < 0 {
			continue
		}
		at := slices.Index(l.current, i)
		if !l.stays[j] && at != to {
			l.current = slices.Delete(l.current, at, at+1)
			if at < to {
				to--
			}
			l.move(l.a.Index(i), l.first+at, l.first+to)
			l.current = slices.Insert(l.current, to, i)
			at = to
		}
		to = at + 1
	}
}

func (l *listEdit) move(element reflect.Value, from, to int) {
	if from == to {
		return
	}
	back := l.index(from)
	l.guard(element)
	pointer := string(l.path)
	l.leave(back)
	back = l.index(to)
	l.text(`{"op":"move","from":`)
	l.string(pointer)
	l.text(`,"path":`)
	l.string(string(l.path))
	l.text("},")
	l.operations++
	l.leave(back)
}

// additions adds the elements that are new.
func (l *listEdit) additions() {
	for j := l.first; j < len(l.from)-l.tail; j++ {
		if l.from[j] >= 0 {
			continue
		}
		back := l.index(j)
		if l.tail == 0 && j-l.first == len(l.current) {
			l.leave(back)
			back = l.enter("-") // the end, wherever that is by then
		}
		l.current = slices.Insert(l.current, j-l.first, -1)
		l.put("add", l.t, l.b.Index(j))
		l.leave(back)
	}
}

// changes changes the elements that are in both lists.
func (l *listEdit) changes() {
	for j := l.first; j < len(l.from)-l.tail; j++ {
		if l.from[j] < 0 {
			continue
		}
		a, b := l.a.Index(l.from[j]), l.b.Index(j)
		if same(l.t, a, b) {
			continue
		}
		back := l.index(j)
		l.guard(a)
		l.elementChange(l.replaces[j], a, b)
		l.leave(back)
	}
}

func (l *listEdit) elementChange(replace bool, a, b reflect.Value) {
	av, aok := jsontype.Deref(a)
	bv, bok := jsontype.Deref(b)
	switch {
	case !aok || !bok || (replace && l.key != ""):
		l.put("replace", l.t, b)
	case l.t.Kind == jsontype.Raw:
		l.rawChange(a, b, nil)
	default:
		l.change(l.t, av, bv, nil)
	}
}

// guard writes the tests that the element at the current path is still the one that is meant.
func (l *listEdit) guard(v reflect.Value) {
	if !l.guarded {
		return
	}
	if l.key != "" {
		id, _ := member(v, l.key)
		back := l.enter(l.key)
		l.operation("test", func() {
			switch id := id.(type) {
			case string:
				l.string(id)
			case int64:
				l.buf = strconv.AppendInt(l.buf, id, 10)
			}
		})
		l.leave(back)
		return
	}
	if l.t.Kind == jsontype.Any || !l.guardScalars(l.t, v) {
		l.put("test", l.t, v)
	}
}

// guardScalars tests every plain value inside v, and says whether there was one. It tests nothing that Go may spell in another way
// than whoever wrote it, such as a quantity or a time, and no zeros: the server may not have them.
func (e *editor) guardScalars(t *jsontype.Type, v reflect.Value) bool {
	v, ok := jsontype.Deref(v)
	if !ok {
		return false
	}
	tested := false
	switch t.Kind {
	case jsontype.Object:
		for i := range t.Fields {
			field := &t.Fields[i]
			if inner, ok := field.Value(v); ok && !field.Quoted {
				back := e.enter(field.Name)
				tested = e.guardScalars(field.Type, inner) || tested
				e.leave(back)
			}
		}
	case jsontype.Map:
		for _, key := range sortedKeys(v) {
			back := e.enter(key.name)
			tested = e.guardScalars(t.Elem, v.MapIndex(key.value)) || tested
			e.leave(back)
		}
	case jsontype.List:
		for i := range v.Len() {
			back := e.index(i)
			tested = e.guardScalars(t.Elem, v.Index(i)) || tested
			e.leave(back)
		}
	case jsontype.Any:
		e.put("test", t, v)
		return true
	case jsontype.Scalar, jsontype.Bytes:
		if v.IsZero() || v.CanFloat() {
			return false
		}
		e.put("test", t, v)
		return true
	}
	return tested
}
