package kubesdk

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/internal/request"
)

// Create makes the object and returns what the server made of it. It returns [ErrAlreadyExists] if the name is taken. On a
// handle with a subresource it creates that of the object's name; where the server only says that it did, as it does of
// evictions and bindings, the object comes back as it was given.
func (r Resource[T]) Create(ctx context.Context, obj T, opts ...CreateOption) (T, error) {
	return sendObject(ctx, r.h, request.Create, obj, withOptions(r.h.settings, opts))
}

// Replace puts the whole object in the place of what is there (PUT). With a resourceVersion in the object it returns
// [ErrConflict] if that is not the latest; without, most kinds take it and overwrite. See [Resource.Update] for sending
// only what changed.
func (r Resource[T]) Replace(ctx context.Context, obj T, opts ...ReplaceOption) (T, error) {
	return sendObject(ctx, r.h, request.Update, obj, withOptions(r.h.settings, opts))
}

func sendObject[T Object](ctx context.Context, h handle, verb request.Verb, obj T, s *settings) (T, error) {
	into := newObject[T]()
	if err := send(ctx, h, verb, obj, s, into); err != nil {
		var none T
		return none, err
	}
	return into, nil
}

func send(ctx context.Context, h handle, verb request.Verb, obj Object, s *settings, into Object) error {
	c, err := h.call(ctx, verb, s)
	if err != nil {
		return err
	}
	if isNil(obj) {
		return c.refuse(errors.New("the object is nil"))
	}
	if err := c.place(obj); err != nil {
		return err
	}
	if verb == request.Create && h.subresource == "" {
		c.name, c.spec.Name = c.spec.Name, "" // it is in the body; the URL is the collection's
	}
	c.spec.Guarded = obj.GetResourceVersion() != ""
	c.spec.Query = s.query(verb)
	if err := c.encode(obj); err != nil {
		return err
	}
	return c.object(ctx, obj, into)
}

var scaleType = reflect.TypeFor[*autoscalingv1.Scale]()

// Scale sets the number of replicas through the scale subresource, which Deployments, ReplicaSets, StatefulSets and many
// custom resources have, and touches nothing else.
func (r Resource[T]) Scale(ctx context.Context, name string, replicas int32, opts ...PatchOption) (*autoscalingv1.Scale, error) {
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"replicas": replicas}})
	if err != nil {
		return nil, err
	}
	return scale(ctx, r.h, request.Patch, name, body, withOptions(r.h.settings, opts))
}

// GetScale reads the scale subresource: how many replicas are wanted, and how many there are.
func (r Resource[T]) GetScale(ctx context.Context, name string, opts ...GetOption) (*autoscalingv1.Scale, error) {
	return scale(ctx, r.h, request.Get, name, nil, withOptions(r.h.settings, opts))
}

func scale(ctx context.Context, h handle, verb request.Verb, name string, body []byte, s *settings) (*autoscalingv1.Scale, error) {
	h.subresource = "scale"
	h.goType = scaleType
	h.builtin = true // autoscaling/v1 Scale is Kubernetes' own, also for custom resources
	h.body = schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}
	c, err := h.call(ctx, verb, s)
	if err != nil {
		return nil, err
	}
	c.spec.Name = name
	c.spec.Query = s.query(verb)
	if body != nil {
		c.spec.Body, c.spec.ContentType = body, string(types.MergePatchType)
	}
	into := &autoscalingv1.Scale{}
	if err := c.object(ctx, body, into); err != nil {
		return nil, err
	}
	return into, nil
}
