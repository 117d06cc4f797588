package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var errOverflow = errors.New("a varint longer than 64 bits")

// unknown is what the envelope of a protobuf body says: the parsed runtime.Unknown.
type unknown struct {
	apiVersion, kind string
	raw              []byte
}

// parseEnvelope parses a whole protobuf body. raw is a part of body.
func parseEnvelope(body []byte) (unknown, error) {
	var u unknown
	if !bytes.HasPrefix(body, []byte(envelope)) {
		if bytes.HasPrefix([]byte(envelope), body) {
			return u, fmt.Errorf("expected an object in an envelope, %s: %w", quote(body), io.ErrUnexpectedEOF)
		}
		return u, fmt.Errorf("expected the envelope %q, %s", envelope, quote(body))
	}
	seen := false
	err := fields(body[len(envelope):], func(tag uint64, value []byte) error {
		switch tag {
		case tagTypeMeta:
			return fields(value, func(tag uint64, value []byte) error {
				switch tag {
				case tagAPIVersion:
					u.apiVersion = string(value)
				case tagKind:
					u.kind = string(value)
				}
				return nil
			})
		case tagRaw:
			u.raw, seen = value, true
		case tagContentEncoding:
			return checkContentEncoding(value)
		}
		return nil
	})
	if err == nil && !seen {
		err = fmt.Errorf("no object in it: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return u, fmt.Errorf("protobuf envelope: %w", err)
	}
	return u, nil
}

func checkContentEncoding(value []byte) error {
	if len(value) > 0 {
		return fmt.Errorf("content encoding %q is not supported", value)
	}
	return nil
}

// fields calls visit for the fields of a message in their order. value is set for length-delimited fields only. It is
// for the few small messages around objects; deprecated groups, which they never had, are an error.
func fields(msg []byte, visit func(tag uint64, value []byte) error) error {
	for pos := 0; pos < len(msg); {
		start := pos
		tag, n := binary.Uvarint(msg[pos:])
		if n <= 0 {
			return fmt.Errorf("at byte %d: tag: %w", start, varintError(n))
		}
		pos += n
		var value []byte
		switch tag & 7 {
		case 0:
			_, n = binary.Uvarint(msg[pos:])
			if n <= 0 {
				return fmt.Errorf("at byte %d: %w", pos, varintError(n))
			}
			pos += n
		case 1:
			pos += 8
		case 5:
			pos += 4
		case 2:
			size, n := binary.Uvarint(msg[pos:])
			if n <= 0 {
				return fmt.Errorf("at byte %d: length: %w", pos, varintError(n))
			}
			pos += n
			if size > uint64(len(msg)-pos) {
				return fmt.Errorf("at byte %d: %d bytes expected, %d left: %w", pos, size, len(msg)-pos, io.ErrUnexpectedEOF)
			}
			value = msg[pos : pos+int(size) : pos+int(size)]
			pos += int(size)
		default:
			return fmt.Errorf("at byte %d: wire type %d is not supported", start, tag&7)
		}
		if pos > len(msg) {
			return fmt.Errorf("at byte %d: %w", start, io.ErrUnexpectedEOF)
		}
		if tag>>3 == 0 {
			return fmt.Errorf("at byte %d: field number 0", start)
		}
		if err := visit(tag, value); err != nil {
			return err
		}
	}
	return nil
}

// varintError explains what binary.Uvarint returned.
func varintError(n int) error {
	if n == 0 {
		return io.ErrUnexpectedEOF
	}
	return errOverflow
}
