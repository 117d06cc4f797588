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

// code is how a field, or a value in it, is decoded.
type code uint8

const (
	codeNone code = iota
	codeString
	codeStrings
	codeMessage // by its own plan
	codePointer // to any value but a number
	codeSlice   // of any values but numbers and strings
	codeMap     // with keys of kind string
	codeBytes
	codeTime      // metav1.Time
	codeMicroTime // metav1.MicroTime
	codeQuantity  // resource.Quantity
	codeFieldsV1  // metav1.FieldsV1
	codeGenerated // by the type's own Unmarshal
	codeInt32
	codeInt64
	codeBool
	codeInt32Pointer
	codeInt64Pointer
	codeBoolPointer
	codeInt32s
	codeInt64s
	codeBools
)

// The wire types that Kubernetes uses, and a mark for fields that do not exist.
const (
	wireVarint = 0
	wireBytes  = 2
	wireNone   = 0xff
)

// field is a field of a message.
type field struct {
	code   code
	value  code  // of the value behind the pointer, in the slice or the map; else the same as code
	wire   uint8 // type of one value
	offset uintptr
	plan   *plan        // of the value, with codeMessage
	size   uintptr      // of the value
	elem   reflect.Type // of the value
	typ    reflect.Type // of the field
	parent reflect.Type // the struct
	index  int          // in the struct
}

// plan is how a message type is decoded.
type plan struct {
	fields []field // by field number; those that do not exist have wireNone
}

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
	stored, _ := plans.Load(t)
	if c, ok := stored.(compiled); ok {
		return c.plan
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
	special         = map[reflect.Type]code{
		reflect.TypeFor[metav1.Time]():       codeTime,
		reflect.TypeFor[metav1.MicroTime]():  codeMicroTime,
		reflect.TypeFor[resource.Quantity](): codeQuantity,
		reflect.TypeFor[metav1.FieldsV1]():   codeFieldsV1,
	}
)

func (p *plan) compile(c *compiler, t reflect.Type) bool {
	if special[t] != codeNone {
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
		compiled.parent, compiled.index = t, i
		if !ok {
			return false
		}
		for len(p.fields) <= number {
			p.fields = append(p.fields, field{wire: wireNone})
		}
		if p.fields[number].wire != wireNone {
			return false
		}
		p.fields[number] = compiled
	}
	return true
}

// field compiles a field by its Go type. The tag's wire type is not looked at: in some tags it is wrong.
func (c *compiler) field(f reflect.StructField) (field, bool) {
	compiled := field{offset: f.Offset, typ: f.Type, elem: f.Type, wire: wireBytes}
	kind := f.Type.Kind()
	switch {
	case reflect.PointerTo(f.Type).Implements(unmarshalerType), kind == reflect.Slice && f.Type.Elem().Kind() == reflect.Uint8:
	case kind == reflect.Pointer:
		compiled.code, compiled.elem = codePointer, f.Type.Elem()
	case kind == reflect.Slice:
		compiled.code, compiled.elem = codeSlice, f.Type.Elem()
	case kind == reflect.Map && f.Type.Key().Kind() == reflect.String:
		compiled.code, compiled.elem = codeMap, f.Type.Elem()
	}
	compiled.size = compiled.elem.Size()
	compiled.value, compiled.plan = c.value(compiled.elem)
	switch value := compiled.value; {
	case value == codeNone:
		return compiled, false
	case numbers[value][codeNone] != codeNone:
		compiled.wire = wireVarint
		compiled.code = numbers[value][compiled.code]
	case value == codeString && compiled.code == codeSlice:
		compiled.code = codeStrings
	case compiled.code == codeNone:
		compiled.code = value
	}
	return compiled, compiled.code != codeNone
}

// numbers has the codes of fields with numbers: plain, behind a pointer and in a slice.
var numbers = map[code]map[code]code{
	codeInt32: {codeNone: codeInt32, codePointer: codeInt32Pointer, codeSlice: codeInt32s},
	codeInt64: {codeNone: codeInt64, codePointer: codeInt64Pointer, codeSlice: codeInt64s},
	codeBool:  {codeNone: codeBool, codePointer: codeBoolPointer, codeSlice: codeBools},
}

// value compiles the type of one value.
func (c *compiler) value(t reflect.Type) (code, *plan) {
	switch {
	case special[t] != codeNone:
		return special[t], nil
	case reflect.PointerTo(t).Implements(unmarshalerType):
		if plan, ok := c.compile(t); ok {
			return codeMessage, plan
		}
		return codeGenerated, nil
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return codeBytes, nil
	}
	return map[reflect.Kind]code{
		reflect.String: codeString, reflect.Bool: codeBool, reflect.Int32: codeInt32, reflect.Int64: codeInt64,
	}[t.Kind()], nil
}
