package fastproto

import (
	"reflect"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// op is how one value is decoded.
type op uint8

const (
	opNone op = iota
	opString
	opBytes
	opBool
	opInt32
	opInt64
	opMessage   // by its own plan
	opTime      // metav1.Time
	opMicroTime // metav1.MicroTime
	opQuantity  // resource.Quantity
	opFieldsV1  // metav1.FieldsV1
	opGenerated // by the type's own Unmarshal
)

// shape is how the value stands in its field.
type shape uint8

const (
	plain shape = iota
	pointer
	slice
	mapping // a map with keys of kind string
)

// field is a field of a message.
type field struct {
	op     op
	shape  shape
	wire   uint8 // wire type of a value: varint or bytes
	offset uintptr
	size   uintptr      // of elem
	elem   reflect.Type // type of the value: behind the pointer, in the slice or the map
	typ    reflect.Type // type of the field
	plan   *plan        // of elem, with opMessage
}

// plan is how a message type is decoded.
type plan struct {
	fields []field // by field number; those that do not exist have opNone
}

const (
	wireVarint = 0
	wireBytes  = 2
)

// maxFieldNumber bounds the table of a plan. Kubernetes' types have no greater numbers.
const maxFieldNumber = 255

type compiled struct {
	plan *plan // nil if the type is left to its generated method
}

var (
	plans   sync.Map // reflect.Type of a struct → compiled
	compile sync.Mutex
)

// planFor returns the plan of struct type t, or nil.
func planFor(t reflect.Type) *plan {
	if c, ok := plans.Load(t); ok {
		return c.(compiled).plan
	}
	compile.Lock()
	defer compile.Unlock()
	c := compiler{}
	p, ok := c.compile(t)
	if !ok {
		p = nil
	}
	plans.Store(t, compiled{p})
	return p
}

// compiler compiles a type and those in it. made holds the plans under way too, for types that hold themselves.
type compiler struct {
	made map[reflect.Type]*plan
}

// compile returns the plan of struct type t, unless there is something about it that this package does not know.
func (c *compiler) compile(t reflect.Type) (*plan, bool) {
	if p, ok := c.made[t]; ok {
		return p, p != nil
	}
	if c.made == nil {
		c.made = map[reflect.Type]*plan{}
	}
	p := &plan{}
	c.made[t] = p
	if !known(t) || !p.compile(c, t) {
		c.made[t] = nil
		return nil, false
	}
	return p, true
}

// known tells whether t comes from the modules whose types are all held against their generated methods by a test.
func known(t reflect.Type) bool {
	path := t.PkgPath()
	return t.Kind() == reflect.Struct &&
		(strings.HasPrefix(path, "k8s.io/api/") || strings.HasPrefix(path, "k8s.io/apimachinery/")) &&
		reflect.PointerTo(t).Implements(unmarshalerType)
}

type unmarshaler interface{ Unmarshal([]byte) error }

var (
	unmarshalerType = reflect.TypeFor[unmarshaler]()
	typeMetaType    = reflect.TypeFor[metav1.TypeMeta]()
	runtimeObject   = reflect.TypeFor[runtime.Object]()
	special         = map[reflect.Type]op{
		reflect.TypeFor[metav1.Time]():       opTime,
		reflect.TypeFor[metav1.MicroTime]():  opMicroTime,
		reflect.TypeFor[resource.Quantity](): opQuantity,
		reflect.TypeFor[metav1.FieldsV1]():   opFieldsV1,
	}
)

func (p *plan) compile(c *compiler, t reflect.Type) bool {
	if special[t] != opNone {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("protobuf")
		if tag == "" && (f.Anonymous && f.Type == typeMetaType || f.Type == runtimeObject) {
			continue // not on the wire
		}
		parts := strings.SplitN(tag, ",", 3)
		if len(parts) < 3 || !f.IsExported() {
			return false
		}
		number, err := strconv.Atoi(parts[1])
		if err != nil || number < 1 || number > maxFieldNumber {
			return false
		}
		compiled, ok := c.field(f)
		if !ok {
			return false
		}
		for len(p.fields) <= number {
			p.fields = append(p.fields, field{})
		}
		if p.fields[number].op != opNone {
			return false
		}
		p.fields[number] = compiled
	}
	return true
}

// field compiles a field by its Go type. The tag's wire type is not looked at: in some tags it is wrong.
func (c *compiler) field(f reflect.StructField) (field, bool) {
	compiled := field{offset: f.Offset, typ: f.Type, elem: f.Type}
	implements := reflect.PointerTo(f.Type).Implements(unmarshalerType)
	switch kind := f.Type.Kind(); {
	case implements, kind == reflect.Slice && f.Type.Elem().Kind() == reflect.Uint8:
	case kind == reflect.Pointer:
		compiled.shape, compiled.elem = pointer, f.Type.Elem()
	case kind == reflect.Slice:
		compiled.shape, compiled.elem = slice, f.Type.Elem()
	case kind == reflect.Map:
		if f.Type.Key().Kind() != reflect.String {
			return compiled, false
		}
		compiled.shape, compiled.elem = mapping, f.Type.Elem()
	}
	compiled.size = compiled.elem.Size()
	compiled.wire = wireBytes
	switch elem := compiled.elem; {
	case special[elem] != opNone:
		compiled.op = special[elem]
	case reflect.PointerTo(elem).Implements(unmarshalerType):
		compiled.op = opGenerated
		if plan, ok := c.compile(elem); ok {
			compiled.op, compiled.plan = opMessage, plan
		}
	default:
		compiled.op = scalar(elem)
		if compiled.op == opBool || compiled.op == opInt32 || compiled.op == opInt64 {
			compiled.wire = wireVarint
		}
	}
	if compiled.shape == mapping && compiled.wire != wireBytes {
		return compiled, false
	}
	return compiled, compiled.op != opNone
}

func scalar(t reflect.Type) op {
	switch t.Kind() {
	case reflect.String:
		return opString
	case reflect.Bool:
		return opBool
	case reflect.Int32:
		return opInt32
	case reflect.Int64:
		return opInt64
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return opBytes
		}
	}
	return opNone
}
