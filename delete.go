package kubesdk

import (
	"context"
	"encoding/json"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
)

// Delete asks for the end of one object; it may go on to exist until its finalizers and grace period are over. It returns
// [ErrNotFound] if there is none, and [ErrConflict] if a precondition does not hold.
func (r Resource[T]) Delete(ctx context.Context, name string, opts ...DeleteOption) error {
	s := withOptions(r.h.settings, opts)
	c, err := r.h.call(ctx, request.Delete, s)
	if err != nil {
		return err
	}
	c.spec.Name = name
	return c.remove(ctx)
}

// DeleteAll asks for the end of all objects of the handle's namespace that the selectors choose; without a selector, of
// all. A namespaced kind needs a namespace. Kinds whose collections the server cannot delete at once, such as namespaces,
// are listed and deleted one by one.
func (r Resource[T]) DeleteAll(ctx context.Context, opts ...DeleteAllOption) error {
	s := withOptions(r.h.settings, opts)
	c, err := r.h.call(ctx, request.DeleteCollection, s)
	if err != nil {
		return err
	}
	err = c.remove(ctx)
	if !errors.Is(err, ErrMethodNotAllowed) {
		return err
	}
	return r.deleteEach(ctx, s)
}

func (r Resource[T]) deleteEach(ctx context.Context, s *settings) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	all := *s
	all.limit, all.continueToken, all.resourceVersion, all.resourceVersionMatch = 0, "", "", ""
	list, err := Resource[T]{h: r.h.withSettings(&all)}.List(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, obj := range list.Items {
		uid := obj.GetUID()
		one := *s
		one.preconditions = &metav1.Preconditions{UID: &uid}
		err := Resource[T]{h: r.h.withSettings(&one)}.Delete(ctx, obj.GetName())
		if err != nil && !errors.Is(err, ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (h handle) withSettings(s *settings) handle {
	h.settings = s
	return h
}

func (c *call) remove(ctx context.Context) error {
	s := c.settings
	c.spec.Query = s.query(c.spec.Verb)
	c.spec.Guarded = s.preconditions != nil && s.preconditions.UID != nil
	o := metav1.DeleteOptions{
		TypeMeta:           metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
		GracePeriodSeconds: s.gracePeriod,
		Preconditions:      s.preconditions,
		PropagationPolicy:  s.propagation,
	}
	if s.dryRun {
		o.DryRun = []string{metav1.DryRunAll}
	}
	body, err := json.Marshal(o)
	if err != nil {
		return c.refuse(err)
	}
	c.spec.Body, c.spec.ContentType = body, codec.JSON
	return c.object(ctx, body, nil)
}
