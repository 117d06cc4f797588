package fastproto

import (
	"reflect"
	"time"
	"unsafe"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// timestamp decodes a metav1.Timestamp.
func (d *decoder) timestamp(start, stop int) (seconds int64, nanos int32, ok bool) {
	for pos := start; pos < stop; {
		at := pos
		var v uint64
		if pos+2 == stop && d.data[pos+1] < 0x80 {
			v, pos = uint64(d.data[pos+1]), stop
		} else if v, pos = d.uvarint(pos+1, stop); pos == 0 {
			return 0, 0, d.fail(at)
		}
		switch d.data[at] {
		case 1<<3 | wireVarint:
			seconds = int64(v)
		case 2<<3 | wireVarint:
			nanos = int32(v)
		default:
			return 0, 0, d.fail(at)
		}
	}
	return seconds, nanos, true
}

// time decodes a metav1.Time, which has no fractions of a second.
func (d *decoder) time(target unsafe.Pointer, start, stop int) bool {
	t := (*metav1.Time)(target)
	if start == stop {
		t.Time = time.Time{}
		return true
	}
	seconds, _, ok := d.timestamp(start, stop)
	t.Time = time.Unix(seconds, 0)
	return ok
}

func (d *decoder) microTime(target unsafe.Pointer, start, stop int) bool {
	t := (*metav1.MicroTime)(target)
	if start == stop {
		t.Time = time.Time{}
		return true
	}
	seconds, nanos, ok := d.timestamp(start, stop)
	t.Time = time.Unix(seconds, int64(time.Duration(nanos).Truncate(time.Microsecond)))
	return ok
}

// only returns the one field of a message that has no other, number 1 and length-delimited. An empty message has none.
func (d *decoder) only(start, stop int) (valueStart, valueStop int, ok bool) {
	if d.data[start] != 1<<3|wireBytes {
		return 0, 0, d.fail(start)
	}
	valueStart, valueStop = d.length(start+1, stop)
	if valueStart == 0 || valueStop != stop {
		return 0, 0, d.fail(start)
	}
	return valueStart, valueStop, true
}

func (d *decoder) quantity(target unsafe.Pointer, start, stop int) bool {
	if start == stop {
		return true
	}
	from, to, ok := d.only(start, stop)
	if !ok {
		return false
	}
	q, err := d.quantities.parse(d.data[from:to])
	if err != nil {
		return d.fail(from)
	}
	*(*resource.Quantity)(target) = q
	return true
}

// quantities remembers the quantities that were parsed last: objects repeat a few, and parsing one is dear.
type quantities [64]struct {
	text     string
	quantity resource.Quantity
}

func (q *quantities) parse(text []byte) (resource.Quantity, error) {
	if len(text) == 0 || len(text) > 16 {
		return resource.ParseQuantity(string(text))
	}
	at := &q[(uint(text[0])*7+uint(text[len(text)-1])*3+uint(text[len(text)/2])+uint(len(text)))%uint(len(q))]
	if at.text != string(text) {
		s := string(text)
		parsed, err := resource.ParseQuantity(s)
		if err != nil {
			return parsed, err
		}
		at.text, at.quantity = s, parsed
	}
	return at.quantity.DeepCopy(), nil
}

func (d *decoder) fieldsV1(target unsafe.Pointer, start, stop int) bool {
	if start == stop {
		return true
	}
	from, to, ok := d.only(start, stop)
	if ok {
		(*metav1.FieldsV1)(target).SetRawBytes(d.data[from:to])
	}
	return ok
}

// entryParts finds key and value in a map entry, a message with fields 1 and 2, in the form in which everybody writes
// it. A missing one is the empty range at start.
func (d *decoder) entryParts(start, stop int) (key, value [2]int, ok bool) {
	key, value = [2]int{start, start}, [2]int{-1, -1}
	for pos := start; pos < stop; {
		tag := d.data[pos]
		from, to := d.length(pos+1, stop)
		switch {
		case from == 0:
			return key, value, d.fail(pos)
		case tag == 1<<3|wireBytes:
			key = [2]int{from, to}
		case tag == 2<<3|wireBytes && value[0] < 0:
			value = [2]int{from, to}
		default:
			return key, value, d.fail(pos)
		}
		pos = to
	}
	if value[0] < 0 {
		value = [2]int{start, start}
	}
	return key, value, true
}

// entry adds an entry to the map at target. at is where its tag is.
func (d *decoder) entry(f *field, target unsafe.Pointer, at, start, stop, end int) bool {
	key, value, ok := d.entryParts(start, stop)
	if !ok {
		return false
	}
	// A map type differs from the one it is taken for here in the name of its key or value type only, so that both are
	// the same in memory.
	switch f.value {
	case codeString:
		m := (*map[string]string)(target)
		if *m == nil {
			*m = make(map[string]string, d.run(at, end))
		}
		k := d.string(key[0], key[1])
		(*m)[k] = d.string(value[0], value[1])
		return true
	case codeQuantity:
		m := (*map[string]resource.Quantity)(target)
		if *m == nil {
			*m = make(map[string]resource.Quantity, d.run(at, end))
		}
		var q resource.Quantity
		ok := d.quantity(unsafe.Pointer(&q), value[0], value[1])
		(*m)[d.string(key[0], key[1])] = q
		return ok
	}
	m := reflect.NewAt(f.typ, target).Elem()
	if m.IsNil() {
		m.Set(reflect.MakeMapWithSize(f.typ, d.run(at, end)))
	}
	k := reflect.New(f.typ.Key()).Elem()
	k.SetString(d.string(key[0], key[1]))
	v := reflect.New(f.elem)
	ok = d.value(f, v.UnsafePointer(), value[0], value[1])
	m.SetMapIndex(k, v.Elem())
	return ok
}
