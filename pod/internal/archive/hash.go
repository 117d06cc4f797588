package archive

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"math/bits"
)

// Hasher is a program of the container together with what makes the same hashes here. They are checks against accidents, not
// against attackers: whoever could forge one can as well change the file.
type Hasher struct {
	Program string
	New     func() hash.Hash
}

// HasherOf is the Hasher of a program; its New is nil if the program is not known.
func HasherOf(program string) Hasher {
	news := map[string]func() hash.Hash{
		"sha256sum": sha256.New, "sha1sum": sha1.New, "md5sum": md5.New,
		"cksum": func() hash.Hash { return &cksum{} },
	}
	return Hasher{program, news[program]}
}

// cksum is the CRC of POSIX' cksum: it takes the bits of a byte in the other order than hash/crc32, which is why they are
// reversed on the way in and out, and ends with the length.
type cksum struct {
	crc  uint32 // in the order of hash/crc32
	size uint64
	buf  [4096]byte
}

func (c *cksum) Write(p []byte) (int, error) {
	c.size += uint64(len(p))
	c.add(p)
	return len(p), nil
}

func (c *cksum) add(p []byte) {
	for len(p) > 0 {
		part := p[:min(len(p), len(c.buf))]
		reverse(c.buf[:len(part)], part)
		c.crc = ^crc32.Update(^c.crc, crc32.IEEETable, c.buf[:len(part)])
		p = p[len(part):]
	}
}

// reverse writes the bytes of from into to, which is as long, each with its bits in reverse.
func reverse(to, from []byte) {
	for len(from) >= 32 && len(to) >= 32 { // several at once: they do not wait for each other
		a, b := binary.NativeEndian.Uint64(from), binary.NativeEndian.Uint64(from[8:])
		c, d := binary.NativeEndian.Uint64(from[16:]), binary.NativeEndian.Uint64(from[24:])
		binary.NativeEndian.PutUint64(to, reverseBytes(a))
		binary.NativeEndian.PutUint64(to[8:], reverseBytes(b))
		binary.NativeEndian.PutUint64(to[16:], reverseBytes(c))
		binary.NativeEndian.PutUint64(to[24:], reverseBytes(d))
		to, from = to[32:], from[32:]
	}
	for i, b := range from {
		to[i] = bits.Reverse8(b)
	}
}

// reverseBytes reverses the bits of each byte. Sums, where or would do, are one instruction with the multiplication.
func reverseBytes(x uint64) uint64 {
	x = (x >> 1 & 0x5555555555555555) + 2*(x&0x5555555555555555)
	x = (x >> 2 & 0x3333333333333333) + 4*(x&0x3333333333333333)
	return (x >> 4 & 0x0f0f0f0f0f0f0f0f) + 16*(x&0x0f0f0f0f0f0f0f0f)
}

func (c *cksum) Sum(b []byte) []byte {
	end := *c
	for n := c.size; n > 0; n >>= 8 {
		end.add([]byte{byte(n)})
	}
	return binary.BigEndian.AppendUint32(b, ^bits.Reverse32(end.crc))
}

func (c *cksum) Reset()         { c.crc, c.size = 0, 0 }
func (c *cksum) Size() int      { return crc32.Size }
func (c *cksum) BlockSize() int { return 1 }
