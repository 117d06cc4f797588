package codec

import (
	"fmt"
	"io"
)

// Field numbers of every list message: its metadata, then its items.
const (
	tagListMeta = 1<<3 | 2
	tagItems    = 2<<3 | 2
)

// protobuf decodes the envelope around a list, and the list in it as it arrives.
func (l *listDecoder) protobuf() error {
	s := l.source
	prefix, err := s.take(len(envelope))
	if err != nil {
		return err
	}
	if string(prefix) != envelope {
		return fmt.Errorf("expected the envelope %q, %s", envelope, quote(s.start()))
	}
	for !l.stopped {
		if s.pos == s.end && isEnd(s.fill()) {
			break
		}
		if err := l.envelopeField(); err != nil {
			return err
		}
	}
	if !l.found && !l.stopped {
		return s.unexpected(io.EOF)
	}
	return nil
}

// field returns the tag of the next field and its length, which is 0 if it is not length-delimited. n is how many bytes
// both took.
func (l *listDecoder) field() (tag uint64, size, n int64, err error) {
	tag, n1, err := l.source.uvarint()
	if err != nil {
		return 0, 0, 0, err
	}
	if tag>>3 == 0 {
		return 0, 0, 0, fmt.Errorf("at byte %d of the stream: field number 0", l.source.at())
	}
	switch tag & 7 {
	case 0:
		_, n2, err := l.source.uvarint()
		return tag, 0, int64(n1 + n2), err
	case 1:
		return tag, 8, int64(n1), nil
	case 5:
		return tag, 4, int64(n1), nil
	case 2:
		size, n2, err := l.source.uvarint()
		if err != nil {
			return 0, 0, 0, err
		}
		if size > 1<<62 {
			return 0, 0, 0, fmt.Errorf("at byte %d of the stream: a length of %d", l.source.at(), size)
		}
		return tag, int64(size), int64(n1 + n2), nil
	}
	return 0, 0, 0, fmt.Errorf("at byte %d of the stream: wire type %d is not supported", l.source.at(), tag&7)
}

// whole returns a length-delimited value, of an item's size at most.
func (l *listDecoder) whole(size int64) ([]byte, error) {
	if size > MaxItemSize {
		return nil, fmt.Errorf("at byte %d of the stream: value of %d bytes %w", l.source.at(), size, ErrTooLarge)
	}
	return l.source.take(int(size))
}

func (l *listDecoder) envelopeField() error {
	tag, size, _, err := l.field()
	if err != nil {
		return err
	}
	switch tag {
	case tagTypeMeta:
		raw, err := l.whole(size)
		if err != nil {
			return err
		}
		return l.typeMeta(raw)
	case tagRaw:
		if l.found {
			return fmt.Errorf("at byte %d of the stream: a second list", l.source.at())
		}
		l.found = true
		return l.list(size)
	case tagContentEncoding:
		raw, err := l.whole(size)
		if err != nil {
			return err
		}
		return checkContentEncoding(raw)
	default:
		return l.source.skip(size)
	}
}

func (l *listDecoder) typeMeta(raw []byte) error {
	err := fields(raw, func(tag uint64, value []byte) error {
		if tag == tagKind {
			l.kind = string(value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	return l.checkKind()
}

// list decodes a list message of size bytes.
func (l *listDecoder) list(size int64) error {
	for left := size; left > 0; {
		tag, size, n, err := l.field()
		if err != nil {
			return fmt.Errorf("after item %d: %w", l.items, err)
		}
		left -= n + size
		if left < 0 {
			return fmt.Errorf("after item %d: at byte %d of the stream: a field of %d bytes leaves the list", l.items, l.source.at(), size)
		}
		switch tag {
		case tagListMeta:
			var raw []byte
			if raw, err = l.whole(size); err == nil {
				err = l.meta.Unmarshal(raw)
			}
			if err != nil {
				err = fmt.Errorf("metadata: %w", err)
			}
		case tagItems:
			if err = l.protobufItem(size); err != nil {
				err = fmt.Errorf("item %d: %w", l.items, err)
			}
		default:
			err = l.source.skip(size)
		}
		if err != nil || l.stopped {
			return err
		}
	}
	return nil
}

func (l *listDecoder) protobufItem(size int64) error {
	at := l.source.at()
	raw, err := l.whole(size)
	if err != nil {
		return err
	}
	obj := l.newItem()
	if err := decodeMessage(raw, obj); err != nil {
		return fmt.Errorf("starts at byte %d of the stream: %w", at, err)
	}
	l.item.types.set(obj, "", "")
	l.pass(obj)
	return nil
}
