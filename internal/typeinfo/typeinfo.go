// Package typeinfo answers which group, version, kind, plural and scope a Go type has, without asking a server and
// without linking a package that the program does not name: types say it themselves (KubeType), or a generated table of
// strings knows them by package path and name.
//
//	info, ok := typeinfo.Of(reflect.TypeFor[*appsv1.Deployment]())   // apps/v1 Deployment, "deployments", namespaced
package typeinfo

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

//go:generate go run ./gen -output builtin.go

// Info is what a client must know of a kind to address its objects.
type Info struct {
	Kind       schema.GroupVersionKind
	Plural     string
	Namespaced bool
	Builtin    bool // served by Kubernetes itself, and so in protobuf too
}

// kubeTyper is implemented by generated types; the method must work on a nil pointer.
type kubeTyper interface {
	KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool)
}

// Of finds what is known of the pointer type t.
func Of(t reflect.Type) (Info, bool) {
	if t.Kind() != reflect.Pointer {
		return Info{}, false
	}
	if kt, ok := reflect.Zero(t).Interface().(kubeTyper); ok {
		gvk, plural, namespaced := kt.KubeType()
		return Info{Kind: gvk, Plural: plural, Namespaced: namespaced}, true
	}
	e, ok := builtin[t.Elem().PkgPath()+"."+t.Elem().Name()]
	if !ok {
		return Info{}, false
	}
	return Info{
		Kind:       schema.GroupVersionKind{Group: e.group, Version: e.version, Kind: t.Elem().Name()},
		Plural:     e.plural,
		Namespaced: e.namespaced,
		Builtin:    true,
	}, true
}

type entry struct {
	group, version, plural string
	namespaced             bool
}
