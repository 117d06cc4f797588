package kubesdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
	"github.com/kubesdk/kubesdk/internal/transport"
)

// watcher drives a watchState: it asks what the state says, and hands on what comes.
type watcher struct {
	h         handle
	s         *settings
	newObject func() Object
	state     *watchState

	// ask makes one request; in tests, without a server.
	ask func(ctx context.Context, step watchStep, yield func(change) bool) (o outcome, left bool)
}

func newWatcher(h handle, s *settings, newObject func() Object) *watcher {
	_, noStream := h.client.listFirst.Load(h.kind.GroupVersionKind)
	w := &watcher{h: h, s: s, newObject: newObject, state: newWatchState(s.resourceVersion, noStream)}
	w.ask = w.request
	return w
}

// policy is how the requests of a watch are sent: only silence limits them.
func (w *watcher) policy() transport.Policy {
	p := w.s.policy()
	p.AttemptTimeout, p.IdleTimeout = 0, w.s.idleTimeout
	return p
}

// run watches until yield returns false, ctx is done, or there is no going on.
func (w *watcher) run(ctx context.Context, yield func(change, error) bool) {
	backoff := w.s.policy().Backoff
	handOn := func(c change) bool { return yield(c, nil) }
	for asked := time.Duration(0); ; {
		if !wait(ctx, w.state.delay(backoff, asked)) {
			yield(change{}, w.done(ctx))
			return
		}
		o, left := w.ask(ctx, w.state.next(), handOn)
		switch {
		case left:
			return
		case ctx.Err() != nil:
			yield(change{}, w.done(ctx))
			return
		}
		asked = 0
		if o.err != nil {
			asked = o.err.RetryAfter
		}
		tell, over := w.state.ended(o)
		if tell && !yield(change{}, o.err) || over {
			return
		}
	}
}

// done is the error of a watch whose context ended it.
func (w *watcher) done(ctx context.Context) *Error {
	cause := ctx.Err()
	if why := context.Cause(ctx); why != cause { //nolint:errorlint // identity: is there more to say than ctx.Err does
		cause = fmt.Errorf("%w: %w", cause, why)
	}
	c, err := w.h.collection(ctx, request.Watch, w.s)
	if err != nil {
		return asError(err)
	}
	return c.refuse(cause)
}

// request makes one request of the state's and takes its answer to the end. left says that yield had enough.
func (w *watcher) request(ctx context.Context, step watchStep, yield func(change) bool) (o outcome, left bool) {
	tell := func(changes []change) bool {
		for _, c := range changes {
			if c.lost {
				c.obj = w.lost(c)
			}
			if left = !yield(c); left {
				return false
			}
		}
		return true
	}
	policy := w.policy()
	policy.Attempts = 1
	if step.phase == phaseList {
		return w.page(ctx, step, policy, tell), left
	}
	return w.stream(ctx, step, policy, func(typ EventType, obj Object) bool {
		if typ != Bookmark {
			return tell(w.state.object(typ, obj))
		}
		changes, leave := w.state.bookmark(obj.GetResourceVersion(), obj.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true")
		return tell(changes) && !leave
	}), left
}

// page lists one page of the present state.
func (w *watcher) page(ctx context.Context, step watchStep, policy transport.Policy, tell func([]change) bool) outcome {
	s := *w.s
	s.resourceVersion, s.resourceVersionMatch, s.limit, s.continueToken = step.version, "", step.limit, step.token
	left := false
	meta, err := listPage(ctx, w.h, &s, policy, w.newObject, func(obj Object) bool {
		left = !tell(w.state.object(Added, obj))
		return !left
	})
	if err != nil || left {
		return outcome{err: err}
	}
	tell(w.state.pageEnd(meta.ResourceVersion, meta.Continue))
	if w.state.noStream && w.state.phase == phaseFollow {
		w.h.client.listFirst.Store(w.h.kind.GroupVersionKind, struct{}{})
	}
	return outcome{page: true}
}

// stream makes one watch request and yields its events until it ends or yield returns false.
func (w *watcher) stream(ctx context.Context, step watchStep, policy transport.Policy, yield func(EventType, Object) bool) (o outcome) {
	c, err := w.h.collection(ctx, request.Watch, w.s)
	if err != nil {
		return outcome{err: asError(err)}
	}
	start := time.Now()
	defer func() {
		failed := o.err
		if ctx.Err() != nil || o.idle || step.phase == phaseStream && failed != nil && streamRefused(failed) {
			failed = nil // part of normal life
		}
		w.s.log.done(ctx, c, nil, nil, plain(failed), time.Since(start))
	}()
	c.spec.Query.Set("watch", "true")
	c.spec.Query.Set("allowWatchBookmarks", "true")
	c.spec.Query.Del("resourceVersion")
	if step.version != "" {
		c.spec.Query.Set("resourceVersion", step.version)
	}
	if step.phase == phaseStream {
		c.spec.Query.Set("sendInitialEvents", "true")
		c.spec.Query.Set("resourceVersionMatch", string(metav1.ResourceVersionMatchNotOlderThan))
	}
	policy.Stream = true
	res, err := c.send(ctx, policy)
	if err != nil {
		return outcome{err: asError(err)}
	}
	defer func() { _ = res.Body.Close() }() // the stream has no end of its own
	opened := time.Now()
	o = w.events(c, res, yield)
	o.opened, o.lasted = true, time.Since(opened)
	return o
}

// events decodes a watch's answer.
func (w *watcher) events(c *call, res *transport.Response, yield func(EventType, Object) bool) outcome {
	body := &failing{Reader: res.Body}
	decoder := codec.NewWatchDecoder(body, res.ContentType(), func() runtime.Object { return w.newObject() }, c.body)
	for {
		event, err := decoder.Next()
		switch {
		case err == io.EOF: //nolint:errorlint // the decoder returns it bare between two events
			return outcome{}
		case body.err != nil: // where in an event does not matter
			return outcome{err: c.broken(fmt.Errorf("the stream broke off: %w", body.err), res.Attempts), idle: errors.Is(body.err, transport.ErrTimeout)}
		case err != nil:
			return outcome{err: c.broken(err, res.Attempts), unread: !errors.Is(err, io.ErrUnexpectedEOF)}
		case event.Status != nil:
			return outcome{err: c.told(event.Status), unread: true}
		}
		if !yield(EventType(event.Type), event.Object.(Object)) { //nolint:forcetypeassert // newObject made it
			return outcome{}
		}
	}
}

// lost makes the object of a Deleted that was not seen.
func (w *watcher) lost(c change) Object {
	obj := w.newObject()
	obj.GetObjectKind().SetGroupVersionKind(w.h.body)
	obj.SetNamespace(c.key.namespace.Value())
	obj.SetName(c.key.name)
	obj.SetUID(c.uid)
	obj.SetResourceVersion(c.version)
	return obj
}

// failing remembers that its reader failed.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// asError is what is known to be an *Error.
func asError(err error) *Error {
	var e *Error
	errors.As(err, &e)
	return e
}

// plain is e as an error that is nil if e is.
func plain(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// wait returns false when ctx is done first.
func wait(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// streamRefused says that a server which cannot stream a present state said so: it forbids the parameters that ask for it.
func streamRefused(e *Error) bool {
	return e.Code == http.StatusUnprocessableEntity || e.Code == http.StatusBadRequest
}

// permanent says that a watch which fails so will fail again until somebody changes something.
func permanent(e *Error) bool {
	var asked *Error
	if errors.As(e.cause, &asked) { // discovery, which comes before the request
		return permanent(asked)
	}
	switch e.Code {
	case 0:
		return e.URL == "" // nothing was sent: the call makes no sense as it is
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusGone, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Code/100 == 3 || e.Code/100 == 4
}
