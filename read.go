package kubesdk

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"

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
