package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DevServerFlavor is a size and a place that development servers come in.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dsf,categories=devserver
// +kubebuilder:printcolumn:name="Default",type=boolean,JSONPath=`.spec.default`
// +kubebuilder:printcolumn:name="Schedulable",type=string,JSONPath=`.status.schedulable`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type DevServerFlavor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DevServerFlavorSpec `json:"spec"`
	// +optional
	Status DevServerFlavorStatus `json:"status,omitempty,omitzero"`
}

// DevServerFlavorSpec is what servers of the flavor get.
type DevServerFlavorSpec struct {
	// Default marks the flavor that clients take when nobody chose one. At most one flavor may be it.
	//
	// +optional
	Default bool `json:"default,omitempty"`

	// Resources of the main container.
	//
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty,omitzero"`

	// NodeSelector of the pods.
	//
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations of the pods.
	//
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// Volumes are claims that every server of the flavor mounts, from its own namespace.
	//
	// +listType=map
	// +listMapKey=mountPath
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Volumes []VolumeSpec `json:"volumes,omitempty"`
}

// Schedulable says whether a server of a flavor would find a node now.
//
// +kubebuilder:validation:Enum=AUTOSCALED;Yes;No;Unknown
type Schedulable string

// The values of Schedulable.
const (
	SchedulableAutoscaled Schedulable = "AUTOSCALED" // no node now, but one may be made
	SchedulableYes        Schedulable = "Yes"
	SchedulableNo         Schedulable = "No"
	SchedulableUnknown    Schedulable = "Unknown"
)

// DevServerFlavorStatus is what is known of a flavor.
type DevServerFlavorStatus struct {
	// Schedulable says whether a server of the flavor would find a node now.
	//
	// +optional
	Schedulable Schedulable `json:"schedulable,omitempty"`

	// ObservedGeneration is the generation of the spec that this is about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Valid.
	//
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DevServerFlavorList is a list of DevServerFlavors.
//
// +kubebuilder:object:root=true
type DevServerFlavorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DevServerFlavor `json:"items"`
}
