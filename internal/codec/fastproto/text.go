package fastproto

import "unsafe"

const (
	// blockSize is how much text shares one allocation, and so the most that a string kept for longer than its object
	// keeps alive with it.
	blockSize = 1024
	// ownSize is the length from which a string has its own allocation.
	ownSize = 256
)

// text packs strings into blocks: one allocation for some dozens of them.
type text struct {
	free []byte // rest of the current block
}

// add returns b as a string. bound is at least as much as all strings still to come take together, b included.
func (t *text) add(b []byte, bound int) string {
	switch {
	case len(b) == 0:
		return ""
	case len(b) >= ownSize:
		return string(b)
	case len(b) > len(t.free):
		t.free = make([]byte, max(len(b), min(blockSize, bound)))
	}
	n := copy(t.free, b)
	s := unsafe.String(&t.free[0], n)
	t.free = t.free[n:]
	return s
}
