package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// New plans the package of one group-version. All kinds must be of that group-version and have passed
// [schema.Kind.Validate]; their order does not matter. lock may be nil.
func New(kinds []schema.Kind, lock *names.PackageLock, opts Options) *Package {
	kinds = slices.Clone(kinds)
	slices.SortFunc(kinds, func(a, b schema.Kind) int { return cmp.Compare(a.Kind, b.Kind) })
	b := &builder{
		pkg:    &Package{Group: kinds[0].Group, Version: kinds[0].Version, Values: map[Value]bool{}},
		lock:   lock,
		opts:   opts,
		taken:  map[string]bool{},
		groups: map[string]*group{},
		lost:   map[Loss]bool{},
		read:   &reader{components: map[string]*node{}, busy: map[string]bool{}, upstream: upstreamComponent},
	}
	for _, name := range []string{"GroupVersion", "SchemeBuilder", "AddToScheme", "NewJSON", "IntOrStringFromInt", "IntOrStringFromString", "NewQuantity", "NewDateTime"} {
		b.taken[name] = true
	}
	b.pkg.Lock = &names.PackageLock{Types: map[string][]string{}, Members: map[string]map[string]string{}}
	b.kinds(kinds)
	b.nameTypes()
	b.nameConstants()
	b.fill()
	b.breakCycles()
	b.findOwners()
	slices.SortFunc(b.pkg.Kinds, func(x, y *Kind) int { return cmp.Compare(x.Type.Name, y.Type.Name) })
	slices.SortFunc(b.pkg.Types, func(x, y *Type) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortStableFunc(b.pkg.Losses, func(x, y Loss) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Path, y.Path), cmp.Compare(x.What, y.What))
	})
	return b.pkg
}

// Options change what is planned.
type Options struct {
	// UpstreamTypes takes types of k8s.io/api and apimachinery wherever a schema was made from them, although
	// they may lose something. Without it they are taken only where they lose nothing.
	UpstreamTypes bool
}

type builder struct {
	pkg    *Package
	lock   *names.PackageLock
	opts   Options
	read   *reader
	taken  map[string]bool // package-level identifiers
	roots  []*node
	groups map[string]*group // named types by shape
	order  []string          // keys of groups, sorted
	at     []place           // the places of the type that is being planned, the primary one first
	lost   map[Loss]bool
}

// group is all places of one shape.
type group struct {
	node  *node // at the primary place
	nodes []*node
	form  Form
	typ   *Type
}

// kinds names the kinds, reads all schemas and collects the shapes that need a name.
func (b *builder) kinds(kinds []schema.Kind) {
	listOf := map[string]bool{}
	byKind := map[string]*schema.Kind{}
	apiKinds := make([]string, len(kinds))
	for i := range kinds {
		apiKinds[i] = kinds[i].Kind
		byKind[kinds[i].Kind] = &kinds[i]
		listOf[kinds[i].Kind] = true
	}
	// Names that are Go names as they are come first: controller-gen takes the kind from the Go type.
	slices.SortStableFunc(apiKinds, func(x, y string) int {
		return cmp.Compare(changed(x), changed(y))
	})
	for _, name := range apiKinds {
		api := byKind[name]
		k := &Kind{API: api, Type: &Type{Name: names.Free(b.taken, names.Exported(name)), Form: Struct, Path: name}}
		b.pkg.Kinds = append(b.pkg.Kinds, k)
		root := &node{props: api.Schema, form: formStruct, path: place{kind: name}, component: api.Component, typ: k.Type}
		if api.Component != "" {
			b.read.components[api.Component] = root
		}
		b.roots = append(b.roots, root)
	}
	b.pkg.Resource = free(b.taken, "Resource", "ResourceOf")
	b.pkg.Names = map[Value]string{}
	for _, v := range []Value{ValueJSON, ValueIntOrString, ValueQuantity, ValueDateTime, ValueEmpty} {
		b.pkg.Names[v] = free(b.taken, string(v), string(v)+"Value")
	}
	for _, k := range b.pkg.Kinds {
		k.ListName = names.Free(b.taken, k.Type.Name+"List")
		k.RegisterList = !listOf[k.API.List()]
	}
	for i, k := range b.pkg.Kinds {
		b.read.kind = k.API
		b.read.children(b.roots[i])
		if k.API.CustomResource {
			b.reuse(k, b.roots[i])
		}
		for _, name := range b.roots[i].order {
			if !inherited(name) {
				b.collect(b.roots[i].fields[name], atField)
			}
		}
	}
	b.order = slices.Sorted(maps.Keys(b.groups))
}

// changed is 1 for kinds that are not Go names as they are, and 0 for the others.
func changed(kind string) int {
	if names.Exported(kind) == kind {
		return 0
	}
	return 1
}

// free takes a name for a part of the package, or another one if a kind has it.
func free(taken map[string]bool, name, other string) string {
	if taken[name] {
		name = other
	}
	return names.Free(taken, name)
}

// inherited tells of a property of the root that metav1 types hold.
func inherited(property string) bool {
	return property == "apiVersion" || property == "kind" || property == "metadata"
}

// position tells where a node stands, which decides where its markers can go.
type position int

const (
	atField position = iota // a property
	atItem                  // an item of a list that is a property or a named type
	atDeep                  // anything below that: no marker reaches it
	atType                  // the declaration of the named type itself
)

// collect gathers the named types at and below a node.
func (b *builder) collect(n *node, at position) {
	if n.typ != nil && n.component != "" {
		return // a kind, or a component that another place has brought in
	}
	form, needed := b.needsName(n, at)
	if needed && n.typ == nil {
		key := fmt.Sprint(form, " ", n.shape)
		g := b.groups[key]
		if g == nil {
			g = &group{node: n, form: form, typ: &Type{Form: form, Collection: form == Defined && (n.form == formList || n.form == formMap)}}
			b.groups[key] = g
		}
		n.typ = g.typ
		g.nodes = append(g.nodes, n)
		if before(n.path, g.node.path) {
			g.node = n
		}
		if len(g.nodes) > 1 && n.component != "" {
			return // the component's own nodes are shared, and may be recursive
		}
	}
	for _, name := range n.order {
		b.collect(n.fields[name], atField)
	}
	if n.elem != nil {
		switch {
		case needed || at == atField && n.form == formList:
			at = atItem
			if n.form == formMap {
				at = atDeep
			}
		default:
			at = atDeep
		}
		b.collect(n.elem, at)
	}
}

// needsName tells whether a node becomes a named type: structs and enums always, others where markers are
// needed and reach only the declaration of a type.
func (b *builder) needsName(n *node, at position) (Form, bool) {
	switch n.form {
	case formStruct:
		return Struct, true
	case formEnum:
		return Enum, true
	case formString, formInt32, formInt64, formNumber, formBool, formBytes:
		return Defined, at == atDeep && constrained(n)
	case formList:
		return Defined, at != atField && (constrained(n) || constrainedScalar(n.elem))
	case formMap:
		return Defined, at != atField && constrained(n)
	}
	return Defined, false
}

// before orders places: short paths first, so that a type is named after the place nearest to the kind.
func before(a, b place) bool {
	return cmp.Or(cmp.Compare(len(a.segments), len(b.segments)), cmp.Compare(len(a.kind), len(b.kind)), cmp.Compare(a.String(), b.String())) < 0
}

// nameTypes gives every shape its name and makes the lock.
func (b *builder) nameTypes() {
	pinned := b.lock.ByPath()
	claims := make([]names.Claim, len(b.order))
	for i, key := range b.order {
		g := b.groups[key]
		claims[i] = names.Claim{Key: g.node.path.String() + " " + key, Candidates: candidates(g)}
		if g.node.component != "" {
			claims[i].Key = g.node.component
		}
		for _, n := range g.nodes {
			if pin := pinned[n.path.String()]; pin != "" && (claims[i].Pinned == "" || pin < claims[i].Pinned) {
				claims[i].Pinned = pin
			}
		}
	}
	kindNames := maps.Clone(b.taken)
	for i, name := range names.Assign(kindNames, claims) {
		g := b.groups[b.order[i]]
		b.taken[name] = true
		g.typ.Name, g.typ.Path = name, g.node.path.String()
		var paths []string
		for _, n := range g.nodes {
			paths = append(paths, n.path.String())
		}
		slices.Sort(paths)
		b.pkg.Lock.Types[name] = slices.Compact(paths)
		b.pkg.Types = append(b.pkg.Types, g.typ)
	}
}

// nameConstants names the values of all enums; they share the package's scope with the types.
func (b *builder) nameConstants() {
	enums := make([]*group, 0, len(b.order))
	for _, key := range b.order {
		if g := b.groups[key]; g.form == Enum {
			enums = append(enums, g)
		}
	}
	slices.SortFunc(enums, func(x, y *group) int { return cmp.Compare(x.typ.Name, y.typ.Name) })
	for _, g := range enums {
		var values []string
		literal := map[string]string{}
		for _, v := range enumValues(g.node.props) {
			text := fmt.Sprint(v)
			lit := fmt.Sprintf("%q", text)
			if f, ok := v.(float64); ok {
				text = fmt.Sprintf("%d", int64(f))
				lit = text
			}
			if literal[text] == "" {
				values = append(values, text)
				literal[text] = lit
			}
		}
		got, collisions := names.Members(b.taken, b.lock.MembersOf(g.typ.Name), func(v string) string { return g.typ.Name + names.Suffix(v) }, values)
		for _, v := range values {
			b.taken[got[v]] = true
			g.typ.Constants = append(g.typ.Constants, Constant{Name: got[v], Value: literal[v]})
		}
		if len(collisions) > 0 {
			b.pkg.Lock.Members[g.typ.Name] = collisions
		}
	}
}

// breakCycles turns struct fields into pointers where a struct would otherwise contain itself.
func (b *builder) breakCycles() {
	state := map[*Type]int{}
	var visit func(t *Type)
	visit = func(t *Type) {
		state[t] = 1
		for i := range t.Fields {
			ref := t.Fields[i].Type
			if ref.Kind != Named || ref.Type.Form != Struct {
				continue
			}
			if state[ref.Type] == 0 {
				visit(ref.Type)
			}
			if state[ref.Type] == 1 {
				t.Fields[i].Type = &Ref{Kind: Pointer, Elem: ref}
			}
		}
		state[t] = 2
	}
	for _, k := range b.pkg.Kinds {
		visit(k.Type)
	}
	for _, t := range b.pkg.Types {
		if state[t] == 0 {
			visit(t)
		}
	}
}

// findOwners finds the types that only one kind uses.
func (b *builder) findOwners() {
	owners := map[*Type]*Kind{}
	for _, k := range b.pkg.Kinds {
		seen := map[*Type]bool{}
		var visit func(t *Type)
		visitRef := func(r *Ref) {
			for ; r != nil; r = r.Elem {
				if r.Kind == Named {
					visit(r.Type)
				}
			}
		}
		visit = func(t *Type) {
			if seen[t] {
				return
			}
			seen[t] = true
			if _, shared := owners[t]; shared {
				owners[t] = nil
			} else {
				owners[t] = k
			}
			visitRef(t.Base)
			for _, f := range t.Fields {
				visitRef(f.Type)
			}
		}
		visit(k.Type)
	}
	for _, t := range b.pkg.Types {
		t.Owner = owners[t]
	}
}
