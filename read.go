package kubesdk

import (
	"context"
	"errors"
	"iter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
)

// Get reads one object. It returns [ErrNotFound] if there is none; see [Resource.Lookup] for where that is no error.
func (r Resource[T]) Get(ctx context.Context, name string, opts ...GetOption) (T, error) {
	obj := newObject[T]()
	if err := get(ctx, r.h, name, withOptions(r.h.settings, opts), obj); err != nil {
		var none T
		return none, err
	}
	return obj, nil
}

// Lookup reads one object, and says whether there is one. That the server does not have the kind is an error still.
func (r Resource[T]) Lookup(ctx context.Context, name string, opts ...GetOption) (T, bool, error) {
	obj, err := r.Get(ctx, name, opts...)
	if absent(err) {
		return obj, false, nil
	}
	return obj, err == nil, err
}

// absent says that the server knows the kind and has no such object. A 404 for the kind itself is another matter.
func absent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.FromServer() && e.Is(ErrNotFound)
}

func get(ctx context.Context, h handle, name string, s *settings, into runtime.Object) error {
	c, err := h.call(ctx, request.Get, s)
	if err != nil {
		return err
	}
	c.spec.Name = name
	c.spec.Query = s.query(request.Get)
	return c.object(ctx, nil, into)
}

// List is the answer to [Resource.List].
type List[T Object] struct {
	Items []T

	ResourceVersion string // of the collection: where a watch can begin
	Continue        string // token of the next page, for the option [Continue]; empty if this is the last
	Remaining       *int64 // how many more there are, if the server says so
}

// List reads the objects of the handle's namespace, or of all namespaces, into a slice. With [Limit] it is one page.
func (r Resource[T]) List(ctx context.Context, opts ...ListOption) (*List[T], error) {
	s := withOptions(r.h.settings, opts)
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	list := &List[T]{}
	meta, err := listPage(ctx, r.h, s, func() runtime.Object { return newObject[T]() }, func(obj runtime.Object) bool {
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
// kept, so memory does not grow with their number. With [Limit] it reads page after page. It ends with the first error,
// which it yields. Leaving the loop early ends the request.
func (r Resource[T]) All(ctx context.Context, opts ...ListOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		s := withOptions(r.h.settings, opts)
		for stopped := false; ; {
			meta, err := listPage(ctx, r.h, s, func() runtime.Object { return newObject[T]() }, func(obj runtime.Object) bool {
				stopped = !yield(obj.(T), nil) //nolint:forcetypeassert // newObject made it
				return !stopped
			})
			switch {
			case stopped:
				return
			case err != nil:
				var none T
				yield(none, err)
				return
			case meta.Continue == "":
				return
			}
			s.continueToken = meta.Continue
		}
	}
}

// listPage reads one answer to a list, item by item.
func listPage(ctx context.Context, h handle, s *settings, newItem func() runtime.Object, yield func(runtime.Object) bool) (meta metav1.ListMeta, err error) {
	c, err := h.call(ctx, request.List, s)
	if err != nil {
		return meta, err
	}
	start := time.Now()
	defer func() { s.log.done(ctx, c, nil, nil, err, time.Since(start)) }()
	c.spec.Query = s.query(request.List)
	p := s.policy()
	p.AttemptTimeout, p.IdleTimeout = 0, s.idleTimeout
	res, err := c.send(ctx, p)
	if err != nil {
		return meta, err
	}
	defer func() { _ = res.Body.Close() }() // an unread rest is not wanted
	meta, err = codec.DecodeList(res.Body, res.ContentType(), newItem, c.body, yield)
	if err != nil {
		return meta, c.notList(res, err)
	}
	return meta, nil
}
