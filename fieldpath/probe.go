package fieldpath

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"sync"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// nesting is how many times a type may contain itself in a probe. Paths that go deeper are joined: see [Root].
const nesting = 3

// probe is an object of one type with everything allocated, and the map of where its memory is.
type probe struct {
	root   reflect.Value // the pointer that Root hands out
	blocks []block       // by address
}

// block is one allocation of a probe.
type block struct {
	start, size uintptr
	place       *place
}

// place is a spot in a probe: a Go type, and what leads there in JSON.
type place struct {
	goType reflect.Type
	trail  *trail
	// An embedded struct is no member of its own: its fields are members of object, reached from it by index.
	object reflect.Type
	index  []int
}

// trail is a way through a probe, nil at its root. Ways share their beginnings, which keeps a probe small.
type trail struct {
	up   *trail
	step Step
}

func (t *trail) to(s Step) *trail { return &trail{t, s} }

func (t *trail) steps() []Step {
	var steps []Step
	for ; t != nil; t = t.up {
		steps = append(steps, t.step)
	}
	slices.Reverse(steps)
	return steps
}

func (t *trail) String() string { return spell(t.steps()) }

var probes sync.Map // reflect.Type → func() *probe

// Root returns the probe of T: an object whose every pointer is allocated and whose every list has one element, so that the
// address of any field can be taken and given to [Of]. There is one probe for a type, made on first use (under a millisecond
// for a Deployment) and shared: it must never be written to.
//
// Maps have no addressable entries and are empty: use [Key]. Elements other than the first are reached by [Index] or [Where]. A
// type that contains itself is allocated three levels deep; below that pointers are nil and lists empty, so that naming a field
// there panics as Go does on nil: go deeper with [Join].
func Root[T any]() *T {
	return probeOf(reflect.TypeFor[T]()).root.Interface().(*T) //nolint:forcetypeassert // the probe of T is a *T
}

func probeOf(t reflect.Type) *probe {
	made, ok := probes.Load(t)
	if !ok {
		made, _ = probes.LoadOrStore(t, sync.OnceValue(func() *probe { return newProbe(t) }))
	}
	return made.(func() *probe)() //nolint:forcetypeassert // probes holds nothing else
}

func newProbe(t reflect.Type) *probe {
	p := &probe{}
	p.root = p.allocate(t, place{goType: t, object: t})
	p.fill(p.root.Elem(), nil, map[reflect.Type]int{})
	slices.SortFunc(p.blocks, func(a, b block) int { return cmp.Compare(a.start, b.start) })
	return p
}

// allocate makes a zero value of type t and notes where it is. Values without a size all live at one address, so they get a
// byte of their own.
func (p *probe) allocate(t reflect.Type, at place) reflect.Value {
	pointer := reflect.New(t)
	size := t.Size()
	if size == 0 {
		padded := reflect.New(reflect.StructOf([]reflect.StructField{
			{Name: "Value", Type: t}, {Name: "Pad", Type: reflect.TypeFor[byte]()},
		}))
		pointer, size = padded.Elem().Field(0).Addr(), 1
	}
	p.blocks = append(p.blocks, block{start: pointer.Pointer(), size: size, place: &at})
	return pointer
}

// fill allocates what v refers to. above counts the types on the way, to end recursion.
func (p *probe) fill(v reflect.Value, trail *trail, above map[reflect.Type]int) {
	t := v.Type()
	switch t.Kind() {
	case reflect.Pointer:
		if above[t.Elem()] < nesting {
			v.Set(p.allocate(t.Elem(), place{goType: t.Elem(), trail: trail, object: t.Elem()}))
			p.fill(v.Elem(), trail, above)
		}
		return
	case reflect.Slice:
		shape := jsontype.Of(t)
		if shape.Kind != jsontype.List || above[t.Elem()] >= nesting {
			return
		}
		trail = trail.to(Step{Kind: IndexStep})
		element := p.allocate(t.Elem(), place{goType: t.Elem(), trail: trail, object: t.Elem()})
		v.Set(reflect.SliceAt(t.Elem(), element.UnsafePointer(), 1).Convert(t))
		p.fill(v.Index(0), trail, above)
		return
	}
	if jsontype.Of(t).Kind != jsontype.Object {
		return
	}
	above[t]++
	p.fillStruct(v, trail, t, nil, above)
	above[t]--
}

// fillStruct fills the fields of v, which is object itself or embedded in it at index.
func (p *probe) fillStruct(v reflect.Value, trail *trail, object reflect.Type, index []int, above map[reflect.Type]int) {
	shape, t := jsontype.Of(object), v.Type()
	for i := range v.NumField() {
		field := v.Field(i)
		if member := shape.FieldAt(index, i); member != nil {
			if !refers(field.Type()) {
				continue
			}
			p.fill(field, trail.to(Step{Kind: FieldStep, Name: member.Name}), above)
			continue
		}
		embedded := t.Field(i)
		if !embedded.Anonymous || !embedded.IsExported() {
			continue
		}
		at := append(slices.Clone(index), i)
		if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct && above[field.Type().Elem()] < nesting {
			field.Set(p.allocate(field.Type().Elem(), place{goType: field.Type().Elem(), trail: trail, object: object, index: at}))
			field = field.Elem()
		}
		if field.Kind() == reflect.Struct {
			above[field.Type()]++
			p.fillStruct(field, trail, object, at, above)
			above[field.Type()]--
		}
	}
}

// Of turns the address of a field of a probe into the path to that field:
//
//	d := fieldpath.Root[appsv1.Deployment]()
//	replicas := fieldpath.Of(d, &d.Spec.Replicas) // Path[appsv1.Deployment, *int32]
//	count := fieldpath.Of(d, d.Spec.Replicas)     // Path[appsv1.Deployment, int32]: what the pointer points to
//
// root must come from [Root] and field must point into it. Otherwise, and for a field that JSON does not show as a value of its
// own (an embedded struct, a part of a quantity, a field tagged "-"), the path's Err says what is wrong.
func Of[T, F any](root *T, field *F) Path[T, F] {
	steps, err := find(reflect.ValueOf(root), reflect.ValueOf(field))
	if err != nil {
		return Path[T, F]{&route{err: fmt.Errorf("fieldpath: a %s in %s: %w", reflect.TypeFor[F](), reflect.TypeFor[T](), err)}}
	}
	return Path[T, F]{&route{steps: steps}}
}

func find(root, field reflect.Value) ([]Step, error) {
	if root.IsNil() {
		return nil, errors.New("the root is nil: pass what Root returned")
	}
	p := probeOf(root.Type().Elem())
	if p.root.Pointer() != root.Pointer() {
		return nil, errors.New("the root is not the probe of its type: pass what Root returned, not an object of yours")
	}
	if field.IsNil() {
		return nil, fmt.Errorf("the field's address is nil: a type that contains itself is allocated %d levels deep; go deeper with Join", nesting)
	}
	address := field.Pointer()
	i := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].start > address }) - 1
	if i < 0 || address >= p.blocks[i].start+p.blocks[i].size {
		return nil, errors.New("the address is not inside the probe: take it from a field of what Root returned, not from a copy")
	}
	return p.blocks[i].place.find(address-p.blocks[i].start, field.Type().Elem())
}

// find descends to the value of type want that lies offset bytes further.
func (at place) find(offset uintptr, want reflect.Type) ([]Step, error) {
	if at.goType == want && offset == 0 {
		if len(at.index) > 0 {
			return nil, fmt.Errorf("%s is inlined at %s: it has no name in JSON; name its fields", want, at.trail)
		}
		return at.trail.steps(), nil
	}
	if at.goType.Kind() == reflect.Array && at.goType.Elem().Size() > 0 {
		element := at.goType.Elem()
		index := offset / element.Size()
		return place{goType: element, object: element, trail: at.trail.to(Step{Kind: IndexStep, Index: int(index)})}.
			find(offset-index*element.Size(), want)
	}
	inlined := len(at.index) > 0
	if at.goType.Kind() != reflect.Struct || (!inlined && jsontype.Of(at.goType).Kind != jsontype.Object) {
		return nil, fmt.Errorf("%s is a %s, one value in JSON: no path leads into it", at.trail, at.goType)
	}
	return at.findField(offset, want)
}

// findField looks for want among the fields of a struct that cover offset. More than one field can only do so when one of them
// has no size.
func (at place) findField(offset uintptr, want reflect.Type) ([]Step, error) {
	var found []Step
	var reason error
	matches := 0
	for i := range at.goType.NumField() {
		field := at.goType.Field(i)
		size := field.Type.Size()
		if offset < field.Offset || offset >= field.Offset+max(size, 1) {
			continue
		}
		inner, err := at.enter(i, field)
		if err != nil {
			reason = err
			continue
		}
		steps, err := inner.find(offset-field.Offset, want)
		if err != nil {
			reason = err
			continue
		}
		found, matches = steps, matches+1
	}
	switch {
	case matches == 1:
		return found, nil
	case matches > 1:
		return nil, fmt.Errorf("several fields of %s at %s lie at this address, all without a size", at.goType, at.trail)
	case reason != nil:
		return nil, reason
	}
	return nil, fmt.Errorf("%s at %s has no %s there", at.goType, at.trail, want)
}

// enter is the place of field i.
func (at place) enter(i int, field reflect.StructField) (place, error) {
	if member := jsontype.Of(at.object).FieldAt(at.index, i); member != nil {
		return place{goType: field.Type, object: field.Type, trail: at.trail.to(Step{Kind: FieldStep, Name: member.Name})}, nil
	}
	if field.Anonymous && field.IsExported() && field.Type.Kind() == reflect.Struct {
		return place{goType: field.Type, object: at.object, trail: at.trail, index: append(slices.Clone(at.index), i)}, nil
	}
	return place{}, fmt.Errorf("field %s of %s is not in its JSON", field.Name, at.goType)
}
