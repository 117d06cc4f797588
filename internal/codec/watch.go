package codec

import (
	"encoding/binary"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// WatchEvent is one event of a watch.
type WatchEvent struct {
	// Type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
	Type string
	// Object is what the event is about. Of a BOOKMARK it holds the resourceVersion and annotations only. It is nil
	// for ERROR.
	Object runtime.Object
	// Status says why the server ends the watch. It is set for ERROR only.
	Status *metav1.Status
}

// WatchDecoder decodes the events of a watch as they arrive. It is not safe for concurrent use.
type WatchDecoder struct {
	source      *source
	item        *itemDecoder
	contentType string
	newItem     func() runtime.Object
	err         error // sticky
	events      int
}

// NewWatchDecoder returns a decoder of the events that r streams in contentType, whose parameters are ignored. Objects
// are decoded into objects of newItem and have the apiVersion and kind of gvk, or those that the wire names if gvk is
// empty.
func NewWatchDecoder(r io.Reader, contentType string, newItem func() runtime.Object, gvk schema.GroupVersionKind) *WatchDecoder {
	d := &WatchDecoder{source: newSource(r), contentType: contentType, newItem: newItem}
	var err error
	if d.item, err = newItemDecoder(contentType, gvk); err != nil {
		d.err = fmt.Errorf("decode a watch: %w; %s", err, quote(d.source.start()))
	}
	return d
}

// Next returns the next event. It returns io.EOF itself when the stream ended between two events, an error that wraps
// io.ErrUnexpectedEOF when it was cut within one, and one that wraps the reader's own otherwise. An event of more than
// MaxItemSize wraps ErrTooLarge. After an error every call returns it again.
func (d *WatchDecoder) Next() (WatchEvent, error) {
	if d.err != nil {
		return WatchEvent{}, d.err
	}
	var ev WatchEvent
	var err error
	if d.item.format == formatProtobuf {
		ev, err = d.protobuf()
	} else {
		ev, err = d.json()
	}
	switch {
	case err == nil:
		d.events++
		return ev, nil
	case !isEnd(err):
		err = fmt.Errorf("decode event %d of a watch of %s from %s: %w", d.events, d.what(), d.contentType, err)
	}
	d.err = err
	return WatchEvent{}, err
}

func (d *WatchDecoder) what() string {
	if kind := d.item.types.kind; kind != "" {
		return kind
	}
	return typeName(d.newItem())
}

// json decodes one event: an object with type and object.
func (d *WatchDecoder) json() (WatchEvent, error) {
	c, err := d.source.peek()
	switch {
	case isEnd(err):
		return WatchEvent{}, io.EOF
	case err != nil:
		return WatchEvent{}, d.source.unexpected(err)
	case c != '{':
		return WatchEvent{}, d.source.misplaced(c, "an event")
	}
	at := d.source.at()
	frame, err := d.source.value()
	if err != nil {
		return WatchEvent{}, err
	}
	typ, object, err := splitEvent(frame)
	if err == nil {
		var ev WatchEvent
		if ev, err = d.event(typ, object); err == nil {
			return ev, nil
		}
	}
	return WatchEvent{}, fmt.Errorf("starts at byte %d of the stream: %w", at, err)
}

// protobuf decodes one event: four bytes of length, then a metav1.WatchEvent whose object has an envelope of its own.
func (d *WatchDecoder) protobuf() (WatchEvent, error) {
	s := d.source
	if s.pos == s.end {
		switch err := s.fill(); {
		case isEnd(err):
			return WatchEvent{}, io.EOF
		case err != nil:
			return WatchEvent{}, s.unexpected(err)
		}
	}
	at := s.at()
	head, err := s.take(4)
	if err != nil {
		return WatchEvent{}, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > MaxItemSize {
		return WatchEvent{}, fmt.Errorf("at byte %d of the stream: an event of %d bytes %w", at, size, ErrTooLarge)
	}
	frame, err := s.take(int(size))
	if err != nil {
		return WatchEvent{}, err
	}
	typ, object, err := splitWatchEvent(frame)
	if err == nil {
		var ev WatchEvent
		if ev, err = d.event(typ, object); err == nil {
			return ev, nil
		}
	}
	return WatchEvent{}, fmt.Errorf("starts at byte %d of the stream: %w", at, err)
}

// Field numbers of metav1.WatchEvent, and of the RawExtension that holds its object.
const (
	tagEventType    = 1<<3 | 2
	tagEventObject  = 2<<3 | 2
	tagRawExtension = 1<<3 | 2
)

// splitWatchEvent returns the type of an event in protobuf and its object, in its envelope.
func splitWatchEvent(frame []byte) (typ string, object []byte, err error) {
	err = fields(frame, func(tag uint64, value []byte) error {
		switch tag {
		case tagEventType:
			typ = string(value)
		case tagEventObject:
			return fields(value, func(tag uint64, value []byte) error {
				if tag == tagRawExtension {
					object = value
				}
				return nil
			})
		}
		return nil
	})
	return typ, object, err
}

// event decodes the object of an event.
func (d *WatchDecoder) event(typ string, object []byte) (WatchEvent, error) {
	ev := WatchEvent{Type: typ}
	switch watch.EventType(typ) {
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
		if len(object) == 0 {
			return WatchEvent{}, fmt.Errorf("%s event without an object", typ)
		}
		ev.Object = d.newItem()
		if err := d.item.decode(object, ev.Object); err != nil {
			return WatchEvent{}, fmt.Errorf("object of %s event: %w", typ, err)
		}
	case watch.Error:
		if len(object) == 0 {
			return WatchEvent{}, fmt.Errorf("ERROR event without a Status")
		}
		ev.Status = &metav1.Status{}
		status := itemDecoder{format: d.item.format}
		if err := status.decode(object, ev.Status); err != nil {
			return WatchEvent{}, fmt.Errorf("status of ERROR event: %w", err)
		}
	default:
		return WatchEvent{}, fmt.Errorf("event of unknown type %q", typ)
	}
	return ev, nil
}
