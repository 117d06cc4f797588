package fastjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"unsafe"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// op is how a value of a Go type is decoded.
type op uint8

const (
	opLeave op = iota // by sigs.k8s.io/json
	opString
	opBool
	opInt
	opUint
	opFloat
	opBytes
	opAny
	opStruct
	opPointer
	opSlice
	opMap
	opStringMap
	opTime
	opQuantity
	opUnmarshaler // by the type's own UnmarshalJSON
)

// plan is how a Go type is decoded.
type plan struct {
	op     op
	typ    reflect.Type
	size   uintptr
	elem   *plan             // of opPointer, opSlice and opMap
	fields map[string]*field // of opStruct
}

// field is a member of a struct, or of a struct embedded in it.
type field struct {
	index  int // among the fields, to find repetitions
	offset uintptr
	plan   *plan
}

// maxFields bounds the fields of a struct: as many as one word has bits for to remember which have been seen.
const maxFields = 64

var (
	plans   sync.Map // reflect.Type → *plan
	compile sync.Mutex
)

// planFor returns the plan of t, which is opLeave if nothing about it can be done better.
func planFor(t reflect.Type) *plan {
	stored, _ := plans.Load(t)
	if p, ok := stored.(*plan); ok {
		return p
	}
	compile.Lock()
	defer compile.Unlock()
	c := compiler{}
	p := c.compile(t)
	plans.Store(t, p)
	return p
}

// compiler compiles a type and those in it. It holds the plans under way too, for types that hold themselves.
type compiler map[reflect.Type]*plan

var (
	unmarshalerType     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	known               = map[reflect.Type]op{
		reflect.TypeFor[metav1.Time]():       opTime,
		reflect.TypeFor[resource.Quantity](): opQuantity,
		reflect.TypeFor[json.Number]():       opLeave,
		reflect.TypeFor[map[string]string](): opStringMap,
		reflect.TypeFor[any]():               opAny,
	}
	scalars = map[reflect.Kind]op{
		reflect.String: opString, reflect.Bool: opBool,
		reflect.Int: opInt, reflect.Int8: opInt, reflect.Int16: opInt, reflect.Int32: opInt, reflect.Int64: opInt,
		reflect.Uint: opUint, reflect.Uint8: opUint, reflect.Uint16: opUint, reflect.Uint32: opUint, reflect.Uint64: opUint,
		reflect.Float32: opFloat, reflect.Float64: opFloat,
	}
)

func (c compiler) compile(t reflect.Type) *plan {
	if p, ok := c[t]; ok {
		return p
	}
	p := &plan{typ: t, size: t.Size()}
	c[t] = p
	p.op = c.fill(p, t)
	return p
}

// fill completes the plan of t and returns its op.
func (c compiler) fill(p *plan, t reflect.Type) op {
	if op, ok := known[t]; ok {
		return op
	}
	pointer := reflect.PointerTo(t)
	switch {
	case t.Kind() != reflect.Pointer && pointer.Implements(unmarshalerType):
		if t.Name() == "" {
			return opLeave // methods of unnamed types are not looked for by sigs.k8s.io/json
		}
		return opUnmarshaler
	case t.Implements(textUnmarshalerType), pointer.Implements(textUnmarshalerType):
		return c.textUnmarshaler(p, t)
	}
	switch kind := t.Kind(); kind {
	case reflect.Pointer:
		return c.pointer(p, t)
	case reflect.Struct:
		p.fields = map[string]*field{}
		if !c.members(p, t, 0) {
			return opLeave
		}
		return opStruct
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			if t.Elem() == reflect.TypeFor[byte]() {
				return opBytes
			}
			return opLeave
		}
		p.elem = c.compile(t.Elem())
		return opSlice
	case reflect.Map:
		key := t.Key()
		if key.Kind() != reflect.String || reflect.PointerTo(key).Implements(textUnmarshalerType) {
			return opLeave
		}
		p.elem = c.compile(t.Elem())
		return opMap
	default:
		return scalars[kind]
	}
}

// textUnmarshaler compiles a type with UnmarshalText. Only a pointer to one is not left to sigs.k8s.io/json as a whole,
// because it has UnmarshalText through the type that it points to.
func (c compiler) textUnmarshaler(p *plan, t reflect.Type) op {
	if t.Kind() == reflect.Pointer {
		return c.pointer(p, t)
	}
	return opLeave
}

func (c compiler) pointer(p *plan, t reflect.Type) op {
	if t.Name() != "" || t.Elem().Kind() == reflect.Pointer || t.Elem().Kind() == reflect.Interface {
		return opLeave
	}
	p.elem = c.compile(t.Elem())
	return opPointer
}

// members adds the fields of t, which lies at offset in p's struct. It returns false if there is anything about them
// whose rules this package does not have: the same name twice, the string option, embedded pointers.
func (c compiler) members(p *plan, t reflect.Type, offset uintptr) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if strings.Contains(options, "string") || !plainName(name) {
			return false
		}
		if f.Anonymous && name == "" {
			if f.Type.Kind() != reflect.Struct || !c.members(p, f.Type, offset+f.Offset) {
				return false
			}
			continue
		}
		if !f.IsExported() {
			return false
		}
		if name == "" {
			name = f.Name
		}
		if _, ok := p.fields[name]; ok || len(p.fields) == maxFields {
			return false
		}
		p.fields[name] = &field{index: len(p.fields), offset: offset + f.Offset, plan: c.compile(f.Type)}
	}
	return true
}

// plainName tells whether a name in a tag is taken as it is. Some characters make sigs.k8s.io/json ignore a name.
func plainName(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != '/' && c != '$' {
			return false
		}
	}
	return true
}

// sliceHeader is how a slice lies in memory.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}
