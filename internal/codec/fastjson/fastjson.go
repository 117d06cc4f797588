package fastjson

import (
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubesdk/kubesdk/internal/codec/textblock"
)

// decoder decodes one body. Its methods take the position from which they read and return the one after it, or failed
// for whatever they do not expect, valid or not.
type decoder struct {
	data    []byte
	text    textblock.Strings // kept from one body to the next
	members []member          // of the untyped objects and arrays that are being read, the inner ones last
	scratch []byte
	depth   int
}

// failed is the position that says that something else must decode the body.
const failed = -1

// maxDepth bounds the nesting. sigs.k8s.io/json, which goes on where this ends, has a bound of its own.
const maxDepth = 500

var decoders sync.Pool // of *decoder

func start(data []byte) *decoder {
	d, ok := decoders.Get().(*decoder)
	if !ok {
		d = new(decoder)
	}
	d.data, d.depth = data, 0
	return d
}

// done gives the decoder back, without anything of the object that it has made.
func (d *decoder) done() {
	d.data = nil
	d.text.Done()
	clear(d.members)
	d.members = d.members[:0]
	decoders.Put(d)
}

// Object returns the object that data is. data is not kept.
func Object(data []byte) (map[string]any, error) {
	if m, ok := object(data); ok {
		return m, nil
	}
	var m map[string]any
	err := json.Unmarshal(data, &m)
	return m, err
}

func object(data []byte) (map[string]any, bool) {
	d := start(data)
	defer d.done()
	pos := d.space(0)
	if pos >= len(data) || data[pos] != '{' {
		return nil, false
	}
	m, pos := d.untypedObject(pos)
	return m, pos != failed && d.space(pos) == len(data)
}

// Unmarshal decodes data into what into, a non-nil pointer, points to, which must be zero. data is not kept.
func Unmarshal(data []byte, into any) error {
	if unmarshal(data, into) {
		return nil
	}
	reflect.ValueOf(into).Elem().SetZero()
	return json.Unmarshal(data, into)
}

func unmarshal(data []byte, into any) bool {
	v := reflect.ValueOf(into)
	p := planFor(v.Type().Elem())
	if p.op == opLeave {
		return false
	}
	d := start(data)
	defer d.done()
	pos := d.typed(p, v.UnsafePointer(), d.space(0))
	return pos != failed && d.space(pos) == len(data)
}
