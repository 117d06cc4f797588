package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// source reads a stream through one buffer that is used again for every item. What its methods return stays valid
// until the next call.
type source struct {
	r        io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] has been read from r and not been taken yet
	offset   int64 // position of buf[0] in the stream
	full     bool  // the last read could have been larger
	err      error // what r returned last; nothing is read after it
}

const (
	firstBuffer = 16 << 10
	// largeBuffer is what the buffer of a stream grows to that comes faster than it is decoded. Of HTTP/2, every read
	// costs a frame back to the server, so that fewer and larger ones are much cheaper.
	largeBuffer = 256 << 10
	maxEmpty    = 100 // reads in a row that return nothing before the reader is taken for broken
)

func newSource(r io.Reader) *source { return &source{r: r, buf: make([]byte, firstBuffer)} }

// at is the position in the stream of what comes next.
func (s *source) at() int64 { return s.offset + int64(s.pos) }

// fill reads more into the buffer and keeps what is in it, growing it as bytes arrive, never ahead of them: a length
// that a broken stream claims costs no memory. At the end of the stream it returns io.EOF.
func (s *source) fill() error {
	if s.err != nil {
		return s.err
	}
	s.makeRoom()
	for range maxEmpty {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.full = s.end == len(s.buf)
		s.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.err = io.ErrNoProgress
	return s.err
}

// makeRoom leaves at least half of the buffer free behind what is in it.
func (s *source) makeRoom() {
	kept := s.end - s.pos
	target := s.buf
	switch {
	case kept > len(s.buf)/2, s.full && len(s.buf) < largeBuffer:
		target = make([]byte, 2*len(s.buf))
	case s.end <= len(s.buf)/2:
		return
	}
	copy(target, s.buf[s.pos:s.end])
	s.offset += int64(s.pos)
	s.buf, s.pos, s.end = target, 0, kept
}

// isEnd tells whether err is the end of a stream.
func isEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // the end is io.EOF itself, as io.Reader says; a wrapped one is an error of something else
}

// start returns what the stream starts with, for an error about it.
func (s *source) start() []byte {
	if err := s.fill(); err != nil && s.end == 0 {
		return nil
	}
	return s.buf[:s.end]
}

// unexpected turns the end of the stream into io.ErrUnexpectedEOF and says where it was.
func (s *source) unexpected(err error) error {
	if isEnd(err) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("at byte %d of the stream: %w", s.offset+int64(s.end), err)
}

// take returns the next n bytes.
func (s *source) take(n int) ([]byte, error) {
	for s.end-s.pos < n {
		if err := s.fill(); err != nil {
			return nil, s.unexpected(err)
		}
	}
	b := s.buf[s.pos : s.pos+n]
	s.pos += n
	return b, nil
}

// uvarint returns the next protobuf varint and how many bytes it took.
func (s *source) uvarint() (uint64, int, error) {
	for {
		v, n := binary.Uvarint(s.buf[s.pos:s.end])
		switch {
		case n > 0:
			s.pos += n
			return v, n, nil
		case n < 0:
			return 0, 0, fmt.Errorf("at byte %d of the stream: %w", s.at(), errOverflow)
		}
		if err := s.fill(); err != nil {
			return 0, 0, s.unexpected(err)
		}
	}
}

// skip drops the next n bytes.
func (s *source) skip(n int64) error {
	for {
		if left := int64(s.end - s.pos); n <= left {
			s.pos += int(n)
			return nil
		}
		n -= int64(s.end - s.pos)
		s.pos = s.end
		if err := s.fill(); err != nil {
			return s.unexpected(err)
		}
	}
}

// peek returns the next byte that is not JSON white space, without taking it. At the end of the stream it returns
// io.EOF itself.
func (s *source) peek() (byte, error) {
	for {
		for s.pos < s.end {
			if c := s.buf[s.pos]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c, nil
			}
			s.pos++
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// expect takes the next byte after white space, which must be want.
func (s *source) expect(want byte) error {
	c, err := s.peek()
	if err != nil {
		return s.unexpected(err)
	}
	if c != want {
		return s.misplaced(c, fmt.Sprintf("%q", want))
	}
	s.pos++
	return nil
}

func (s *source) misplaced(c byte, want string) error {
	near := s.buf[s.pos:min(s.end, s.pos+40)]
	return fmt.Errorf("at byte %d of the stream: expected %s, got %q in %q", s.at(), want, c, near)
}

// value returns the bytes of the next JSON value. It finds the end by counting brackets outside of strings, which is
// several times cheaper than decoding; whether what is between them is JSON is for the decoder of the value to say.
func (s *source) value() ([]byte, error) {
	c, err := s.peek()
	if err != nil {
		return nil, s.unexpected(err)
	}
	switch c {
	case '{', '[':
		return s.nested()
	case '"':
		n, err := s.stringEnd(1)
		if err != nil {
			return nil, err
		}
		return s.take(n)
	case ',', ':', '}', ']':
		return nil, s.misplaced(c, "a value")
	default:
		return s.literal()
	}
}

// need reads on when a scan of the value at pos has come to n bytes, the end of what has been read.
func (s *source) need(n int) error {
	if n > MaxItemSize {
		return fmt.Errorf("at byte %d of the stream: value %w", s.at(), ErrTooLarge)
	}
	if err := s.fill(); err != nil {
		return s.unexpected(err)
	}
	return nil
}

// structural marks the bytes that a scan for the end of an object or array stops at.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

// nested returns the object or array that starts at pos.
func (s *source) nested() ([]byte, error) {
	depth := 0
	for n := 0; ; {
		window := s.buf[s.pos:s.end]
		for n < len(window) && !structural[window[n]] {
			n++
		}
		if n == len(window) {
			if err := s.need(n); err != nil {
				return nil, err
			}
			continue
		}
		switch window[n] {
		case '"':
			end, err := s.stringEnd(n + 1)
			if err != nil {
				return nil, err
			}
			n = end
			continue
		case '{', '[':
			depth++
		default:
			depth--
		}
		n++
		if depth == 0 {
			return s.take(n)
		}
	}
}

// stringEnd returns where, counted from pos, the string ends whose content starts at n: the index after its quote.
func (s *source) stringEnd(n int) (int, error) {
	start := n
	for {
		window := s.buf[s.pos:s.end]
		i := bytes.IndexByte(window[n:], '"')
		if i < 0 {
			n = len(window)
			if err := s.need(n); err != nil {
				return 0, err
			}
			continue
		}
		n += i + 1
		backslashes := 0
		for k := n - 2; k >= start && window[k] == '\\'; k-- {
			backslashes++
		}
		if backslashes%2 == 0 {
			return n, nil
		}
	}
}

// literal returns the number, true, false or null at pos: everything up to a delimiter or the end of the stream.
func (s *source) literal() ([]byte, error) {
	for n := 0; ; n++ {
		if s.pos+n == s.end {
			if err := s.need(n); err != nil {
				return nil, err
			}
		}
		switch s.buf[s.pos+n] {
		case ',', ']', '}', ':', ' ', '\n', '\r', '\t':
			return s.take(n)
		}
	}
}
