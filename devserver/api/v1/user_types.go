package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DevServerUser is someone who may have development servers, in the namespace dev-<username>.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dsu,categories=devserver
// +kubebuilder:printcolumn:name="Username",type=string,JSONPath=`.spec.username`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.status.namespace`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
type DevServerUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DevServerUserSpec `json:"spec"`
	// +optional
	Status DevServerUserStatus `json:"status,omitempty,omitzero"`
}

// DevServerUserSpec says who it is and what they may.
type DevServerUserSpec struct {
	// Username is a DNS label; namespace and service account are named after it.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=59
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="cannot be changed: make a new DevServerUser"
	Username string `json:"username"`

	// RBAC is what the user may beside their own servers.
	//
	// +optional
	RBAC *UserRBAC `json:"rbac,omitempty"`

	// Quotas of the user's namespace.
	//
	// +optional
	Quotas *UserQuotas `json:"quotas,omitempty"`
}

// UserRBAC is what a user may beside their own servers.
type UserRBAC struct {
	// AdditionalRoleRefs are bound to the user's service account.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +optional
	AdditionalRoleRefs []RoleRef `json:"additionalRoleRefs,omitempty"`
}

// RoleRef is a Role or ClusterRole, bound in one namespace.
type RoleRef struct {
	// Name of the role.
	//
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// Namespace in which it is bound. Empty means the user's own.
	//
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// Kind is Role or ClusterRole.
	//
	// +kubebuilder:validation:Enum=Role;ClusterRole
	// +kubebuilder:default=Role
	// +optional
	Kind string `json:"kind,omitempty"`

	// APIGroup of the role.
	//
	// +kubebuilder:validation:Enum=rbac.authorization.k8s.io
	// +kubebuilder:default=rbac.authorization.k8s.io
	// +optional
	APIGroup string `json:"apiGroup,omitempty"`
}

// UserQuotas bound what a user's namespace holds.
type UserQuotas struct {
	// ResourceQuotaSpec of the namespace's ResourceQuota.
	//
	// +optional
	ResourceQuotaSpec *corev1.ResourceQuotaSpec `json:"resourceQuotaSpec,omitempty"`

	// LimitRangeSpec of the namespace's LimitRange.
	//
	// +optional
	LimitRangeSpec *corev1.LimitRangeSpec `json:"limitRangeSpec,omitempty"`
}

// LabelUser is on all that belongs to a DevServerUser: the username.
const LabelUser = "devserver.io/user"

// UserPhase of a DevServerUser, in one word.
//
// +kubebuilder:validation:Enum=Pending;Ready;Failed;Terminating
type UserPhase string

// The phases of a DevServerUser.
const (
	UserPending     UserPhase = "Pending" // something is not made yet: see the message
	UserReady       UserPhase = "Ready"   // the user can work
	UserFailed      UserPhase = "Failed"  // it will not be ready without a change of something: see the message
	UserTerminating UserPhase = "Terminating"
)

// DevServerUserStatus is what became of the spec.
type DevServerUserStatus struct {
	// Phase is Ready when the user can work.
	//
	// +optional
	Phase UserPhase `json:"phase,omitempty"`

	// Message is why, for people.
	//
	// +optional
	Message string `json:"message,omitempty"`

	// Namespace of the user.
	//
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// ObservedGeneration is the generation of the spec that this is about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Ready.
	//
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DevServerUserList is a list of DevServerUsers.
//
// +kubebuilder:object:root=true
type DevServerUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DevServerUser `json:"items"`
}
