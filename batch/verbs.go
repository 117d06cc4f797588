package batch

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
)

// Create creates all objects, as [kubesdk.Resource.Create] does one.
func Create[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], objects []T, opts ...Option) (Results[T, T], error) {
	return Do(ctx, objects, func(ctx context.Context, obj T) (T, error) { return r.Create(ctx, obj) }, opts...)
}

// Get reads the objects of the given names, as [kubesdk.Resource.Get] does one. To read all there are, or all with a label,
// one [kubesdk.Resource.List] is better.
func Get[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], names []string, opts ...Option) (Results[string, T], error) {
	return Do(ctx, names, func(ctx context.Context, name string) (T, error) { return r.Get(ctx, name) }, opts...)
}

// Update calls change with a copy of each object and sends what it changed, as [kubesdk.Resource.Update] does; an object
// that it leaves as it was costs no request. change is called concurrently; an object for which it returns an error is
// [Failed], and not sent. The objects are as read before, by a list most likely.
func Update[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], objects []T, change func(T) error, opts ...Option) (Results[T, T], error) {
	return Do(ctx, objects, func(ctx context.Context, obj T) (T, error) {
		changed := obj.DeepCopyObject().(T) //nolint:forcetypeassert // a copy has its original's type
		if err := change(changed); err != nil {
			return changed, err
		}
		return r.Update(ctx, changed, kubesdk.From(obj))
	}, opts...)
}

// Delete deletes the objects, each in its own namespace, as [kubesdk.Resource.Delete] does one. Only their names,
// namespaces and UIDs matter; one with a UID is deleted only if that is still its own, so an object made anew under the
// same name is safe. For names alone use [Do].
func Delete[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], objects []T, opts ...Option) (Results[T, struct{}], error) {
	return Do(ctx, objects, func(ctx context.Context, obj T) (struct{}, error) { return struct{}{}, remove(ctx, r, obj) }, opts...)
}

func remove[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], obj T) error {
	if own := obj.GetNamespace(); own != "" {
		if given := r.CurrentNamespace(); given != "" && given != own {
			return fmt.Errorf("delete %s: its namespace is %q and the handle's is %q: they must be the same, or one of them empty", obj.GetName(), own, given)
		}
		r = r.Namespace(own)
	}
	if uid := obj.GetUID(); uid != "" {
		return r.Delete(ctx, obj.GetName(), kubesdk.Preconditions(metav1.Preconditions{UID: &uid}))
	}
	return r.Delete(ctx, obj.GetName())
}
