// Package textblock allocates the strings of a decoded object in blocks: one allocation for some dozens of them, and no
// reference to the buffer that they were decoded from.
package textblock

import "unsafe"

const (
	// size is how much text shares one allocation, and so the most that a string kept for longer than its object keeps
	// alive with it.
	size = 1024
	// own is the length from which a string has its own allocation.
	own = 256
)

// Block makes strings. Its zero value is ready; it is not safe for concurrent use.
type Block struct {
	free []byte // rest of the current block
}

// String returns b as a string. bound is at least as much as all strings still to come take together, b included: no
// block is made larger than that.
func (t *Block) String(b []byte, bound int) string {
	switch {
	case len(b) == 0:
		return ""
	case len(b) >= own:
		return string(b)
	case len(b) > len(t.free):
		t.free = make([]byte, max(len(b), min(size, bound)))
	}
	n := copy(t.free, b)
	s := unsafe.String(&t.free[0], n)
	t.free = t.free[n:]
	return s
}
