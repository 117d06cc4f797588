// Package textblock makes the strings of decoded objects cheap: they hold no reference to the buffer that they were
// decoded from, the ones that come again and again (names of labels, phases, images) are shared, and the rest is packed
// into blocks, one allocation for some dozens of them.
package textblock

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

const (
	// size is how much text shares one allocation, and so the most that a string kept for longer than its object keeps
	// alive with it.
	size = 1024
	// least is the smallest block for an object that has more text than the one before.
	least = 128
	// own is the length from which a string has its own allocation.
	own = 256
	// common is the length up to which strings are shared.
	common = 64
	// places is how many shared strings are remembered. A newer one takes the place of an older one.
	places = 512
)

// Strings makes strings. Its zero value is ready; it is not safe for concurrent use.
type Strings struct {
	block []byte // rest of the current block
	used  int    // bytes packed for this object
	last  int    // and for the one before, which the next is taken to be like
	known [places]place
}

// place remembers a string that was seen twice, and the hash of the last one that was not it: what comes only once,
// like the name and the UID of an object, takes nothing away.
type place struct {
	text string
	last uint64
}

// Done is called when an object is complete: the next one shares no block with it.
func (s *Strings) Done() { s.block, s.used, s.last = nil, 0, s.used }

// String returns b as a string. bound is at least as much as all strings still to come take together, b included: no
// block is made larger than that.
func (s *Strings) String(b []byte, bound int) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) <= common {
		h := hash(b)
		p := &s.known[h%places]
		if p.text == string(b) {
			return p.text
		}
		if p.last == h {
			p.text = string(b)
			return p.text
		}
		p.last = h
	}
	return s.pack(b, bound)
}

func (s *Strings) pack(b []byte, bound int) string {
	if len(b) >= own {
		return string(b)
	}
	if len(b) > len(s.block) {
		expected := bound
		if s.last > 0 {
			expected = min(bound, max(s.last-s.used, least))
		}
		s.block = make([]byte, max(len(b), min(size, expected)))
	}
	s.used += len(b)
	n := copy(s.block, b)
	packed := unsafe.String(&s.block[0], n)
	s.block = s.block[n:]
	return packed
}

// hash is made of a string's length and its first and last eight bytes.
func hash(b []byte) uint64 {
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
