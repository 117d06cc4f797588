package kubesdk

import (
	"context"
	"iter"
)

// EventType says what happened to an object.
type EventType string

// The types of events. What the API calls an ERROR event is an error of the watch instead.
const (
	Added    EventType = "ADDED"    // it was created, or is there as the watch begins
	Modified EventType = "MODIFIED" // it was changed
	Deleted  EventType = "DELETED"  // it is gone, or no longer one that the selectors choose; Object is its last state
	Bookmark EventType = "BOOKMARK" // nothing happened to an object: ResourceVersion is how far the watch has come
)

// Event is one change of one object, or a bookmark.
type Event[T Object] struct {
	Type            EventType
	Object          T      // nil for a Bookmark
	ResourceVersion string // of the object, or how far a Bookmark says that the watch has come

	// Synced marks the Bookmark that ends a present state: every object that there was at ResourceVersion has been
	// reported by now, and nothing that has been reported is gone without a Deleted. The first one ends what was there as
	// the watch began; there is another after each time that the watch had to list again.
	Synced bool

	// FinalStateUnknown marks a Deleted that the watch did not see, but found out by listing again. Object then has
	// nothing but its name, namespace, UID, kind, and the last resourceVersion that was seen.
	FinalStateUnknown bool
}

// Watch reports what is there and then every change, for as long as ctx lives. Objects that are there as it begins come as
// [Added], in no promised order; a [Bookmark] with Synced follows the last of them, then come the changes, each object's in
// the order in which they happened, none left out for good, none twice. If the object changed several times while the watch was
// cut off, what is reported may be the sum of it: a [Modified] to the latest state, a [Deleted] and an [Added] if it is another
// object under the same name.
//
// A watch heals itself. When the server ends the stream, the connection breaks, or nothing comes for the [IdleTimeout], it
// goes on from the last version that it saw; when that is older than the server's history it lists again, and reports what
// changed and what was deleted meanwhile. Ends of streams that are part of normal life are not reported; every other failure
// is yielded as an [*Error] with a zero Event, and a loop that continues goes on watching, after a wait that [Retry]'s
// Backoff says and that is short again once something came (Attempts and Statuses of the policy do not matter here):
//
//	for ev, err := range pods.Watch(ctx) {
//		if err != nil {
//			log.Print(err) // if it cannot heal, the loop ends after it
//			continue
//		}
//		...
//	}
//
// The sequence ends by itself only after an error: that of ctx, when ctx is done, or one that trying again does not mend,
// such as [ErrUnauthorized], [ErrForbidden], [ErrNotFound] of the kind, or [ErrBadRequest]. If the watch had worked before,
// such a refusal must come five times in a row, since a server that is starting may give it for a moment.
//
// Where the server can, the present state is streamed (KEP-3157), so that neither side holds a list; else it is listed in
// pages. Per object the watch remembers name, UID and version, some 200 bytes, to know what is gone.
//
// With [ResourceVersion] the watch begins after that version, without a present state and without a Synced; since it does
// not know what was there, it ends with [ErrGone] when it falls behind the server's history. With ResourceVersion("0") the present state may be an old one.
//
// The events' objects are the caller's to keep and change. Each range over the sequence is a watch of its own; leaving the
// loop closes it. The caller's loop body is not called concurrently, and no goroutine is left behind.
func (r Resource[T]) Watch(ctx context.Context, opts ...WatchOption) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		w := newWatcher(r.h, withOptions(r.h.settings, opts), func() Object { return newObject[T]() })
		w.run(ctx, func(c change, err error) bool {
			if err != nil {
				return yield(Event[T]{}, err)
			}
			return yield(eventOf[T](c), nil)
		})
	}
}

func eventOf[T Object](c change) Event[T] {
	event := Event[T]{Type: c.typ, ResourceVersion: c.version, Synced: c.synced, FinalStateUnknown: c.lost}
	if c.obj != nil {
		event.Object = c.obj.(T) //nolint:forcetypeassert // newObject made it
	}
	return event
}

// WatchOnce is one watch request and nothing more: it ends with the server's end of the stream, which comes after some
// minutes at the latest, or with an error, which it yields. Without a [ResourceVersion] it begins with what is there, as
// [Added] events. See [Resource.Watch] for one that goes on.
func (r Resource[T]) WatchOnce(ctx context.Context, opts ...WatchOption) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		s := withOptions(r.h.settings, opts)
		w := newWatcher(r.h, s, func() Object { return newObject[T]() })
		left := false
		o := w.stream(ctx, watchStep{phase: phaseFollow, version: s.resourceVersion}, w.policy(), func(typ EventType, obj Object) bool {
			event := Event[T]{Type: typ, ResourceVersion: obj.GetResourceVersion()}
			if typ != Bookmark {
				event.Object = obj.(T) //nolint:forcetypeassert // newObject made it
			}
			left = !yield(event, nil)
			return !left
		})
		if o.err != nil && !left {
			yield(Event[T]{}, o.err)
		}
	}
}
