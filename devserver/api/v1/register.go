package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of this package's kinds.
var GroupVersion = schema.GroupVersion{Group: "devserver.io", Version: "v1"}

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&DevServer{}, &DevServerList{}, &DevServerFlavor{}, &DevServerFlavorList{}, &DevServerUser{}, &DevServerUserList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})

// AddToScheme adds this package's kinds to a scheme.
var AddToScheme = schemeBuilder.AddToScheme

// KubeType is how package kubesdk knows the kind.
func (*DevServer) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return GroupVersion.WithKind("DevServer"), "devservers", true
}

// KubeType is how package kubesdk knows the kind.
func (*DevServerFlavor) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return GroupVersion.WithKind("DevServerFlavor"), "devserverflavors", false
}

// KubeType is how package kubesdk knows the kind.
func (*DevServerUser) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return GroupVersion.WithKind("DevServerUser"), "devserverusers", false
}
