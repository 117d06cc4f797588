package fastjson

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// member is a member of an untyped object or, without name, an element of an array.
type member struct {
	name  string
	value any
}

// untyped reads any value as apimachinery's unstructured content has it.
func (d *decoder) untyped(pos int) (any, int) {
	switch c := d.at(pos); c {
	case '"':
		content, next := d.str(pos)
		if next == failed {
			return nil, failed
		}
		return d.text.String(content, len(d.data)-pos), next
	case '{':
		return d.untypedObject(pos)
	case '[':
		return d.untypedArray(pos)
	case 't':
		return true, d.literal(pos, "true")
	case 'f':
		return false, d.literal(pos, "false")
	case 'n':
		return nil, d.literal(pos, "null")
	default:
		return d.untypedNumber(pos)
	}
}

// untypedNumber reads an int64 if the number is one, else a float64.
func (d *decoder) untypedNumber(pos int) (any, int) {
	next, integer := d.number(pos)
	if next == failed {
		return nil, failed
	}
	if integer {
		if n, ok := d.int64(pos, next); ok {
			return n, next
		}
	}
	f, err := strconv.ParseFloat(d.view(pos, next), 64)
	if err != nil {
		return nil, failed
	}
	return f, next
}

func (d *decoder) untypedObject(pos int) (any, int) {
	first := len(d.members)
	next := d.each(pos, '}', func(pos int) int {
		content, next := d.str(pos)
		if next == failed {
			return failed
		}
		name := d.names.get(content)
		if pos = d.colon(next); pos == failed {
			return failed
		}
		value, next := d.untyped(pos)
		if next != failed {
			d.members = append(d.members, member{name, value})
		}
		return next
	})
	if next == failed {
		return nil, failed
	}
	m := make(map[string]any, len(d.members)-first)
	for _, member := range d.members[first:] {
		m[member.name] = member.value
	}
	clear(d.members[first:])
	d.members = d.members[:first]
	return m, next
}

func (d *decoder) untypedArray(pos int) (any, int) {
	first := len(d.members)
	next := d.each(pos, ']', func(pos int) int {
		value, next := d.untyped(pos)
		if next != failed {
			d.members = append(d.members, member{value: value})
		}
		return next
	})
	if next == failed {
		return nil, failed
	}
	a := make([]any, len(d.members)-first)
	for i, member := range d.members[first:] {
		a[i] = member.value
	}
	clear(d.members[first:])
	d.members = d.members[:first]
	return a, next
}

// names shares the strings of member names, of which Kubernetes' objects have few different ones. It remembers as many
// as it has places; a newer name takes the place of an older one.
type names [1024]string

const maxName = 64

func (n *names) get(b []byte) string {
	if len(b) == 0 || len(b) > maxName {
		return string(b)
	}
	at := &n[place(b)%uint64(len(n))]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}

// place hashes a name by its length, first and last bytes.
func place(b []byte) uint64 {
	var head, tail uint64
	switch n := len(b); {
	case n >= 8:
		head, tail = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		head, tail = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	default:
		head, tail = uint64(b[0])|uint64(b[n/2])<<8, uint64(b[n-1])
	}
	high, low := bits.Mul64(head^uint64(len(b))*0x9e3779b97f4a7c15, bits.RotateLeft64(tail, 32)^0xd6e8feb86659fd93)
	return high ^ low
}
