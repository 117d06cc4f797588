package kubesdk

import (
	"context"
	"errors"
	"io"
	"iter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
)

// EventType says what happened to an object.
type EventType string

// The types of events. What the API calls an ERROR event is an error of the watch instead.
const (
	Added    EventType = "ADDED"    // it was created, or is there as the watch begins
	Modified EventType = "MODIFIED" // it was changed
	Deleted  EventType = "DELETED"  // it is gone; Object is its last state
	Bookmark EventType = "BOOKMARK" // nothing happened to an object: ResourceVersion is how far the watch has come
)

// Event is one change of one object.
type Event[T Object] struct {
	Type            EventType
	Object          T      // nil for a Bookmark
	ResourceVersion string // of the object, or how far a Bookmark says that the watch has come
}

// Watch streams what is there and then every change to it.
func (r Resource[T]) Watch(ctx context.Context, opts ...WatchOption) iter.Seq2[Event[T], error] {
	return r.WatchOnce(ctx, opts...)
}

// WatchOnce is one watch request and nothing more: it ends with the server's end of the stream, which comes after some
// minutes at the latest, or with an error, which it yields. Without a [ResourceVersion] it begins with what is there. See
// [Resource.Watch] for one that goes on.
func (r Resource[T]) WatchOnce(ctx context.Context, opts ...WatchOption) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		s := withOptions(r.h.settings, opts)
		err := watchOnce(ctx, r.h, s, func() runtime.Object { return newObject[T]() }, func(e codec.WatchEvent) bool {
			obj := e.Object.(T) //nolint:forcetypeassert // newObject made it
			event := Event[T]{Type: EventType(e.Type), Object: obj, ResourceVersion: obj.GetResourceVersion()}
			if event.Type == Bookmark {
				var none T
				event.Object = none
			}
			return yield(event, nil)
		})
		if err != nil {
			yield(Event[T]{}, err)
		}
	}
}

// watchOnce yields events until the stream ends or yield returns false.
func watchOnce(ctx context.Context, h handle, s *settings, newItem func() runtime.Object, yield func(codec.WatchEvent) bool) error {
	c, err := h.call(ctx, request.Watch, s)
	if err != nil {
		return err
	}
	c.spec.Query = s.query(request.Watch)
	c.spec.Query.Set("watch", "true")
	c.spec.Query.Set("allowWatchBookmarks", "true")
	p := s.policy()
	p.IdleTimeout = s.idleTimeout
	res, err := c.send(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // the stream has no end of its own
	decoder := codec.NewWatchDecoder(res.Body, res.ContentType(), newItem, c.body)
	for {
		event, err := decoder.Next()
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return c.broken(err, res.Attempts)
		case event.Status != nil:
			return c.told(event.Status)
		}
		if !yield(event) {
			return nil
		}
	}
}

// told is the error of a Status that came in the middle of a stream.
func (c *call) told(status *metav1.Status) *Error {
	e := c.newError()
	e.Attempts, e.Code, e.Reason, e.Message, e.status = 1, int(status.Code), status.Reason, status.Message, status
	return e
}
