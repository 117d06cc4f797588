package main

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Cluster is CloudNativePG's resource, as far as this program uses it. For whole kinds there is kubesdk generate.
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClusterSpec    `json:"spec"`
	Status map[string]any `json:"status,omitempty"`
}

// ClusterSpec is what the user wants.
type ClusterSpec struct {
	Instances int     `json:"instances"`
	Storage   Storage `json:"storage"`
}

// Storage is what each instance gets.
type Storage struct {
	Size string `json:"size"`
}

// KubeType tells kubesdk which resource this is. It must work on a nil pointer.
func (*Cluster) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return schema.GroupVersionKind{Group: "postgresql.cnpg.io", Version: "v1", Kind: "Cluster"}, "clusters", true
}

// DeepCopyObject makes it a runtime.Object, as every object of Kubernetes is.
func (c *Cluster) DeepCopyObject() runtime.Object {
	out := *c
	c.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status = maps.Clone(c.Status)
	return &out
}
