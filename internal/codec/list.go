package codec

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// DecodeList decodes a list as it arrives from r and yields each item, decoded into an object of newItem with the
// apiVersion and kind of gvk. It keeps none, so that its memory does not depend on the number of items. When yield
// returns false it stops and returns what is known of the list's metadata, which in JSON may come after the items.
//
// An item that was cut off is never yielded. A list whose end is missing wraps io.ErrUnexpectedEOF; an error of r is
// wrapped too; an item of more than MaxItemSize wraps ErrTooLarge; a content type that is neither JSON nor Protobuf
// wraps ErrContentType and quotes the start of the body. A body that is no list is an error.
func DecodeList(r io.Reader, contentType string, newItem func() runtime.Object, gvk schema.GroupVersionKind, yield func(runtime.Object) bool) (metav1.ListMeta, error) {
	l := listDecoder{source: newSource(r), newItem: newItem, yield: yield}
	var err error
	if l.item, err = newItemDecoder(contentType, gvk); err != nil {
		return l.meta, fmt.Errorf("decode a list: %w; %s", err, quote(l.source.start()))
	}
	if l.item.format == formatProtobuf {
		err = l.protobuf()
	} else {
		err = l.json()
	}
	if err != nil {
		err = fmt.Errorf("decode a list of %s from %s: %w", l.what(), contentType, err)
	}
	return l.meta, err
}

type listDecoder struct {
	source  *source
	item    *itemDecoder
	newItem func() runtime.Object
	yield   func(runtime.Object) bool

	meta    metav1.ListMeta
	kind    string // of the list, as far as known
	items   int    // yielded so far
	found   bool   // the list had a field for items
	stopped bool   // yield returned false
}

func (l *listDecoder) what() string {
	if kind := l.item.types.kind; kind != "" {
		return kind
	}
	return typeName(l.newItem())
}

// checkKind refuses an answer that is no list.
func (l *listDecoder) checkKind() error {
	if l.kind == "" || strings.HasSuffix(l.kind, "List") {
		return nil
	}
	return fmt.Errorf("expected a list, the body is a %s", l.kind)
}

func (l *listDecoder) pass(obj runtime.Object) {
	l.items++
	l.stopped = !l.yield(obj)
}

// json decodes the object around the items, whose fields may come in any order.
func (l *listDecoder) json() error {
	s := l.source
	if err := s.expect('{'); err != nil {
		return err
	}
	c, err := s.peek()
	switch {
	case err != nil:
		return s.unexpected(err)
	case c == '}':
		s.pos++
	default:
		for more := true; more; {
			if more, err = l.jsonField(); err != nil {
				return err
			}
		}
	}
	if l.stopped {
		return nil
	}
	if !l.found {
		return fmt.Errorf("expected a list, the body has no items")
	}
	return l.jsonEnd()
}

// jsonEnd makes sure that nothing follows.
func (l *listDecoder) jsonEnd() error {
	switch c, err := l.source.peek(); {
	case isEnd(err):
		return nil
	case err != nil:
		return l.source.unexpected(err)
	default:
		return l.source.misplaced(c, "the end of the body")
	}
}

// jsonField decodes a field of the list, and tells whether another one follows.
func (l *listDecoder) jsonField() (more bool, err error) {
	s := l.source
	if err := s.expect('"'); err != nil {
		return false, err
	}
	s.pos--
	at := s.at()
	var name string
	if err := l.jsonValue(&name); err != nil {
		return false, fmt.Errorf("field name at byte %d: %w", at, err)
	}
	if err := s.expect(':'); err != nil {
		return false, err
	}
	at = s.at()
	switch name {
	case "items":
		err = l.jsonItems()
	case "metadata":
		l.meta = metav1.ListMeta{}
		err = l.jsonValue(&l.meta)
	case "kind":
		l.kind = ""
		if err = l.jsonValue(&l.kind); err == nil {
			err = l.checkKind()
		}
	default:
		var ignored json.RawMessage
		err = l.jsonValue(&ignored)
	}
	if err != nil || l.stopped {
		if err != nil && name != "items" {
			err = fmt.Errorf("field %q at byte %d: %w", name, at, err)
		}
		return false, err
	}
	return l.jsonSeparator('}')
}

// jsonValue decodes the next value, whole.
func (l *listDecoder) jsonValue(into any) error {
	raw, err := l.source.value()
	if err != nil {
		return err
	}
	return utiljson.Unmarshal(raw, into)
}

// jsonSeparator takes a comma or the end of the surrounding object or array.
func (l *listDecoder) jsonSeparator(end byte) (more bool, err error) {
	s := l.source
	c, err := s.peek()
	switch {
	case err != nil:
		return false, s.unexpected(err)
	case c != ',' && c != end:
		return false, s.misplaced(c, fmt.Sprintf("',' or %q", end))
	}
	s.pos++
	return c == ',', nil
}

func (l *listDecoder) jsonItems() error {
	s := l.source
	if l.found {
		return fmt.Errorf("at byte %d of the stream: items for a second time", s.at())
	}
	l.found = true
	c, err := s.peek()
	switch {
	case err != nil:
		return s.unexpected(err)
	case c != '[':
		var none *struct{}
		if err := l.jsonValue(&none); err != nil || none != nil {
			return fmt.Errorf("at byte %d of the stream: expected an array of items", s.at())
		}
		return nil
	}
	s.pos++
	if c, err = s.peek(); err == nil && c == ']' {
		s.pos++
		return nil
	}
	for more := true; more && !l.stopped; {
		if more, err = l.jsonItem(); err != nil {
			return fmt.Errorf("item %d: %w", l.items, err)
		}
	}
	return nil
}

func (l *listDecoder) jsonItem() (more bool, err error) {
	raw, err := l.source.value()
	if err != nil {
		return false, err
	}
	at := l.source.at() - int64(len(raw))
	obj := l.newItem()
	if _, _, err := l.item.decodeJSON(raw, obj); err != nil {
		return false, fmt.Errorf("starts at byte %d of the stream: %w", at, err)
	}
	l.pass(obj)
	if l.stopped {
		return false, nil
	}
	return l.jsonSeparator(']')
}
