package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kubesdk/kubesdk/bench/internal/record"
)

// list is a recorded list, taken apart so that it can be made as long as wanted.
type list struct {
	format      string
	contentType string
	head        []byte // of JSON: what is before the items. Of protobuf: the envelope's TypeMeta, with its tag
	meta        []byte // of protobuf: the list's metadata, with its tag
	items       [][]byte
	tail        []byte // what is after the items
}

// The fields of runtime.Unknown, and of every list type.
const (
	unknownTypeMeta, unknownRaw protowire.Number = 1, 2
	listMetadata, listItems     protowire.Number = 1, 2
)

var magic = []byte("k8s\x00")

func parseList(a record.Answer) (*list, error) {
	l := &list{contentType: a.ContentType, format: record.JSON}
	if bytes.HasPrefix(a.Body, magic) {
		l.format = record.Protobuf
		return l, l.parseProtobuf(a.Body)
	}
	return l, l.parseJSON(a.Body)
}

func (l *list) parseJSON(body []byte) error {
	start := bytes.Index(body, []byte(`"items":[`))
	if start < 0 {
		return errors.New("the recorded list has no items")
	}
	start += len(`"items":[`)
	l.head = body[:start]
	var content struct{ Items []json.RawMessage }
	if err := json.Unmarshal(body, &content); err != nil {
		return fmt.Errorf("the recorded list: %w", err)
	}
	end := start
	for _, item := range content.Items {
		end += bytes.Index(body[end:], item) + len(item)
		l.items = append(l.items, item)
	}
	l.tail = body[end:] // some lists have their metadata here
	return nil
}

func (l *list) parseProtobuf(body []byte) error {
	var raw []byte
	err := fields(body[len(magic):], func(n protowire.Number, whole, value []byte) {
		switch n {
		case unknownTypeMeta:
			l.head = whole
		case unknownRaw:
			raw = value
		default:
			l.tail = append(l.tail, whole...)
		}
	})
	if err != nil {
		return err
	}
	return fields(raw, func(n protowire.Number, whole, _ []byte) {
		switch n {
		case listMetadata:
			l.meta = whole
		case listItems:
			l.items = append(l.items, whole)
		}
	})
}

// fields calls f with each field of a message: all of its bytes, and those of its value.
func fields(b []byte, f func(n protowire.Number, whole, value []byte)) error {
	for len(b) > 0 {
		n, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 || kind != protowire.BytesType {
			return fmt.Errorf("the recorded list: unexpected field %d of type %d", n, kind)
		}
		value, size := protowire.ConsumeBytes(b[tag:])
		if size < 0 {
			return fmt.Errorf("the recorded list: %w", protowire.ParseError(size))
		}
		f(n, b[:tag+size], value)
		b = b[tag+size:]
	}
	return nil
}

// write writes the list with n items.
func (l *list) write(w io.Writer, n int) error {
	out := &sticky{w: w}
	if l.format == record.JSON {
		out.write(l.head)
		for i := range n {
			if i > 0 {
				out.write([]byte(","))
			}
			out.write(l.items[i%len(l.items)])
		}
		out.write(l.tail)
		return out.err
	}
	size := len(l.meta)
	for i := range n {
		size += len(l.items[i%len(l.items)])
	}
	out.write(magic)
	out.write(l.head)
	out.write(protowire.AppendVarint(protowire.AppendTag(nil, unknownRaw, protowire.BytesType), uint64(size)))
	out.write(l.meta)
	for i := range n {
		out.write(l.items[i%len(l.items)])
	}
	out.write(l.tail)
	return out.err
}

// compressed is what write writes, as the API server compresses it.
func (l *list) compressed(n int) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, 1)
	if err != nil {
		return nil, err
	}
	if err := l.write(z, n); err != nil {
		return nil, err
	}
	err = z.Close()
	return b.Bytes(), err
}

type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) write(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
}
