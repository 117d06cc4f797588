// Package loglines makes one log of the answers to several requests: where a connection is cut, the next request asks for
// what came since, and what was seen already is taken out.
package loglines

import (
	"bytes"
	"hash/maphash"
	"time"
)

// Resumer knows which lines were seen. The server takes a time to begin at in whole seconds, and the lines of standard
// output and standard error may be slightly out of order, so lines are compared one by one. The zero value has seen
// nothing. It is for one goroutine.
type Resumer struct {
	last  time.Time
	seen  map[key]int
	order []key // as they came
	again map[key]int
}

type key struct {
	at   int64 // Unix nanoseconds
	text uint64
}

var seed = maphash.MakeSeed()

// slack is how far lines may be out of order.
const slack = time.Second

// Since is the time to ask for after a cut; false: nothing was seen yet.
func (r *Resumer) Since() (time.Time, bool) {
	if r.last.IsZero() {
		return time.Time{}, false
	}
	return r.last.Truncate(time.Second).Add(-slack), true
}

// Resume is called before the lines of the next answer come, which begins at Since.
func (r *Resumer) Resume() {
	r.prune()
	r.again = make(map[key]int, len(r.seen))
	for k, n := range r.seen {
		r.again[k] = n
	}
}

// New says whether a line was not seen before.
func (r *Resumer) New(at time.Time, text []byte) bool {
	k := key{at.UnixNano(), maphash.Bytes(seed, text)}
	if r.again[k] > 0 {
		r.again[k]--
		return false
	}
	if r.seen == nil {
		r.seen = map[key]int{}
	}
	r.seen[k]++
	r.order = append(r.order, k)
	if at.After(r.last) {
		later := at.Unix() > r.last.Unix()
		r.last = at
		if later {
			r.prune()
		}
	}
	return true
}

// prune forgets lines that no answer can hold again.
func (r *Resumer) prune() {
	since, ok := r.Since()
	if !ok {
		return
	}
	limit, kept := since.UnixNano(), r.order[:0]
	for _, k := range r.order {
		if k.at >= limit {
			kept = append(kept, k)
			continue
		}
		if r.seen[k]--; r.seen[k] <= 0 {
			delete(r.seen, k)
		}
	}
	r.order = kept
}

// Parse cuts a line that the server sent with a timestamp. ok is false if it has none: it is the rest of a line then whose
// beginning is before the time that was asked for.
func Parse(line []byte) (at time.Time, text []byte, ok bool) {
	stamp, text, found := bytes.Cut(line, []byte{' '})
	if !found {
		stamp, text = line, nil
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return time.Time{}, line, false
	}
	return at, text, true
}
