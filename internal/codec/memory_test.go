package codec

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	kruntime "k8s.io/apimachinery/pkg/runtime"
)

// repeated is a list whose one item comes n times, made as it is read.
type repeated struct {
	head, item, tail []byte
	n                int
	rest             []byte
}

func (r *repeated) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		switch {
		case r.head != nil:
			r.rest, r.head = r.head, nil
		case r.n > 0:
			r.rest, r.n = r.item, r.n-1
		case r.tail != nil:
			r.rest, r.tail = r.tail, nil
		default:
			return 0, io.EOF
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// The memory of a streamed list must not depend on how many items it has.
func TestDecodeListMemory(t *testing.T) {
	body := podList(t, 1, JSON)
	at := bytes.Index(body, []byte(`"items":[`)) + len(`"items":[`)
	end := bytes.LastIndex(body, []byte(`]}`))
	item := bytes.Join([][]byte{body[at:end], nil}, []byte(","))
	live := func(n int) uint64 {
		r := &repeated{head: body[:at], item: item, tail: body[at : end+2], n: n - 1}
		var most uint64
		items := 0
		_, err := DecodeList(r, JSON, newPod, podKind, func(kruntime.Object) bool {
			if items++; items%1000 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
			return true
		})
		if err != nil || items != n {
			t.Fatal(items, err)
		}
		return most
	}
	few, many := live(2000), live(20000)
	if many > few+1<<20 {
		t.Errorf("%d bytes live for 2,000 items, %d for 20,000", few, many)
	}
}
