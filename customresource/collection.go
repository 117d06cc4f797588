package customresource

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
)

// Collection is where the objects of one custom resource are made, found and listed: in one namespace, in all, or in the
// cluster. It is a small immutable value, safe for concurrent use; its zero value does not work.
type Collection[Spec, Status any] struct {
	objects   kubesdk.Resource[*Object[Spec, Status]]
	kind      kubesdk.TypeInfo
	namespace string
	err       error // why every call fails
}

// For is the collection of a kind on c's server. It returns a [*ConfigError] if kind cannot be one, and so does every call
// of the collection then; that the server has it is first known when it is called.
func For[Spec, Status any](c *kubesdk.Client, kind kubesdk.TypeInfo) (Collection[Spec, Status], error) {
	var err error
	switch {
	case c == nil:
		err = &ConfigError{Problem: "the client is nil", Advice: "log in first, with kubesdk.Login"}
	case kind.Group == "" || kind.Version == "" || kind.Kind == "" || kind.Plural == "":
		err = &ConfigError{
			Problem: fmt.Sprintf("the kind %+v is incomplete", kind),
			Advice:  "give group, version, kind and plural as the CustomResourceDefinition has them",
		}
	}
	if err != nil {
		return Collection[Spec, Status]{err: err}, err
	}
	return Collection[Spec, Status]{objects: kubesdk.For[*Object[Spec, Status]](c, kubesdk.Type(kind)), kind: kind}, nil
}

// Namespace is the collection in one namespace. For a cluster-scoped kind every call of it is a [*ConfigError].
func (c Collection[Spec, Status]) Namespace(namespace string) Collection[Spec, Status] {
	c.namespace = namespace
	c.objects = c.objects.Namespace(namespace)
	return c
}

// With is the collection with other defaults for its calls.
func (c Collection[Spec, Status]) With(opts ...kubesdk.Option) Collection[Spec, Status] {
	if c.kind.Kind != "" { // else every call fails anyway
		c.objects = c.objects.With(opts...)
	}
	return c
}

// Create makes an object of that name. It returns [kubesdk.ErrAlreadyExists] if there is one.
func (c Collection[Spec, Status]) Create(ctx context.Context, name string, spec Spec, opts ...kubesdk.CreateOption) (*Object[Spec, Status], error) {
	return c.CreateObject(ctx, &Object[Spec, Status]{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, opts...)
}

// CreateObject makes an object that has more than a name and a spec: labels, annotations, owners.
func (c Collection[Spec, Status]) CreateObject(ctx context.Context, obj *Object[Spec, Status], opts ...kubesdk.CreateOption) (*Object[Spec, Status], error) {
	if err := c.check("create", obj.ObjectMeta.Namespace, true); err != nil {
		return nil, err
	}
	if obj.Name == "" && obj.GenerateName == "" {
		return nil, fmt.Errorf("create %s: %w", c.kind.Kind, errNoName)
	}
	return c.adopted(c.objects.Create(ctx, obj, opts...))
}

// Get reads an object. It returns [kubesdk.ErrNotFound] if there is none.
func (c Collection[Spec, Status]) Get(ctx context.Context, name string, opts ...kubesdk.GetOption) (*Object[Spec, Status], error) {
	if err := c.check("get", "", true); err != nil {
		return nil, err
	}
	return c.adopted(c.objects.Get(ctx, name, opts...))
}

// List reads the objects of the namespace, or of all, into a slice.
func (c Collection[Spec, Status]) List(ctx context.Context, opts ...kubesdk.ListOption) ([]*Object[Spec, Status], error) {
	if err := c.check("list", "", false); err != nil {
		return nil, err
	}
	list, err := c.objects.List(ctx, opts...)
	if err != nil {
		return nil, c.explain(err)
	}
	for _, obj := range list.Items {
		c.adopt(obj)
	}
	return list.Items, nil
}

// All streams the objects of the namespace, or of all: memory does not grow with their number.
func (c Collection[Spec, Status]) All(ctx context.Context, opts ...kubesdk.ListOption) iter.Seq2[*Object[Spec, Status], error] {
	return func(yield func(*Object[Spec, Status], error) bool) {
		if err := c.check("list", "", false); err != nil {
			yield(nil, err)
			return
		}
		for obj, err := range c.objects.All(ctx, opts...) {
			if err == nil {
				c.adopt(obj)
			}
			if !yield(obj, c.explain(err)) {
				return
			}
		}
	}
}

// Watch streams what is there and then every change, and heals itself: see [kubesdk.Resource.Watch].
func (c Collection[Spec, Status]) Watch(ctx context.Context, opts ...kubesdk.WatchOption) iter.Seq2[kubesdk.Event[*Object[Spec, Status]], error] {
	return func(yield func(kubesdk.Event[*Object[Spec, Status]], error) bool) {
		if err := c.check("watch", "", false); err != nil {
			yield(kubesdk.Event[*Object[Spec, Status]]{}, err)
			return
		}
		for event, err := range c.objects.Watch(ctx, opts...) {
			if err == nil && event.Object != nil {
				c.adopt(event.Object)
			}
			if !yield(event, c.explain(err)) {
				return
			}
		}
	}
}

// Delete asks for the end of the object of that name.
func (c Collection[Spec, Status]) Delete(ctx context.Context, name string, opts ...kubesdk.DeleteOption) error {
	if err := c.check("delete", "", true); err != nil {
		return err
	}
	return c.explain(c.objects.Delete(ctx, name, opts...))
}

func (c Collection[Spec, Status]) adopted(obj *Object[Spec, Status], err error) (*Object[Spec, Status], error) {
	if err != nil {
		return nil, c.explain(err)
	}
	c.adopt(obj)
	return obj, nil
}

func (c Collection[Spec, Status]) adopt(obj *Object[Spec, Status]) {
	obj.home, obj.seen = c, obj.copyData()
}

// check refuses what cannot be right for the kind's scope, before anything is sent.
func (c Collection[Spec, Status]) check(verb, own string, needsNamespace bool) error {
	namespace := c.namespace
	if namespace == "" {
		namespace = own
	}
	switch {
	case c.err != nil:
		return fmt.Errorf("%s: %w", verb, c.err)
	case c.kind.Kind == "":
		return &ConfigError{Problem: verb + ": the collection is a zero value", Advice: "make it with customresource.For"}
	case !c.kind.Namespaced && namespace != "":
		return &ConfigError{
			Problem: fmt.Sprintf("%s %s in namespace %q: the kind is cluster-scoped", verb, c.kind.Plural, namespace),
			Advice:  "leave Namespace out",
		}
	case c.kind.Namespaced && namespace == "" && needsNamespace:
		return &ConfigError{
			Problem: fmt.Sprintf("%s %s: the kind is namespaced and no namespace was given", verb, c.kind.Plural),
			Advice:  "use Namespace(...) on the collection",
		}
	}
	return nil
}

// explain turns the server's way of saying that it does not know the kind into a ConfigError.
func (c Collection[Spec, Status]) explain(err error) error {
	var e *kubesdk.Error
	if errors.As(err, &e) && e.Code == http.StatusNotFound && !e.FromServer() {
		return &ConfigError{
			Problem: fmt.Sprintf("the server at %s does not serve %s", e.URL, c.kind.GroupVersionKind),
			Advice:  "install its CustomResourceDefinition, or check group, version and plural",
			Err:     err,
		}
	}
	return err
}

// ConfigError says that the program or the cluster is not set up for what was asked, and what to do about it.
type ConfigError struct {
	Problem string
	Advice  string
	Err     error // what the server said, if it was asked
}

// Error is the problem and the advice in one line.
func (e *ConfigError) Error() string { return e.Problem + ": " + e.Advice }

// Unwrap is what the server said, or nil.
func (e *ConfigError) Unwrap() error { return e.Err }
