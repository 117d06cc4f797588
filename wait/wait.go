package wait

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubesdk/kubesdk"
)

// Condition says whether what is waited for has come true. obj is nil and exists false while there is no such object. An
// error ends the waiting: it means that the condition will not come true any more.
//
// A Condition must not change obj, and must not keep it.
type Condition[T kubesdk.Object] func(obj T, exists bool) (bool, error)

// Option changes how [For] waits.
type Option interface{ apply(*options) }

type options struct{ timeout time.Duration }

type option func(*options)

func (o option) apply(to *options) { o(to) }

// Timeout bounds the waiting. The default is none but the context's deadline.
func Timeout(d time.Duration) Option {
	return option(func(o *options) { o.timeout = d })
}

// For waits until the condition holds for the object of this name, and returns the object as it was then, or nil if it did
// not exist. It begins with the present state, so a condition that holds already returns at once. A condition is asked
// about a state at a time, of which some may be skipped when they come fast. An object that does not exist is waited for
// too; a namespaced kind needs a handle with a namespace.
//
// With an error the object is the last one seen, nil if there was none, and the error says what its state was. It wraps
// [context.DeadlineExceeded] or [context.Canceled] when the waiting was cut short, the condition's own error, or the
// *[kubesdk.Error] that ended the watch, such as [kubesdk.ErrForbidden]. Failures that a watch heals are not errors here.
func For[T kubesdk.Object](ctx context.Context, resource kubesdk.Resource[T], name string, until Condition[T], opts ...Option) (T, error) {
	var o options
	for _, opt := range opts {
		opt.apply(&o)
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("it took longer than %s", o.timeout))
		defer cancel()
	}
	var last sight[T]
	for ev, err := range resource.Watch(ctx, kubesdk.Name(name)) {
		if err != nil {
			last.failed(err)
			continue
		}
		if !last.see(ev) {
			continue
		}
		met, err := until(last.obj, last.exists)
		switch {
		case err != nil:
			return last.obj, fmt.Errorf("wait for %s: %w; %s", last.subject(name), err, last.summary())
		case met:
			return last.obj, nil
		}
	}
	return last.obj, last.end()
}

// sight is what is known of the object that is waited for.
type sight[T kubesdk.Object] struct {
	obj    T
	exists bool
	known  bool  // whether it exists or not is known
	err    error // the last one of the watch
	before error // the one before it: what the watch suffered from when it was ended
}

// see takes an event, and says whether it tells something of the object.
func (s *sight[T]) see(ev kubesdk.Event[T]) bool {
	s.err = nil
	var none T
	switch {
	case ev.Type == kubesdk.Deleted:
		s.obj, s.exists = none, false
	case ev.Type != kubesdk.Bookmark:
		s.obj, s.exists = ev.Object, true
	case !ev.Synced || s.exists || s.known: // a bookmark after the object says nothing new
		return false
	}
	s.known = true
	return true
}

func (s *sight[T]) failed(err error) { s.before, s.err = s.err, err }

// end is the error of a watch that ended.
func (s *sight[T]) end() error {
	if s.err == nil {
		return errors.New("wait: the watch ended without an error")
	}
	err := fmt.Errorf("wait: %w; %s", s.err, s.summary())
	if s.before != nil {
		err = fmt.Errorf("%w; the watch was failing: %s", err, s.before.Error())
	}
	return err
}

// subject names the object.
func (s *sight[T]) subject(name string) string {
	if !s.exists {
		return fmt.Sprintf("%q", name)
	}
	kind := s.obj.GetObjectKind().GroupVersionKind().Kind
	if ns := s.obj.GetNamespace(); ns != "" {
		name = ns + "/" + name
	}
	return kind + " " + name
}

func (s *sight[T]) summary() string {
	switch {
	case !s.known:
		return "its state was never seen"
	case !s.exists:
		return "there is no such object"
	default:
		return "last seen: " + summarize(s.obj)
	}
}
