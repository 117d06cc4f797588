package kubesdk

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
	"github.com/kubesdk/kubesdk/internal/transport"
)

// List is the answer to [Resource.List].
type List[T Object] struct {
	Items []T

	ResourceVersion string // of the collection: where a watch can begin
	Continue        string // token of the next page, for the option [Continue]; empty if this is the last
	Remaining       *int64 // how many more there are, if the server says so
}

// List reads the objects of the handle's namespace, or of all namespaces, into a slice. With [Limit] it is one page. See
// [Resource.All] for reading many objects without holding them, and for what happens to a token that has expired.
func (r Resource[T]) List(ctx context.Context, opts ...ListOption) (*List[T], error) {
	s := withOptions(r.h.settings, opts)
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	list := &List[T]{}
	l := lister{h: r.h, s: s, newObject: func() Object { return newObject[T]() }}
	l.again = func() bool { list.Items = list.Items[:0]; return true }
	meta, err := l.page(ctx, func(obj Object) bool {
		list.Items = append(list.Items, obj.(T)) //nolint:forcetypeassert // newObject made it
		return true
	})
	if err != nil {
		return nil, err
	}
	list.ResourceVersion, list.Continue, list.Remaining = meta.ResourceVersion, meta.Continue, meta.RemainingItemCount
	return list, nil
}

// All streams the objects of the handle's namespace, or of all namespaces: each is decoded as it arrives, and none is
// kept, so memory does not grow with their number. It ends with the first error, which it yields. Leaving the loop early
// ends the request, on the server too.
//
// Without [Limit] it is one request and one consistent state. If it breaks off after objects were yielded, that is an
// error, since beginning again would yield them twice. The server ends a list that is not read within its request timeout,
// 60 s by default: a loop that takes longer wants a Limit.
//
// With Limit it reads page after page, all of one state. A page that breaks off is read again, without what was yielded of
// it. When the pages take so long that the server no longer has their state (some minutes), the rest comes from the present
// one: an object that is there all the time is yielded once, one that is created or deleted meanwhile once or not at all.
func (r Resource[T]) All(ctx context.Context, opts ...ListOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		s := withOptions(r.h.settings, opts)
		s.attemptTimeout = 0
		l := lister{h: r.h, s: s, newObject: func() Object { return newObject[T]() }, pages: s.limit > 0}
		l.again = l.resume
		stopped := false
		err := l.all(ctx, func(obj Object) bool {
			stopped = !yield(obj.(T), nil) //nolint:forcetypeassert // newObject made it
			return !stopped
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}

// lister reads a list, one page or all, and knows how to go on after a failure.
type lister struct {
	h         handle
	s         *settings // its own: the token and the version change from page to page
	newObject func() Object
	again     func() bool // prepares for reading a page once more, or says that this cannot be done

	pages     bool // there may be more than one
	yielded   int
	last      [2]string // namespace and name of the object that was yielded last
	unordered bool      // the server's order is not that of the keys
	skip      bool      // what comes up to last was yielded before
}

// all reads page after page until yield returns false.
func (l *lister) all(ctx context.Context, yield func(Object) bool) error {
	for stopped := false; ; {
		meta, err := l.page(ctx, func(obj Object) bool {
			if l.passed(obj) {
				return true
			}
			stopped = !yield(obj)
			return !stopped
		})
		if err != nil || stopped || meta.Continue == "" {
			return err
		}
		l.from(meta.Continue)
	}
}

// passed notes an object, unless it was yielded before.
func (l *lister) passed(obj Object) bool {
	if l.pages {
		key := [2]string{obj.GetNamespace(), obj.GetName()}
		later := l.yielded == 0 || afterKey(key, l.last)
		if l.skip && !later {
			return true
		}
		l.skip = false
		l.unordered = l.unordered || !later
		l.last = key
	}
	l.yielded++
	return false
}

// afterKey says whether the server lists a after b: by namespace/name, as bytes, the order of its storage.
func afterKey(a, b [2]string) bool {
	if a[0] == b[0] {
		return a[1] > b[1]
	}
	return strings.Compare(a[0]+"/", b[0]+"/") > 0
}

func (l *lister) from(token string) {
	l.s.continueToken = token
	l.s.resourceVersion, l.s.resourceVersionMatch = "", "" // the token holds them, and the server takes them only once
}

// resume prepares for objects that were yielded before.
func (l *lister) resume() bool {
	if l.yielded > 0 && (!l.pages || l.unordered) {
		return false
	}
	l.skip = l.yielded > 0
	return true
}

// page reads one page, several times if need be.
func (l *lister) page(ctx context.Context, yield func(Object) bool) (metav1.ListMeta, error) {
	policy := l.s.policy()
	policy.IdleTimeout = l.s.idleTimeout
	allowed, sent := policy.Attempts, 0
	for turn := 1; ; turn++ {
		policy.Attempts = allowed - sent
		meta, err := listPage(ctx, l.h, l.s, policy, l.newObject, yield)
		if err == nil {
			return meta, nil
		}
		sent += err.Attempts
		err.Attempts = sent
		again := ctx.Err() == nil
		switch {
		case again && turn < max(2, allowed) && err.Is(ErrGone) && l.renew(err) && l.again():
		case again && sent < allowed && err.Code == 0 && transport.Interrupted(err.cause) && l.again() && wait(ctx, policy.Backoff(sent)):
		case l.yielded > 0 && !l.pages:
			err.cause = fmt.Errorf("after %d objects: %w (with kubesdk.Limit a list is read in pages, which can be read again)", l.yielded, err.cause)
			return meta, err
		default:
			return meta, err
		}
	}
}

// renew replaces a token that has expired: by the one that the server gives for going on with the present state, else by
// beginning again where what was yielded can be told from the order.
func (l *lister) renew(gone *Error) bool {
	used := l.s.continueToken
	if used == "" {
		return false
	}
	fresh := ""
	if gone.status != nil {
		fresh = gone.status.Continue
	}
	if fresh == used || fresh == "" && l.yielded == 0 {
		return false
	}
	l.from(fresh)
	return true
}

// collection begins a call on a collection, or on the one object of it that [Name] names.
func (h handle) collection(ctx context.Context, verb request.Verb, s *settings) (*call, error) {
	c, err := h.call(ctx, verb, s)
	if err != nil {
		return nil, err
	}
	c.name = s.name
	if s.name != "" && c.spec.Resource.Namespaced && c.spec.Namespace == "" {
		return nil, c.refuse(fmt.Errorf("%s is namespaced, so the object %q needs a namespace: use .Namespace(...) on the handle", c.spec.Resource.Resource, s.name))
	}
	c.spec.Query = s.query(verb)
	return c, nil
}

// listPage makes one request for a list and yields what comes, item by item.
func listPage(ctx context.Context, h handle, s *settings, p transport.Policy, newObject func() Object, yield func(Object) bool) (meta metav1.ListMeta, failed *Error) {
	c, err := h.collection(ctx, request.List, s)
	if err != nil {
		return meta, asError(err)
	}
	start := time.Now()
	defer func() { s.log.done(ctx, c, nil, nil, plain(failed), time.Since(start)) }()
	p.Stream = true
	res, err := c.send(ctx, p)
	if err != nil {
		return meta, asError(err)
	}
	defer func() { _ = res.Body.Close() }() // an unread rest is not wanted
	body := &failing{Reader: res.Body}
	meta, err = codec.DecodeList(body, res.ContentType(), func() runtime.Object { return newObject() }, c.body, func(obj runtime.Object) bool {
		return yield(obj.(Object)) //nolint:forcetypeassert // newObject made it
	})
	switch {
	case errors.Is(err, codec.ErrContentType):
		return meta, c.notKubernetes(res, err)
	case err != nil && body.err != nil: // where in an item does not matter
		return meta, c.broken(fmt.Errorf("the answer broke off: %w", body.err), res.Attempts)
	case err != nil:
		return meta, c.broken(err, res.Attempts)
	}
	return meta, nil
}
