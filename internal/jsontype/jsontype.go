package jsontype

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"sync"
)

// Kind is the shape that a Go type has in JSON.
type Kind uint8

// The kinds of a Type.
const (
	Scalar Kind = iota // a boolean, number or string
	Bytes              // a byte slice: a base64 string
	Object             // a struct: an object with known members
	Map                // a map: an object with any members
	List               // a slice or an array
	Any                // an interface: only the value tells
	Raw                // marshals itself, or cannot be marshaled: opaque
)

// Type is the shape of a Go type in JSON. Pointers do not count: *T has the shape of T.
type Type struct {
	Go     reflect.Type // never a pointer
	Kind   Kind
	Elem   *Type   // of a Map or a List
	Fields []Field // of an Object, in the order of their names

	byName map[string]int
	direct []int // by Go field number: 1 + the member's number, 0 for none
}

// Field is one member of an Object.
type Field struct {
	Name string
	Type *Type
	// Go is the field's own type: a pointer where the struct has one.
	Go reflect.Type
	// Tag is the whole tag of the struct's field, patch strategies included.
	Tag reflect.StructTag
	// Index leads from the struct to the field, through embedded structs.
	Index []int
	// Quoted scalars are written as strings.
	Quoted bool
	// OmitEmpty and OmitZero are the tag's options.
	OmitEmpty, OmitZero bool

	isZero func(reflect.Value) bool
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	zeroer        = reflect.TypeFor[interface{ IsZero() bool }]()
)

var (
	known  sync.Map // reflect.Type → *Type
	making sync.Mutex
)

// Of returns the shape of t.
func Of(t reflect.Type) *Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if found, ok := known.Load(t); ok {
		return found.(*Type) //nolint:forcetypeassert // known holds nothing else
	}
	making.Lock()
	defer making.Unlock()
	fresh := make(map[reflect.Type]*Type)
	made := build(t, fresh)
	for goType, shape := range fresh {
		known.LoadOrStore(goType, shape)
	}
	return made
}

// Field returns the member called name, and whether an Object has it.
func (t *Type) Field(name string) (*Field, bool) {
	i, ok := t.byName[name]
	if !ok {
		return nil, false
	}
	return &t.Fields[i], true
}

// FieldAt returns the member that lies at the Go field number i of the struct embedded at index, which is empty for the struct
// itself. It is nil when that field is none.
func (t *Type) FieldAt(index []int, i int) *Field {
	if len(index) == 0 {
		if t.direct == nil || t.direct[i] == 0 {
			return nil
		}
		return &t.Fields[t.direct[i]-1]
	}
	for f := range t.Fields {
		at := t.Fields[f].Index
		if len(at) == len(index)+1 && at[len(index)] == i && slices.Equal(at[:len(index)], index) {
			return &t.Fields[f]
		}
	}
	return nil
}

// build examines t and what it refers to. Types being built are in fresh already, so recursive types end.
func build(t reflect.Type, fresh map[reflect.Type]*Type) *Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if found, ok := known.Load(t); ok {
		return found.(*Type) //nolint:forcetypeassert // known holds nothing else
	}
	if found, ok := fresh[t]; ok {
		return found
	}
	made := &Type{Go: t}
	fresh[t] = made
	if t.Kind() != reflect.Interface && marshalsItself(t) {
		made.Kind = Raw
		return made
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		made.Kind = Scalar
	case reflect.Struct:
		made.Kind = Object
		made.setFields(structFields(t), fresh)
	case reflect.Map:
		made.Kind = Raw
		if mapKey(t.Key()) {
			made.Kind = Map
			made.Elem = build(t.Elem(), fresh)
		}
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !marshalsItself(t.Elem()) {
			made.Kind = Bytes
			return made
		}
		made.Kind = List
		made.Elem = build(t.Elem(), fresh)
	case reflect.Interface:
		made.Kind = Any
	default:
		made.Kind = Raw
	}
	return made
}

func (t *Type) setFields(fields []Field, fresh map[reflect.Type]*Type) {
	sort.Slice(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	t.Fields = fields
	t.byName = make(map[string]int, len(fields))
	t.direct = make([]int, t.Go.NumField())
	for i := range fields {
		fields[i].Type = build(fields[i].Go, fresh)
		t.byName[fields[i].Name] = i
		if len(fields[i].Index) == 1 {
			t.direct[fields[i].Index[0]] = i + 1
		}
	}
}

func marshalsItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return t.Implements(marshaler) || pointer.Implements(marshaler) ||
		t.Implements(textMarshaler) || pointer.Implements(textMarshaler)
}

func mapKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return t.Kind() == reflect.String || !t.Implements(textMarshaler)
	}
	return false
}

// KeyName is the member's name that a map key has in JSON.
func KeyName(key reflect.Value) string {
	switch {
	case key.Kind() == reflect.String:
		return key.String()
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10)
	default:
		return strconv.FormatUint(key.Uint(), 10)
	}
}

// Key is the map key of type t that is called name in JSON, and whether there is one.
func Key(t reflect.Type, name string) (reflect.Value, bool) {
	key := reflect.New(t).Elem()
	switch {
	case t.Kind() == reflect.String:
		key.SetString(name)
	case key.CanInt():
		n, err := strconv.ParseInt(name, 10, t.Bits())
		if err != nil {
			return key, false
		}
		key.SetInt(n)
	case key.CanUint():
		n, err := strconv.ParseUint(name, 10, t.Bits())
		if err != nil {
			return key, false
		}
		key.SetUint(n)
	default:
		return key, false
	}
	return key, true
}

// Deref follows pointers and interfaces to the value itself. It is false for a nil on the way, and for a nil map or slice:
// what JSON calls null.
func Deref(v reflect.Value) (reflect.Value, bool) {
	for {
		switch v.Kind() {
		case reflect.Invalid:
			return v, false
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		case reflect.Map, reflect.Slice:
			return v, !v.IsNil()
		default:
			return v, true
		}
	}
}
