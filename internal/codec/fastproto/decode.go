package fastproto

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/kubesdk/kubesdk/internal/codec/textblock"
)

// Message is what generated types implement.
type Message interface {
	Reset()
	Unmarshal([]byte) error
}

// Unmarshal replaces *into, a pointer to a struct, by the message data. It keeps no reference to data.
func Unmarshal(data []byte, into Message) error {
	v := reflect.ValueOf(into)
	p := planFor(v.Type().Elem())
	if p == nil {
		into.Reset()
		return into.Unmarshal(data)
	}
	v.Elem().SetZero()
	d := decoder{data: data}
	if d.message(p, v.UnsafePointer(), 0, len(data)) {
		return nil
	}
	into.Reset()
	if err := into.Unmarshal(data); err != nil {
		return fmt.Errorf("at byte %d of the message: %w", d.stopped, err)
	}
	return nil
}

// decoder decodes one message. Its methods return false when they meet anything that they do not expect, valid or not;
// stopped is then where.
type decoder struct {
	data    []byte
	text    textblock.Block
	stopped int
}

func (d *decoder) fail(pos int) bool {
	d.stopped = pos
	return false
}

// uvarint reads a varint that starts at pos and ends before end. next is 0 if there is none.
func (d *decoder) uvarint(pos, end int) (v uint64, next int) {
	if pos >= end {
		return 0, 0
	}
	if b := d.data[pos]; b < 0x80 {
		return uint64(b), pos + 1
	}
	v, n := binary.Uvarint(d.data[pos:end])
	if n <= 0 {
		return 0, 0
	}
	return v, pos + n
}

// length reads the length of a value at pos and returns where the value starts and ends. start is 0 if it does not end
// before end.
func (d *decoder) length(pos, end int) (start, stop int) {
	n, start := d.uvarint(pos, end)
	if start == 0 || n > uint64(end-start) {
		return 0, 0
	}
	return start, start + int(n)
}

// message decodes data[pos:end] into the struct at base. Tags and lengths of one byte, which nearly all are, are read in
// place.
func (d *decoder) message(p *plan, base unsafe.Pointer, pos, end int) bool {
	data := d.data[:end]
	for pos < len(data) {
		at := pos
		tag := uint64(data[pos])
		pos++
		if tag >= 0x80 {
			if tag, pos = d.uvarint(at, end); pos == 0 {
				return d.fail(at)
			}
		}
		if tag < 8 || tag>>3 >= uint64(len(p.fields)) || p.fields[tag>>3].op == opNone {
			if pos = d.skip(tag, pos, end); pos == 0 {
				return d.fail(at)
			}
			continue
		}
		f := &p.fields[tag>>3]
		if uint8(tag&7) != f.wire {
			return d.fail(at) // packed integers are left to the generated method too
		}
		target := unsafe.Add(base, f.offset)
		if f.wire == wireVarint {
			v, next := d.uvarint(pos, end)
			if next == 0 {
				return d.fail(at)
			}
			pos = next
			d.integer(f, target, v)
			continue
		}
		stop := 0
		if pos < len(data) && data[pos] < 0x80 {
			stop = pos + 1 + int(data[pos])
			pos++
		} else if pos, stop = d.length(pos, end); pos == 0 {
			return d.fail(at)
		}
		if stop > len(data) {
			return d.fail(at)
		}
		ok := true
		switch f.shape {
		case plain:
			switch f.op {
			case opString:
				*(*string)(target) = d.string(pos, stop)
			case opMessage:
				ok = d.message(f.plan, target, pos, stop)
			default:
				ok = d.value(f, target, pos, stop)
			}
		case pointer:
			ok = d.pointer(f, target, pos, stop)
		case slice:
			ok = d.element(f, target, at, pos, stop, end)
		case mapping:
			ok = d.entry(f, target, at, pos, stop, end)
		}
		if !ok {
			return false
		}
		pos = stop
	}
	return true
}

// skip returns where the value of an unknown field ends that starts at pos, or 0.
func (d *decoder) skip(tag uint64, pos, end int) int {
	if tag>>3 == 0 || tag>>32 != 0 {
		return 0
	}
	switch tag & 7 {
	case wireVarint:
		_, next := d.uvarint(pos, end)
		return next
	case wireBytes:
		_, stop := d.length(pos, end)
		return stop
	case 1:
		pos += 8
	case 5:
		pos += 4
	default:
		return 0
	}
	if pos > end {
		return 0
	}
	return pos
}

// integer stores a varint in the field at target.
func (d *decoder) integer(f *field, target unsafe.Pointer, v uint64) {
	switch f.shape {
	case plain:
		switch f.op {
		case opInt32:
			*(*int32)(target) = int32(v)
		case opInt64:
			*(*int64)(target) = int64(v)
		case opBool:
			*(*bool)(target) = v != 0
		}
	case pointer:
		switch f.op {
		case opInt32:
			*(**int32)(target) = new(int32(v))
		case opInt64:
			*(**int64)(target) = new(int64(v))
		case opBool:
			*(**bool)(target) = new(v != 0)
		}
	case slice:
		switch f.op {
		case opInt32:
			s := (*[]int32)(target)
			*s = append(*s, int32(v))
		case opInt64:
			s := (*[]int64)(target)
			*s = append(*s, int64(v))
		case opBool:
			s := (*[]bool)(target)
			*s = append(*s, v != 0)
		}
	}
}

// string returns data[start:stop] as a string of its own.
func (d *decoder) string(start, stop int) string {
	return d.text.String(d.data[start:stop], len(d.data)-start)
}

// value decodes data[start:stop] into the value at target.
func (d *decoder) value(f *field, target unsafe.Pointer, start, stop int) bool {
	switch f.op {
	case opString:
		*(*string)(target) = d.string(start, stop)
	case opMessage:
		return d.message(f.plan, target, start, stop)
	case opBytes:
		*(*[]byte)(target) = append([]byte{}, d.data[start:stop]...)
	case opTime:
		return d.time(target, start, stop)
	case opMicroTime:
		return d.microTime(target, start, stop)
	case opQuantity:
		return d.quantity(target, start, stop)
	case opFieldsV1:
		return d.fieldsV1(target, start, stop)
	default:
		v := reflect.NewAt(f.elem, target)
		if f.elem.Kind() == reflect.Slice && v.Elem().IsNil() {
			v.Elem().Set(reflect.MakeSlice(f.elem, 0, 0)) // a list message that is there is not nil
		}
		if v.Interface().(unmarshaler).Unmarshal(d.data[start:stop]) != nil {
			return d.fail(start)
		}
	}
	return true
}

// pointer decodes into the value that the pointer at target points to, which is made if it is not there. A second
// message adds to the first, any other value replaces it.
func (d *decoder) pointer(f *field, target unsafe.Pointer, start, stop int) bool {
	to := (*unsafe.Pointer)(target)
	if f.op == opString {
		*(**string)(target) = new(d.string(start, stop))
		return true
	}
	if *to == nil {
		*to = reflect.New(f.elem).UnsafePointer()
	}
	return d.value(f, *to, start, stop)
}

// run counts the values of a repeated field that follow each other from at on, where the first one's tag is.
func (d *decoder) run(at, end int) int {
	tag, _ := d.uvarint(at, end)
	n := 0
	for pos := at; pos < end; n++ {
		next, valueAt := d.uvarint(pos, end)
		if valueAt == 0 || next != tag {
			break
		}
		_, stop := d.length(valueAt, end)
		if stop == 0 {
			break
		}
		pos = stop
	}
	return max(n, 1)
}

// sliceHeader is how a slice lies in memory.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// element appends a value to the slice at target. at is where its tag is.
func (d *decoder) element(f *field, target unsafe.Pointer, at, start, stop, end int) bool {
	if f.op == opString {
		s := (*[]string)(target)
		if len(*s) == cap(*s) {
			*s = slices.Grow(*s, d.run(at, end))
		}
		*s = append(*s, d.string(start, stop))
		return true
	}
	s := (*sliceHeader)(target)
	if s.len == s.cap {
		reflect.NewAt(f.typ, target).Elem().Grow(d.run(at, end))
	}
	elem := unsafe.Add(s.data, uintptr(s.len)*f.size)
	s.len++
	return d.value(f, elem, start, stop)
}
