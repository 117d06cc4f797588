package devserver

import (
	"context"
	"fmt"
	"iter"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// Object is a DevServer as package customresource has it: what a [Server] is beside its methods.
type Object = customresource.Object[v1.DevServerSpec, v1.DevServerStatus]

// Servers is where DevServers are made, found and listed: in one namespace, or in all. It is a small immutable value, safe
// for concurrent use; every call of its zero value is a [*customresource.ConfigError].
type Servers struct {
	client  *kubesdk.Client
	objects customresource.Collection[v1.DevServerSpec, v1.DevServerStatus]
}

// For is the DevServers of all namespaces on c's cluster.
func For(c *kubesdk.Client) Servers {
	return Servers{client: c, objects: collection[v1.DevServerSpec, v1.DevServerStatus](c, (*v1.DevServer)(nil))}
}

// Flavors is the DevServerFlavors of c's cluster.
func Flavors(c *kubesdk.Client) customresource.Collection[v1.DevServerFlavorSpec, v1.DevServerFlavorStatus] {
	return collection[v1.DevServerFlavorSpec, v1.DevServerFlavorStatus](c, (*v1.DevServerFlavor)(nil))
}

// Users is the DevServerUsers of c's cluster.
func Users(c *kubesdk.Client) customresource.Collection[v1.DevServerUserSpec, v1.DevServerUserStatus] {
	return collection[v1.DevServerUserSpec, v1.DevServerUserStatus](c, (*v1.DevServerUser)(nil))
}

type kind interface {
	KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool)
}

func collection[Spec, Status any](c *kubesdk.Client, object kind) customresource.Collection[Spec, Status] {
	gvk, plural, namespaced := object.KubeType()
	// Every call of the collection returns the error too.
	all, _ := customresource.For[Spec, Status](c, kubesdk.TypeInfo{GroupVersionKind: gvk, Plural: plural, Namespaced: namespaced})
	return all
}

// Namespace is the DevServers of one namespace.
func (s Servers) Namespace(namespace string) Servers {
	s.objects = s.objects.Namespace(namespace)
	return s
}

// With is the same servers with other defaults for the calls.
func (s Servers) With(opts ...kubesdk.Option) Servers {
	s.objects = s.objects.With(opts...)
	return s
}

// Create makes a DevServer, and does not wait for it: see [Server.WaitUntilRunning]. If the spec names no flavor, it is
// [DefaultFlavor]'s. It returns [kubesdk.ErrAlreadyExists] if there is one of that name.
func (s Servers) Create(ctx context.Context, name string, spec v1.DevServerSpec, opts ...kubesdk.CreateOption) (*Server, error) {
	return s.CreateObject(ctx, &Object{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, opts...)
}

// CreateObject is Create for a DevServer that has more than a name and a spec: labels, annotations, owners.
func (s Servers) CreateObject(ctx context.Context, obj *Object, opts ...kubesdk.CreateOption) (*Server, error) {
	if obj.Spec.Flavor == "" && s.client != nil {
		flavor, err := DefaultFlavor(ctx, s.client)
		if err != nil {
			return nil, fmt.Errorf("create DevServer %s: %w", obj.Name, err)
		}
		named := *obj
		named.Spec.Flavor = flavor
		obj = &named
	}
	return s.server(s.objects.CreateObject(ctx, obj, opts...))
}

// Get reads a DevServer. It returns [kubesdk.ErrNotFound] if there is none of that name.
func (s Servers) Get(ctx context.Context, name string, opts ...kubesdk.GetOption) (*Server, error) {
	return s.server(s.objects.Get(ctx, name, opts...))
}

// List reads the DevServers of the namespace, or of all, into a slice.
func (s Servers) List(ctx context.Context, opts ...kubesdk.ListOption) ([]*Server, error) {
	objects, err := s.objects.List(ctx, opts...)
	if err != nil {
		return nil, err
	}
	servers := make([]*Server, len(objects))
	for i, obj := range objects {
		servers[i] = s.wrap(obj)
	}
	return servers, nil
}

// All streams the DevServers of the namespace, or of all: memory does not grow with their number.
func (s Servers) All(ctx context.Context, opts ...kubesdk.ListOption) iter.Seq2[*Server, error] {
	return func(yield func(*Server, error) bool) {
		for obj, err := range s.objects.All(ctx, opts...) {
			if !yield(s.server(obj, err)) {
				return
			}
		}
	}
}

// Watch streams what is there and then every change, and heals itself: see [kubesdk.Resource.Watch].
func (s Servers) Watch(ctx context.Context, opts ...kubesdk.WatchOption) iter.Seq2[kubesdk.Event[*Server], error] {
	return func(yield func(kubesdk.Event[*Server], error) bool) {
		for e, err := range s.objects.Watch(ctx, opts...) {
			event := kubesdk.Event[*Server]{
				Type: e.Type, ResourceVersion: e.ResourceVersion, Synced: e.Synced, FinalStateUnknown: e.FinalStateUnknown,
			}
			if e.Object != nil {
				event.Object = s.wrap(e.Object)
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

// Delete asks for the end of the DevServer of that name.
func (s Servers) Delete(ctx context.Context, name string, opts ...kubesdk.DeleteOption) error {
	return s.objects.Delete(ctx, name, opts...)
}

func (s Servers) server(obj *Object, err error) (*Server, error) {
	if err != nil {
		return nil, err
	}
	return s.wrap(obj), nil
}

func (s Servers) wrap(obj *Object) *Server { return &Server{Object: *obj, client: s.client} }

// DefaultFlavor is the name of the flavor that is marked as the default. That there is none, or more than one, is an error
// which says what to do.
func DefaultFlavor(ctx context.Context, c *kubesdk.Client) (string, error) {
	flavors, err := Flavors(c).List(ctx)
	if err != nil {
		return "", fmt.Errorf("look for the default flavor: %w", err)
	}
	var defaults, all []string
	for _, f := range flavors {
		all = append(all, f.Name)
		if f.Spec.Default {
			defaults = append(defaults, f.Name)
		}
	}
	switch {
	case len(defaults) == 1:
		return defaults[0], nil
	case len(defaults) > 1:
		return "", &customresource.ConfigError{
			Problem: "no flavor was named, and more than one is the default: " + strings.Join(defaults, ", "),
			Advice:  "name one in spec.flavor",
		}
	case len(all) == 0:
		return "", &customresource.ConfigError{
			Problem: "no flavor was named, and the cluster has none",
			Advice:  "have an administrator create a DevServerFlavor",
		}
	}
	return "", &customresource.ConfigError{
		Problem: "no flavor was named, and none is the default",
		Advice:  "name one of these in spec.flavor: " + strings.Join(all, ", "),
	}
}
