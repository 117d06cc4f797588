package fastproto

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/kubesdk/kubesdk/internal/codec/textblock"
)

// Message is what generated types implement.
type Message interface {
	Reset()
	Unmarshal([]byte) error
}

// Unmarshal decodes the message data into *into, a struct that must be zero. It keeps no reference to data.
func Unmarshal(data []byte, into Message) error {
	v := reflect.ValueOf(into)
	p := planFor(v.Type().Elem())
	if p == nil {
		return into.Unmarshal(data)
	}
	stopped, ok := fast(p, v.UnsafePointer(), data)
	if ok {
		return nil
	}
	into.Reset()
	if err := into.Unmarshal(data); err != nil {
		return fmt.Errorf("at byte %d of the message: %w", stopped, err)
	}
	return nil
}

// decoder decodes one message. Its methods return false when they meet anything that they do not expect, valid or not;
// stopped is then where.
type decoder struct {
	data    []byte
	text    textblock.Strings // kept from one message to the next
	stopped int

	quantities quantities // kept too
}

var decoders sync.Pool // of *decoder

// fast decodes data into the zero struct at base.
func fast(p *plan, base unsafe.Pointer, data []byte) (stopped int, ok bool) {
	d, found := decoders.Get().(*decoder)
	if !found {
		d = new(decoder)
	}
	d.data = data
	ok = d.message(p, base, 0, len(data))
	d.data = nil
	d.text.Done()
	stopped = d.stopped
	decoders.Put(d)
	return stopped, ok
}

func (d *decoder) fail(pos int) bool {
	d.stopped = pos
	return false
}

// uvarint reads a varint that starts at pos and ends before end. next is 0 if there is none.
func (d *decoder) uvarint(pos, end int) (v uint64, next int) {
	v, n := binary.Uvarint(d.data[pos:end])
	if n <= 0 {
		return 0, 0
	}
	return v, pos + n
}

// length reads the length of a value at pos and returns where the value starts and ends. start is 0 if it does not end
// before end.
func (d *decoder) length(pos, end int) (start, stop int) {
	if pos < end && d.data[pos] < 0x80 {
		start, stop = pos+1, pos+1+int(d.data[pos])
		if stop > end {
			return 0, 0
		}
		return start, stop
	}
	n, start := d.uvarint(pos, end)
	if start == 0 || n > uint64(end-start) {
		return 0, 0
	}
	return start, start + int(n)
}

// message decodes data[pos:end] into the struct at base. Tags, lengths and numbers of one or two bytes, which nearly all
// are, are read in place.
func (d *decoder) message(p *plan, base unsafe.Pointer, pos, end int) bool {
	data, fields := d.data[:end], p.fields
	for pos < len(data) {
		at := pos
		tag := uint64(data[pos])
		pos++
		if tag >= 0x80 {
			if pos < len(data) && data[pos] < 0x80 {
				tag = tag&0x7f | uint64(data[pos])<<7
				pos++
			} else if tag, pos = d.uvarint(at, end); pos == 0 {
				return d.fail(at)
			}
		}
		if tag>>3 >= uint64(len(fields)) || fields[tag>>3].wire != uint8(tag&7) || pos >= len(data) {
			if pos = d.unexpected(p, tag, pos, end); pos == 0 {
				return d.fail(at)
			}
			continue
		}
		f := &fields[tag>>3]
		v := uint64(data[pos])
		pos++
		if v >= 0x80 {
			if pos < len(data) && data[pos] < 0x80 {
				v = v&0x7f | uint64(data[pos])<<7
				pos++
			} else if v, pos = d.uvarint(pos-1, end); pos == 0 {
				return d.fail(at)
			}
		}
		target := unsafe.Add(base, f.offset)
		if f.wire == wireVarint {
			integer(f.code, target, v)
			continue
		}
		if v > uint64(len(data)-pos) {
			return d.fail(at)
		}
		stop := pos + int(v)
		ok := true
		switch f.code {
		case codeString:
			*(*string)(target) = d.text.String(data[pos:stop], len(d.data)-pos)
		case codeMessage:
			ok = d.message(f.plan, target, pos, stop)
		case codePointer:
			ok = d.pointer(f, target, pos, stop)
		case codeStrings, codeSlice:
			ok = d.element(f, target, at, pos, stop, end)
		case codeMap:
			ok = d.entry(f, target, at, pos, stop, end)
		default:
			ok = d.value(f, target, pos, stop)
		}
		if !ok {
			return false
		}
		pos = stop
	}
	return true
}

// unexpected returns where the value at pos ends of a field that the plan does not have. It returns 0 if it has the
// field, but with another wire type, if there is no such field number and for whatever else is better left alone.
func (d *decoder) unexpected(p *plan, tag uint64, pos, end int) int {
	number := tag >> 3
	if number == 0 || tag>>32 != 0 || number < uint64(len(p.fields)) && p.fields[number].wire != wireNone {
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
func integer(c code, target unsafe.Pointer, v uint64) {
	switch c {
	case codeInt32:
		*(*int32)(target) = int32(v)
	case codeInt64:
		*(*int64)(target) = int64(v)
	case codeBool:
		*(*bool)(target) = v != 0
	case codeInt32Pointer:
		*(**int32)(target) = new(int32(v))
	case codeInt64Pointer:
		*(**int64)(target) = new(int64(v))
	case codeBoolPointer:
		*(**bool)(target) = new(v != 0)
	case codeInt32s:
		s := (*[]int32)(target)
		*s = append(*s, int32(v))
	case codeInt64s:
		s := (*[]int64)(target)
		*s = append(*s, int64(v))
	case codeBools:
		s := (*[]bool)(target)
		*s = append(*s, v != 0)
	}
}

// string returns data[start:stop] as a string of its own.
func (d *decoder) string(start, stop int) string {
	return d.text.String(d.data[start:stop], len(d.data)-start)
}

// value decodes data[start:stop] into the value at target.
func (d *decoder) value(f *field, target unsafe.Pointer, start, stop int) bool {
	switch f.value {
	case codeString:
		*(*string)(target) = d.string(start, stop)
	case codeMessage:
		return d.message(f.plan, target, start, stop)
	case codeBytes:
		*(*[]byte)(target) = append([]byte{}, d.data[start:stop]...)
	case codeTime:
		return d.time(target, start, stop)
	case codeMicroTime:
		return d.microTime(target, start, stop)
	case codeQuantity:
		return d.quantity(target, start, stop)
	case codeFieldsV1:
		return d.fieldsV1(target, start, stop)
	default:
		v := reflect.NewAt(f.elem, target)
		if f.elem.Kind() == reflect.Slice && v.Elem().IsNil() {
			v.Elem().Set(reflect.MakeSlice(f.elem, 0, 0)) // a list message that is there is not nil
		}
		if u, ok := v.Interface().(unmarshaler); !ok || u.Unmarshal(d.data[start:stop]) != nil {
			return d.fail(start)
		}
	}
	return true
}

// pointer decodes into the value that the pointer at target points to, which is made if it is not there. A second
// message adds to the first, any other value replaces it.
func (d *decoder) pointer(f *field, target unsafe.Pointer, start, stop int) bool {
	to := (*unsafe.Pointer)(target)
	if f.value == codeString {
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
	tag, n := d.data[at], 0
	if tag >= 0x80 {
		return 1
	}
	for pos := at; pos < end && d.data[pos] == tag; n++ {
		if _, pos = d.length(pos+1, end); pos == 0 {
			break
		}
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
	if f.code == codeStrings {
		s := (*[]string)(target)
		if len(*s) == cap(*s) {
			*s = slices.Grow(*s, d.run(at, end))
		}
		*s = append(*s, d.string(start, stop))
		return true
	}
	s := (*sliceHeader)(target)
	if s.len == s.cap {
		d.grow(f, s, target, d.run(at, end))
	}
	elem := unsafe.Add(s.data, uintptr(s.len)*f.size)
	s.len++
	return d.value(f, elem, start, stop)
}

// grow makes room for n more values in the slice s at target.
func (d *decoder) grow(f *field, s *sliceHeader, target unsafe.Pointer, n int) {
	if n == 1 && s.cap == 0 { // as of most lists: containers, their ports, the addresses of a pod
		s.data, s.cap = reflect.New(f.elem).UnsafePointer(), 1
		return
	}
	// By way of the struct, because there is no cheap way to a reflect.Value of type *[]T.
	parent := reflect.NewAt(f.parent, unsafe.Add(target, -int(f.offset)))
	parent.Elem().Field(f.index).Grow(n)
}
