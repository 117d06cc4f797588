package patch

import (
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// strategy is what a field's tags say of how the API server merges it.
type strategy struct {
	merge      bool   // a list is merged, not replaced
	replace    bool   // an object is replaced, not merged
	retainKeys bool   // what the patch does not list is cleared
	key        string // tells the elements of a merged list apart
}

func strategyOf(field *jsontype.Field) strategy {
	tag := field.Tag.Get("patchStrategy")
	if tag == "" {
		return strategy{}
	}
	how := strategy{key: field.Tag.Get("patchMergeKey")}
	for each := range strings.SplitSeq(tag, ",") {
		switch each {
		case "merge":
			how.merge = true
		case "replace":
			how.replace = true
		case "retainKeys":
			how.retainKeys = true
		}
	}
	return how
}

// retainKeys writes the directive that lists what b has: the server clears the rest.
func (m *merger) retainKeys(t *jsontype.Type, b reflect.Value) {
	m.text(`"$retainKeys":[`)
	for i := range t.Fields {
		if _, ok := shown(&t.Fields[i], b); ok {
			m.string(t.Fields[i].Name)
			m.text(",")
		}
	}
	m.closed(']')
	m.text(",")
}

// mergedList writes the members for a list that the server merges: the list's changes, and the directives beside it. A list that
// was emptied loses its elements one by one, so that one which someone else adds meanwhile stays.
func (m *merger) mergedList(field *jsontype.Field, how strategy, a reflect.Value, aok bool, b reflect.Value, bok bool) {
	element := field.Type.Elem
	if !aok || a.Len() == 0 {
		if aok != bok || b.Len() > 0 {
			at := m.open(field.Name)
			m.value(field.Type, b)
			m.finish(at, true)
		}
		return
	}
	if !bok {
		b = reflect.Zero(field.Type.Go)
	}
	if equal(field.Type, a, b) {
		return
	}
	back := m.enter(field.Name)
	defer m.leave(back)
	switch key, ok := element.Field(how.key); {
	case element.Kind == jsontype.Object && ok:
		m.keyedList(field, key, how, a, b)
	case element.Kind == jsontype.Scalar:
		m.scalarList(field, a, b)
	default:
		m.cannot("the list is merged, but its elements have no merge key")
	}
}

// keyed is one element of a merged list, with its key as JSON.
type keyed struct {
	key   string
	value reflect.Value
}

// keys are the elements of a list with their keys, which must all be there and differ.
func (m *merger) keys(key *jsontype.Field, list reflect.Value) []keyed {
	elements := make([]keyed, list.Len())
	for i := range elements {
		value, ok := jsontype.Deref(list.Index(i))
		var member reflect.Value
		if ok {
			member, ok = shown(key, value)
		}
		if !ok {
			m.cannot("element %d has no %s, the list's merge key", i, key.Name)
			return nil
		}
		w := writer{}
		w.field(key, member)
		elements[i] = keyed{string(w.buf), value}
	}
	if i := firstRepeated(elements); i >= 0 {
		m.cannot("several elements have the %s %s, the list's merge key", key.Name, elements[i].key)
	}
	return elements
}

// firstRepeated is the index of an element whose key another has too, or -1.
func firstRepeated(elements []keyed) int {
	if len(elements) <= 8 {
		for i := range elements {
			for j := range i {
				if elements[i].key == elements[j].key {
					return i
				}
			}
		}
		return -1
	}
	seen := make(map[string]bool, len(elements))
	for i, e := range elements {
		if seen[e.key] {
			return i
		}
		seen[e.key] = true
	}
	return -1
}

// keyedList writes the changes of a list of objects: changed elements by their key, new ones whole, removed ones by directive, and
// the order of all.
func (m *merger) keyedList(field, key *jsontype.Field, how strategy, a, b reflect.Value) {
	old, wanted := m.keys(key, a), m.keys(key, b)
	if m.err != nil {
		return
	}
	place := make(map[string]int, len(old))
	for i, e := range old {
		place[e.key] = i
	}
	start := len(m.buf)
	m.string(field.Name)
	m.text(":[")
	empty := len(m.buf)
	sameOrder := len(old) == len(wanted)
	for i, e := range wanted {
		at, found := place[e.key]
		sameOrder = sameOrder && found && at == i
		m.elementChange(field.Type.Elem, key, how, i, e, old, at, found)
		delete(place, e.key)
	}
	m.removedElements(key, place)
	if len(m.buf) == empty {
		m.buf = m.buf[:start]
		if sameOrder {
			return
		}
	} else {
		m.closed(']')
		m.text(",")
	}
	if len(wanted) > 0 {
		m.order(field.Name, func() {
			for _, e := range wanted {
				m.text("{")
				m.string(key.Name)
				m.text(":" + e.key + "},")
			}
		})
	}
}

// elementChange writes element i of the new list: its changes if the old one has it, else all of it.
func (m *merger) elementChange(t *jsontype.Type, key *jsontype.Field, how strategy, i int, e keyed, old []keyed, at int, found bool) {
	back := m.index(i)
	defer m.leave(back)
	if !found {
		m.value(t, e.value)
		m.text(",")
		return
	}
	if m.objectChange(t, how, old[at].value, e.value, nil) {
		m.buf[len(m.buf)-1] = ','
		m.string(key.Name)
		m.text(":" + e.key + "},")
	}
}

// removedElements writes the directives that delete the elements whose keys are in gone.
func (m *merger) removedElements(key *jsontype.Field, gone map[string]int) {
	names := make([]string, 0, len(gone))
	for name := range gone {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		m.text(`{"$patch":"delete",`)
		m.string(key.Name)
		m.text(":" + name + "},")
	}
}

// order writes the directive that says in which order the elements of the list shall be.
func (m *merger) order(name string, elements func()) {
	m.string("$setElementOrder/" + name)
	m.text(":[")
	elements()
	m.closed(']')
	m.text(",")
}

// scalarList writes the changes of a list of single values that is merged as a set: what is new, what is gone, and the order.
func (m *merger) scalarList(field *jsontype.Field, a, b reflect.Value) {
	old, wanted := m.scalars(field.Type.Elem, a), m.scalars(field.Type.Elem, b)
	if m.err != nil {
		return
	}
	added := without(wanted, old)
	if len(added) > 0 {
		m.scalarMember(field.Name, added)
	}
	if gone := without(old, wanted); len(gone) > 0 {
		sort.Strings(gone)
		m.scalarMember("$deleteFromPrimitiveList/"+field.Name, gone)
	}
	if len(wanted) > 0 {
		m.scalarMember("$setElementOrder/"+field.Name, wanted)
	}
}

// scalars are the elements as JSON. Merged as a set, they must differ.
func (m *merger) scalars(t *jsontype.Type, list reflect.Value) []string {
	elements := make([]string, list.Len())
	for i := range elements {
		w := writer{}
		w.value(t, list.Index(i))
		elements[i] = string(w.buf)
		if slices.Contains(elements[:i], elements[i]) || elements[i] == "null" {
			m.cannot("%s is in the list more than once, or no value, and the list is merged as a set", elements[i])
		}
	}
	return elements
}

func (m *merger) scalarMember(name string, elements []string) {
	m.string(name)
	m.text(":[" + strings.Join(elements, ",") + "],")
}

func without(list, others []string) []string {
	var rest []string
	for _, each := range list {
		if !slices.Contains(others, each) {
			rest = append(rest, each)
		}
	}
	return rest
}
