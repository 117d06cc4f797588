package fastjson

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// typed reads the value at pos into target, where a zero value of the plan's type is.
func (d *decoder) typed(p *plan, target unsafe.Pointer, pos int) int {
	if d.at(pos) == 'n' && p.op != opUnmarshaler && p.op != opLeave {
		return d.literal(pos, "null") // leaves every zero value as it is
	}
	switch p.op {
	case opString:
		content, next := d.str(pos)
		if next != failed {
			*(*string)(target) = d.text.String(content, len(d.data)-pos)
		}
		return next
	case opStruct:
		return d.structure(p, target, pos)
	case opPointer:
		elem := reflect.New(p.elem.typ)
		next := d.typed(p.elem, elem.UnsafePointer(), pos)
		*(*unsafe.Pointer)(target) = elem.UnsafePointer()
		return next
	case opSlice:
		return d.slice(p, target, pos)
	case opMap:
		return d.mapping(p, target, pos)
	case opStringMap:
		return d.stringMap((*map[string]string)(target), pos)
	case opAny:
		v, next := d.untyped(pos)
		*(*any)(target) = v
		return next
	case opBool:
		*(*bool)(target) = d.at(pos) == 't'
		if d.at(pos) == 't' {
			return d.literal(pos, "true")
		}
		return d.literal(pos, "false")
	case opInt, opUint, opFloat:
		return d.typedNumber(p, target, pos)
	case opBytes:
		return d.bytes((*[]byte)(target), pos)
	case opTime:
		return d.time((*metav1.Time)(target), pos)
	case opQuantity:
		return d.quantity((*resource.Quantity)(target), pos)
	default:
		return d.leave(p, target, pos)
	}
}

// leave lets the type's own method, or sigs.k8s.io/json, decode a value.
func (d *decoder) leave(p *plan, target unsafe.Pointer, pos int) int {
	next := d.skip(pos)
	if next == failed {
		return failed
	}
	into := reflect.NewAt(p.typ, target).Interface()
	decode := func(value []byte) error { return utiljson.Unmarshal(value, into) }
	if u, ok := into.(json.Unmarshaler); ok && p.op == opUnmarshaler {
		decode = u.UnmarshalJSON
	}
	if decode(d.data[pos:next]) != nil {
		return failed
	}
	return next
}

// structure reads an object into a struct. Members that the struct does not have are skipped.
func (d *decoder) structure(p *plan, target unsafe.Pointer, pos int) int {
	if d.at(pos) != '{' {
		return failed
	}
	var seen uint64
	return d.each(pos, '}', func(pos int) int {
		name, next := d.str(pos)
		if next == failed {
			return failed
		}
		f := p.fields[string(name)]
		if pos = d.colon(next); pos == failed {
			return failed
		}
		if f == nil {
			return d.skip(pos)
		}
		if seen&(1<<f.index) != 0 {
			return failed // the second value would add to the first
		}
		seen |= 1 << f.index
		return d.typed(f.plan, unsafe.Add(target, f.offset), pos)
	})
}

func (d *decoder) slice(p *plan, target unsafe.Pointer, pos int) int {
	if d.at(pos) != '[' {
		return failed
	}
	s := (*sliceHeader)(target)
	value := reflect.NewAt(p.typ, target).Elem()
	next := d.each(pos, ']', func(pos int) int {
		if s.len == s.cap {
			value.Grow(1)
		}
		elem := unsafe.Add(s.data, uintptr(s.len)*p.elem.size)
		s.len++
		return d.typed(p.elem, elem, pos)
	})
	if s.data == nil {
		value.Set(reflect.MakeSlice(p.typ, 0, 0))
	}
	return next
}

func (d *decoder) mapping(p *plan, target unsafe.Pointer, pos int) int {
	if d.at(pos) != '{' {
		return failed
	}
	m := reflect.NewAt(p.typ, target).Elem()
	m.Set(reflect.MakeMap(p.typ))
	key, elem := reflect.New(p.typ.Key()).Elem(), reflect.New(p.elem.typ).Elem()
	return d.each(pos, '}', func(pos int) int {
		name, next := d.str(pos)
		if next == failed {
			return failed
		}
		key.SetString(d.text.String(name, len(d.data)-pos))
		if pos = d.colon(next); pos == failed {
			return failed
		}
		elem.SetZero()
		next = d.typed(p.elem, elem.Addr().UnsafePointer(), pos)
		if next != failed {
			m.SetMapIndex(key, elem)
		}
		return next
	})
}

func (d *decoder) stringMap(target *map[string]string, pos int) int {
	if d.at(pos) != '{' {
		return failed
	}
	m := map[string]string{}
	*target = m
	return d.each(pos, '}', func(pos int) int {
		content, next := d.str(pos)
		if next == failed {
			return failed
		}
		name := d.text.String(content, len(d.data)-pos)
		if pos = d.colon(next); pos == failed {
			return failed
		}
		if d.at(pos) == 'n' {
			m[name] = ""
			return d.literal(pos, "null")
		}
		if content, next = d.str(pos); next != failed {
			m[name] = d.text.String(content, len(d.data)-pos)
		}
		return next
	})
}

func (d *decoder) typedNumber(p *plan, target unsafe.Pointer, pos int) int {
	next, integer := d.number(pos)
	if next == failed {
		return failed
	}
	bits := int(p.size) * 8
	switch p.op {
	case opInt:
		n, ok := int64(0), false
		if integer {
			n, ok = d.int64(pos, next)
		}
		if !ok || n != n<<(64-bits)>>(64-bits) {
			return failed
		}
		store(target, p.size, uint64(n))
	case opUint:
		n, err := strconv.ParseUint(d.view(pos, next), 10, bits)
		if err != nil {
			return failed
		}
		store(target, p.size, n)
	default:
		f, err := strconv.ParseFloat(d.view(pos, next), bits)
		if err != nil {
			return failed
		}
		if p.size == 4 {
			*(*float32)(target) = float32(f)
		} else {
			*(*float64)(target) = f
		}
	}
	return next
}

// store puts an integer of size bytes, signed or not, in its place.
func store(target unsafe.Pointer, size uintptr, n uint64) {
	switch size {
	case 1:
		*(*uint8)(target) = uint8(n)
	case 2:
		*(*uint16)(target) = uint16(n)
	case 4:
		*(*uint32)(target) = uint32(n)
	default:
		*(*uint64)(target) = n
	}
}

func (d *decoder) bytes(target *[]byte, pos int) int {
	content, next := d.str(pos)
	if next == failed {
		return failed
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(content)))
	n, err := base64.StdEncoding.Decode(decoded, content)
	if err != nil {
		return failed
	}
	*target = decoded[:n]
	return next
}

// time reads what metav1.Time's own method reads.
func (d *decoder) time(target *metav1.Time, pos int) int {
	content, next := d.str(pos)
	if next == failed {
		return failed
	}
	t, err := time.Parse(time.RFC3339, unsafe.String(unsafe.SliceData(content), len(content)))
	if err != nil {
		return failed
	}
	target.Time = t.Local()
	return next
}

// quantity reads the string or number that a Quantity is written as. Its own method does not know escapes; what has any
// is left to it.
func (d *decoder) quantity(target *resource.Quantity, pos int) int {
	from := pos
	to, _ := d.number(pos)
	next := to
	if d.at(pos) == '"' {
		end, escapes := d.stringEnd(pos + 1)
		if escapes {
			return failed
		}
		from, to, next = pos+1, end, end+1
	}
	if to == failed {
		return failed
	}
	q, err := resource.ParseQuantity(d.text.String(d.data[from:to], len(d.data)-from))
	if err != nil {
		return failed // also for spaces, which the method forgives
	}
	*target = q
	return next
}
