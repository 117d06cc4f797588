package fastjson

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// space skips white space.
func (d *decoder) space(pos int) int {
	for pos < len(d.data) {
		if c := d.data[pos]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		pos++
	}
	return pos
}

// at returns the byte at pos, or 0 at the end, which is no token.
func (d *decoder) at(pos int) byte {
	if pos < len(d.data) {
		return d.data[pos]
	}
	return 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks in each byte's highest bit whether the byte is a quote, a backslash, a control character or not ASCII.
// Marks above the lowest one may be wrong.
func special(w uint64) uint64 {
	quote := w ^ '"'*ones
	backslash := w ^ '\\'*ones
	return ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-' '*ones)&^w | w) & highs
}

// stringEnd returns where the string ends, at its closing quote, whose content starts at pos, and whether it has
// escapes.
func (d *decoder) stringEnd(pos int) (end int, escapes bool) {
	data, start, ascii := d.data, pos, true
	for {
		if pos+8 <= len(data) {
			mark := special(binary.LittleEndian.Uint64(data[pos:]))
			if mark == 0 {
				pos += 8
				continue
			}
			pos += bits.TrailingZeros64(mark) / 8
		}
		switch c := d.at(pos); {
		case c == '"':
			if !ascii && !utf8.Valid(data[start:pos]) {
				return failed, false
			}
			return pos, escapes
		case c == '\\':
			escapes = true
			pos += 2
		case c < ' ':
			return failed, false
		default:
			ascii = ascii && c < utf8.RuneSelf
			pos++
		}
	}
}

// str reads the content of the string that starts, with its quote, at pos. The result is valid until the next call.
func (d *decoder) str(pos int) (content []byte, next int) {
	if d.at(pos) != '"' {
		return nil, failed
	}
	end, escapes := d.stringEnd(pos + 1)
	if end == failed {
		return nil, failed
	}
	content = d.data[pos+1 : end]
	if escapes {
		var ok bool
		if content, ok = d.unescape(content); !ok {
			return nil, failed
		}
	}
	return content, end + 1
}

var escaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape returns content without escapes, in a buffer that the next call uses again.
func (d *decoder) unescape(content []byte) ([]byte, bool) {
	out := d.scratch[:0]
	for i := 0; i < len(content); {
		c := content[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(content) {
			return nil, false
		}
		if plain := escaped[content[i+1]]; plain != 0 {
			out = append(out, plain)
			i += 2
			continue
		}
		r := unicodeEscape(content[i:])
		i += 6
		if utf16.IsSurrogate(r) {
			if i > len(content) {
				return nil, false
			}
			r = utf16.DecodeRune(r, unicodeEscape(content[i:]))
			i += 6
			if r == utf8.RuneError {
				return nil, false
			}
		}
		if r < 0 {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
	}
	d.scratch = out
	return out, true
}

// unicodeEscape returns the code unit of the \uXXXX that b starts with, or -1.
func unicodeEscape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// digits skips digits, of which there must be at least one.
func (d *decoder) digits(pos int) int {
	start := pos
	for c := d.at(pos); '0' <= c && c <= '9'; c = d.at(pos) {
		pos++
	}
	if pos == start {
		return failed
	}
	return pos
}

// number finds the end of the number at pos, and whether it is written as an integer.
func (d *decoder) number(pos int) (next int, integer bool) {
	if d.at(pos) == '-' {
		pos++
	}
	if d.at(pos) == '0' {
		pos++
	} else if pos = d.digits(pos); pos == failed {
		return failed, false
	}
	integer = true
	if d.at(pos) == '.' {
		integer = false
		if pos = d.digits(pos + 1); pos == failed {
			return failed, false
		}
	}
	if c := d.at(pos); c == 'e' || c == 'E' {
		integer = false
		pos++
		if c := d.at(pos); c == '+' || c == '-' {
			pos++
		}
		if pos = d.digits(pos); pos == failed {
			return failed, false
		}
	}
	return pos, integer
}

// view is data[from:to] as a string that must not be kept.
func (d *decoder) view(from, to int) string {
	return unsafe.String(unsafe.SliceData(d.data[from:to]), to-from)
}

// int64 returns the integer in data[from:to].
func (d *decoder) int64(from, to int) (int64, bool) {
	if digits := d.data[from:to]; len(digits) <= 18 {
		negative := digits[0] == '-'
		if negative {
			digits = digits[1:]
		}
		var n int64
		for _, c := range digits {
			n = n*10 + int64(c-'0')
		}
		if negative {
			n = -n
		}
		return n, true
	}
	n, err := strconv.ParseInt(d.view(from, to), 10, 64)
	return n, err == nil
}

// literal skips a word.
func (d *decoder) literal(pos int, word string) int {
	if end := pos + len(word); end <= len(d.data) && string(d.data[pos:end]) == word {
		return end
	}
	return failed
}

// skip skips any value, and makes sure that it is one.
func (d *decoder) skip(pos int) int {
	switch c := d.at(pos); c {
	case '{':
		return d.each(pos, '}', func(pos int) int {
			_, pos = d.str(pos)
			if pos = d.colon(pos); pos == failed {
				return failed
			}
			return d.skip(pos)
		})
	case '[':
		return d.each(pos, ']', d.skip)
	case '"':
		_, pos = d.str(pos)
		return pos
	case 't':
		return d.literal(pos, "true")
	case 'f':
		return d.literal(pos, "false")
	case 'n':
		return d.literal(pos, "null")
	default:
		pos, _ = d.number(pos)
		return pos
	}
}

// each calls read for every part of the object or array at pos, with the position of the part.
func (d *decoder) each(pos int, end byte, read func(pos int) int) int {
	if d.depth++; d.depth > maxDepth {
		return failed
	}
	pos = d.space(pos + 1)
	if d.at(pos) == end {
		d.depth--
		return pos + 1
	}
	for {
		if pos = read(pos); pos == failed {
			return failed
		}
		pos = d.space(pos)
		switch d.at(pos) {
		case end:
			d.depth--
			return pos + 1
		case ',':
			pos = d.space(pos + 1)
		default:
			return failed
		}
	}
}

// colon skips the colon between a name, which ended at pos, and its value.
func (d *decoder) colon(pos int) int {
	if pos == failed {
		return failed
	}
	if pos = d.space(pos); d.at(pos) != ':' {
		return failed
	}
	return d.space(pos + 1)
}
