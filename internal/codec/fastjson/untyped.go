package fastjson

import "strconv"

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
		m, next := d.untypedObject(pos)
		return m, next
	case '[':
		a, next := d.untypedArray(pos)
		return a, next
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

func (d *decoder) untypedObject(pos int) (map[string]any, int) {
	first := len(d.members)
	next := d.each(pos, '}', func(pos int) int {
		content, next := d.str(pos)
		if next == failed {
			return failed
		}
		name := d.text.String(content, len(d.data)-pos)
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

func (d *decoder) untypedArray(pos int) ([]any, int) {
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
