package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// form is what a schema node becomes in Go.
type form int

const (
	formAny form = iota // any JSON
	formObject
	formEmpty
	formStruct
	formMap
	formList
	formString
	formBytes
	formDateTime
	formInt32
	formInt64
	formNumber
	formBool
	formEnum
	formIntOrString
	formQuantity
	formUpstream
)

// node is one place of a schema.
type node struct {
	props *schema.Props // the place's own keywords, with references and allOf of one resolved
	form  form
	path  place

	// order holds the property names of a struct, sorted; fields their nodes.
	order  []string
	fields map[string]*node
	elem   *node

	component string // the referenced definition, if any
	upstream  *Ref
	enumBase  string // the Go type behind an enum
	warning   string // why the node is raw, if the schema said more than "anything"

	// shape identifies the type: everything below, without what belongs to the use of the type, which is its
	// description, default and nullability. full includes those.
	shape, full string
	typ         *Type
}

// place is a path in the schema of a kind: property names, with "[]" for list items and "{}" for map values.
type place struct {
	kind     string
	segments []string
}

func (p place) add(segment string) place {
	return place{p.kind, append(p.segments[:len(p.segments):len(p.segments)], segment)}
}

// String returns the place as messages and the lock file have it, such as "Widget.spec.ports[].name".
func (p place) String() string {
	var b strings.Builder
	b.WriteString(p.kind)
	for _, s := range p.segments {
		switch {
		case s == "[]" || s == "{}":
			b.WriteString(s)
		case plainName.MatchString(s):
			b.WriteString("." + s)
		default:
			b.WriteString("[" + strconv.Quote(s) + "]")
		}
	}
	return b.String()
}

var plainName = regexp.MustCompile(`^[-\w$]+$`)

// nullable tells whether null is a value of the node.
func (n *node) nullable() bool { return n.props.Nullable }

// hasDefault tells whether the server fills the field in when it is absent.
func (n *node) hasDefault() bool {
	return n.props.Default != nil && len(n.props.Default.Raw) > 0 && string(n.props.Default.Raw) != "null"
}

// sign computes shape and full from the node's keywords and its children, which are signed before.
func (n *node) sign() {
	own := *n.props
	own.Description, own.Title, own.Default, own.Example, own.Nullable = "", "", nil, nil, false
	own.Properties, own.Items, own.AdditionalProperties, own.Ref = nil, nil, nil, nil
	own.Required = slices.Sorted(slices.Values(own.Required))
	if n.component != "" { // named by the document, and perhaps recursive
		n.shape = "ref " + n.component
	} else {
		children := make([]string, 0, 2*len(n.order)+1)
		for _, name := range n.order {
			children = append(children, name, n.fields[name].full)
		}
		if n.elem != nil {
			children = append(children, n.elem.full)
		}
		n.shape = digest(n.form, own, children)
	}
	use := schema.Props{Description: n.props.Description, Title: n.props.Title, Default: n.props.Default, Example: n.props.Example, Nullable: n.props.Nullable}
	n.full = digest(n.shape, use)
}

func digest(parts ...any) string {
	data, err := json.Marshal(parts)
	if err != nil {
		panic("plan: a schema that was read as JSON does not encode: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// reader turns the schemas of one package into nodes.
type reader struct {
	kind       *schema.Kind
	components map[string]*node
	busy       map[string]bool // components that are being read and are no structs
	upstream   func(component string, props *schema.Props, kind *schema.Kind) *Ref
}

func (r *reader) read(props *schema.Props, at place) *node {
	props, component := r.resolve(props)
	if component != "" {
		if known := r.components[component]; known != nil {
			return r.use(known, props, at)
		}
		if ref := r.upstream(component, r.kind.Definitions[component], r.kind); ref != nil {
			n := &node{props: props, form: formUpstream, upstream: ref, path: at, component: component}
			n.sign()
			return n
		}
	}
	if r.kind.GoTypes && zeroDefault(props) {
		plain := *props
		plain.Default = nil
		props = &plain
	}
	n := &node{props: props, path: at}
	n.form, n.warning = classify(props, r.kind.CustomResource)
	if component != "" && n.form != formStruct {
		if r.busy[component] {
			n.form, n.warning = formAny, "the definition "+component+" contains itself"
		} else {
			r.busy[component] = true
			defer delete(r.busy, component)
		}
	}
	if component != "" && n.form == formStruct {
		n.component = component
		r.components[component] = n
	}
	r.children(n)
	n.sign()
	return n
}

// use is another use of a component that is already read: it shares the children.
func (r *reader) use(known *node, props *schema.Props, at place) *node {
	n := *known
	n.props, n.path = props, at
	n.sign()
	return &n
}

func (r *reader) children(n *node) {
	switch n.form {
	case formStruct:
		n.fields = make(map[string]*node, len(n.props.Properties))
		for name := range n.props.Properties {
			n.order = append(n.order, name)
		}
		slices.Sort(n.order)
		for _, name := range n.order {
			child := n.props.Properties[name]
			n.fields[name] = r.read(&child, n.path.add(name))
		}
	case formMap:
		n.elem = r.read(n.props.AdditionalProperties.Schema, n.path.add("{}"))
	case formList:
		item := &schema.Props{}
		if n.props.Items != nil && n.props.Items.Schema != nil {
			item = n.props.Items.Schema
		}
		n.elem = r.read(item, n.path.add("[]"))
		if n.props.Items == nil {
			n.elem.warning = "the list does not say what its items are"
		} else if n.props.Items.Schema == nil {
			n.elem.warning = "the list gives each position its own type"
		}
	case formEnum:
		n.enumBase = "string"
		if n.props.Type == "integer" {
			n.enumBase = "int64"
			if n.props.Format == "int32" {
				n.enumBase = "int32"
			}
		}
	}
}

// resolve follows a reference, also one wrapped in an allOf of one, which is how OpenAPI documents attach a
// description or a default to a reference. The result has the keywords of both.
func (r *reader) resolve(props *schema.Props) (*schema.Props, string) {
	if props.Ref == nil && len(props.AllOf) == 1 && props.AllOf[0].Ref != nil && props.Type == "" && len(props.Properties) == 0 {
		merged := props.DeepCopy()
		merged.Ref, merged.AllOf = props.AllOf[0].Ref, nil
		props = merged
	}
	if props.Ref == nil {
		return props, ""
	}
	name := strings.TrimPrefix(*props.Ref, "#/components/schemas/")
	target := r.kind.Definitions[name]
	if target == nil {
		return &schema.Props{Description: props.Description}, ""
	}
	merged := *target
	merged.Default, merged.Nullable = props.Default, props.Nullable || target.Nullable
	if r.kind.GoTypes && zeroDefault(&merged) {
		merged.Default = nil
	}
	if props.Description != "" {
		merged.Description = props.Description
	}
	if merged.Ref != nil || len(merged.AllOf) == 1 && merged.AllOf[0].Ref != nil {
		deeper, component := r.resolve(&merged)
		return deeper, component
	}
	return &merged, name
}

// zeroDefault tells of a default that is the Go zero value. Documents that are made from Go types have one for
// every field that is not a pointer, where it says nothing.
func zeroDefault(s *schema.Props) bool {
	return s.Default != nil && slices.Contains([]string{"{}", `""`, "0", "false"}, string(s.Default.Raw))
}
