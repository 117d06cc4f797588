package kubesdk

import (
	"context"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
	"github.com/kubesdk/kubesdk/internal/typeinfo"
)

// Object is what a [Resource] handles: a pointer to a struct with TypeMeta and ObjectMeta, such as *corev1.Pod,
// *unstructured.Unstructured or a type made by kubesdk generate.
type Object interface {
	metav1.Object
	runtime.Object
}

// TypeInfo is what a client must know of a kind to address its objects.
type TypeInfo struct {
	schema.GroupVersionKind
	Plural     string // lower case, as in URLs: "deployments"; empty: the server is asked for it and the scope, once
	Namespaced bool
}

// Resource is a handle for the objects of one Go type on one server, in one namespace or all. It is a small immutable
// value, safe for concurrent use; its methods that return a Resource return a changed copy. Make it with [For]: the zero
// value does not work.
type Resource[T Object] struct {
	h handle
}

// handle is a Resource without its type: what does not depend on T is compiled once.
type handle struct {
	client      *Client
	goType      reflect.Type // *corev1.Pod
	kind        TypeInfo     // whose resource is addressed
	body        schema.GroupVersionKind
	builtin     bool
	namespace   string
	subresource string
	settings    *settings
	err         error
}

// TypeOption says which kind a handle is for.
type TypeOption interface{ applyType(*handle) }

type typeOption func(*handle)

func (o typeOption) applyType(h *handle) { o(h) }

// Type names the kind where the Go type does not: for *unstructured.Unstructured, *metav1.PartialObjectMetadata, and
// types that are known by no other way.
func Type(info TypeInfo) TypeOption {
	return typeOption(func(h *handle) {
		h.kind, h.body, h.builtin = info, info.GroupVersionKind, false
		if info.Kind == "" || info.Version == "" {
			h.err = fmt.Errorf("kubesdk.Type(%s): kind and version are needed", info.GroupVersionKind)
		}
	})
}

// TypeOf names the kind of another Go type: For[*metav1.PartialObjectMetadata](c, TypeOf[*corev1.Pod]()) reads only the
// metadata of pods, For[*policyv1.Eviction](c, TypeOf[*corev1.Pod]()).Subresource("eviction") creates evictions.
func TypeOf[T Object]() TypeOption {
	return typeOption(func(h *handle) {
		h.kind, _, h.err = lookup(h.client, reflect.TypeFor[T]())
	})
}

// For is the handle for objects of type T. What T's kind is comes from the options, from a KubeType method (generated
// types have it), from the table of k8s.io/api, from the client's [Scheme]; plural and scope, where none of these knows
// them, from the server. A type that nobody knows is an error of the first call.
func For[T Object](c *Client, opts ...TypeOption) Resource[T] {
	return Resource[T]{h: newHandle(c, reflect.TypeFor[T](), opts)}
}

func newHandle(c *Client, t reflect.Type, opts []TypeOption) handle {
	h := handle{client: c, goType: t, settings: c.defaults}
	own, builtin, err := lookup(c, t)
	if err == nil {
		h.body, h.kind, h.builtin = own.GroupVersionKind, own, builtin
	} else if len(opts) == 0 {
		h.err = err
	}
	for _, o := range opts {
		o.applyType(&h)
	}
	if h.body.Empty() {
		h.body = h.kind.GroupVersionKind
	}
	return h
}

// lookup finds the kind of a Go type by all ways that need no server.
func lookup(c *Client, t reflect.Type) (info TypeInfo, builtin bool, err error) {
	if known, ok := typeinfo.Of(t); ok {
		return TypeInfo{GroupVersionKind: known.Kind, Plural: known.Plural, Namespaced: known.Namespaced}, known.Builtin, nil
	}
	if t.Kind() == reflect.Pointer {
		if gvk, ok := c.schemeKind(t); ok {
			return TypeInfo{GroupVersionKind: gvk}, false, nil
		}
	}
	return TypeInfo{}, false, fmt.Errorf("no kind is known for the Go type %s: give its KubeType method, kubesdk.Type(...) to For, or kubesdk.Scheme(...) to the client", t)
}

// Namespace is the handle for one namespace.
func (r Resource[T]) Namespace(namespace string) Resource[T] {
	r.h.namespace = namespace
	return r
}

// CurrentNamespace is the namespace that the handle is for; empty if it is for all.
func (r Resource[T]) CurrentNamespace() string { return r.h.namespace }

// AllNamespaces is the handle without a namespace, as [For] returns it: for lists and watches of all of them, and for
// objects that carry their own.
func (r Resource[T]) AllNamespaces() Resource[T] { return r.Namespace("") }

// With is the handle with other defaults for its calls. Options that do not fit a verb have no effect on it.
func (r Resource[T]) With(opts ...Option) Resource[T] {
	r.h.settings = withOptions(r.h.settings, opts)
	return r
}

// Subresource is the handle for a subresource, such as "status", "eviction", "token" or "resize". Which verbs there are
// depends on the resource.
func (r Resource[T]) Subresource(name string) Resource[T] {
	r.h.subresource = name
	return r
}

// Status is the handle for the status of the objects.
func (r Resource[T]) Status() Resource[T] { return r.Subresource("status") }

// call begins a call: the kind is known and the settings are complete after it, or there is an error.
func (h handle) call(ctx context.Context, verb request.Verb, s *settings) (*call, error) {
	c := &call{client: h.client, settings: s, kind: h.kind.GroupVersionKind, body: h.body}
	c.spec.Verb, c.spec.Namespace, c.spec.Subresource = verb, h.namespace, h.subresource
	c.spec.Resource.GroupVersionResource = h.kind.GroupVersion().WithResource(h.kind.Plural)
	err := h.err
	if err == nil {
		err = s.err
	}
	if err == nil && h.kind.Plural == "" {
		h.kind, err = h.client.discover(ctx, h.kind.GroupVersionKind)
		c.spec.Resource.GroupVersionResource = h.kind.GroupVersion().WithResource(h.kind.Plural)
	}
	if err != nil {
		return nil, c.refuse(err)
	}
	c.spec.Resource.Namespaced = h.kind.Namespaced
	c.metadataOnly = h.goType == metadataType
	c.protobuf = (h.builtin || c.metadataOnly) && codec.CanProtobuf(h.goType)
	return c, nil
}

// place takes name and namespace from an object. The handle's namespace and the object's must not disagree.
func (c *call) place(obj metav1.Object) error {
	c.spec.Name = obj.GetName()
	switch own := obj.GetNamespace(); {
	case own == "" || own == c.spec.Namespace:
	case c.spec.Namespace == "":
		c.spec.Namespace = own
	default:
		return c.refuse(fmt.Errorf("the object's namespace is %q and the handle's is %q: they must be the same, or one of them empty", own, c.spec.Namespace))
	}
	return nil
}

var metadataType = reflect.TypeFor[*metav1.PartialObjectMetadata]()

// newObject makes an empty T.
func newObject[T Object]() T {
	return reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T) //nolint:forcetypeassert // T is a pointer, and New makes pointers
}
