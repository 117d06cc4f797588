package v1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DevServer is a development server: a pod that someone works in, with its home, its volumes and an end.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dsv,categories=devserver
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Flavor",type=string,JSONPath=`.spec.flavor`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.owner`,priority=1
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiresAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52",message="metadata.name: at most 52 characters, as pods and services are named after it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: without dots, as pods get it as their host name"
// +kubebuilder:validation:XValidation:rule="self.spec.mode != 'distributed' || self.metadata.name.matches('^[a-z]')",message="metadata.name: must begin with a letter where mode is distributed, as a service is named after it"
type DevServer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DevServerSpec `json:"spec"`
	// +optional
	Status DevServerStatus `json:"status,omitempty,omitzero"`
}

// DevServerSpec is what someone wants of a development server.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'distributed' || has(self.distributed)",message="distributed: needed where mode is distributed",fieldPath=".distributed"
type DevServerSpec struct {
	// Flavor is the name of the DevServerFlavor that says how large the server is and where it runs.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Flavor string `json:"flavor"`

	// Image of the main container. Empty means the operator's default.
	//
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Image string `json:"image,omitempty"`

	// Owner is whose server it is, for people: it grants nothing.
	//
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Owner string `json:"owner,omitempty"`

	// SSH says who may log in. Without it there is no SSH.
	//
	// +optional
	SSH *SSHSpec `json:"ssh,omitempty"`

	// Lifecycle says when the server ends.
	//
	// +optional
	Lifecycle *LifecycleSpec `json:"lifecycle,omitempty"`

	// Volumes are claims of the same namespace to mount. They win over the flavor's at the same path, and are never deleted.
	//
	// +listType=map
	// +listMapKey=mountPath
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Volumes []VolumeSpec `json:"volumes,omitempty"`

	// PersistentHome keeps /home/dev on a volume of its own.
	//
	// +optional
	PersistentHome *PersistentHomeSpec `json:"persistentHome,omitempty"`

	// Mode is standalone, one pod, or distributed, several that know each other.
	//
	// +kubebuilder:validation:Enum=standalone;distributed
	// +kubebuilder:default=standalone
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// Distributed says how many workers there are and how they talk, where mode is distributed.
	//
	// +optional
	Distributed *DistributedSpec `json:"distributed,omitempty"`

	// Running is false to stop the server: its pods go, its home and its volumes stay.
	//
	// +kubebuilder:default=true
	// +optional
	Running *bool `json:"running,omitempty"`

	// Env is added to the environment of the main container. It wins over what the operator sets there.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`

	// InitScript is run by /bin/sh in the image, as the user dev and in its home, each time the server starts: it is ready
	// when the script has ended. Processes that the script leaves in the background stay.
	//
	// +kubebuilder:validation:MaxLength=65536
	// +optional
	InitScript string `json:"initScript,omitempty"`
}

// Mode of a DevServer.
type Mode string

// The modes of a DevServer.
const (
	ModeStandalone  Mode = "standalone"
	ModeDistributed Mode = "distributed"
)

// SSHSpec says who may log in with SSH.
type SSHSpec struct {
	// PublicKey that may log in, as a line of authorized_keys.
	//
	// +kubebuilder:validation:MaxLength=16384
	// +optional
	PublicKey string `json:"publicKey,omitempty"`

	// PublicKeys that may log in too.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=16384
	// +optional
	PublicKeys []string `json:"publicKeys,omitempty"`
}

// Duration like 30m, 2h or 1h30m; empty means the operator's default.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="size(self) == 0 || self.matches('^([0-9]+[hms])+$') && duration(self) > duration('0s') && duration(self) <= duration('87600h')",message="must be a duration above 0 and of at most 87600h, such as 30m, 2h or 1h30m"
type Duration string

// EndAction says what becomes of a server whose time is over.
//
// +kubebuilder:validation:Enum=Stop;Delete
type EndAction string

// The actions at the end of a server's time.
const (
	EndActionStop   EndAction = "Stop"   // spec.running becomes false: it can be resumed
	EndActionDelete EndAction = "Delete" // the DevServer is deleted
)

// LifecycleSpec says when a server ends. While it is stopped, only ExpiresAt counts.
type LifecycleSpec struct {
	// TimeToLive counts from when the server was created, or last resumed. Empty means the operator's default.
	//
	// +optional
	TimeToLive Duration `json:"timeToLive,omitempty"`

	// ExpiresAt is the end, whatever TimeToLive says.
	//
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// OnExpiry is what happens at the end.
	//
	// +kubebuilder:default=Delete
	// +optional
	OnExpiry EndAction `json:"onExpiry,omitempty"`

	// IdleTimeout is how long nobody may have used the server before OnIdle happens. Empty means for ever. What counts as
	// use is the time in the annotation devserver.io/last-activity, which clients of package devserver keep, and the start.
	//
	// +optional
	IdleTimeout Duration `json:"idleTimeout,omitempty"`

	// OnIdle is what happens to a server that nobody uses.
	//
	// +kubebuilder:default=Stop
	// +optional
	OnIdle EndAction `json:"onIdle,omitempty"`
}

// VolumeSpec mounts a claim.
type VolumeSpec struct {
	// ClaimName of a PersistentVolumeClaim.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClaimName string `json:"claimName"`

	// MountPath is absolute. At /home/dev the volume is the home.
	//
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/') && !self.contains(':') && !self.matches('(^|/)[.][.](/|$)')",message="must be an absolute path without .. and without a colon"
	MountPath string `json:"mountPath"`

	// ReadOnly mounts it so.
	//
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
}

// PersistentHomeSpec keeps the home on a volume.
type PersistentHomeSpec struct {
	// Enabled is false for a home that ends with the pod.
	//
	// +optional
	Enabled bool `json:"enabled,omitempty"`

	// Size of the volume. Empty means the operator's default. It can grow where the storage class allows it.
	//
	// +optional
	Size *resource.Quantity `json:"size,omitempty"`

	// StorageClassName of the volume. Empty means the cluster's default.
	//
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// Retain keeps the claim when the DevServer is deleted: the next one of the same name finds its home again.
	//
	// +optional
	Retain bool `json:"retain,omitempty"`
}

// DistributedSpec is the shape of a distributed server.
type DistributedSpec struct {
	// WorldSize is how many workers there are: pods, or nodes in the words of torchrun. The environment variable WORLD_SIZE
	// is, as torch counts, the number of processes: this times nprocsPerNode.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1024
	WorldSize int32 `json:"worldSize"`

	// NprocsPerNode is how many processes torchrun starts in each worker.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	// +kubebuilder:default=1
	// +optional
	NprocsPerNode int32 `json:"nprocsPerNode,omitempty"`

	// Backend of torch.distributed.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:default=nccl
	// +optional
	Backend string `json:"backend,omitempty"`

	// NCCLSettings are environment variables for NCCL.
	//
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	NCCLSettings map[string]string `json:"ncclSettings,omitempty"`
}

// Phase of a DevServer, in one word.
//
// +kubebuilder:validation:Enum=Pending;Starting;Running;Stopping;Stopped;Failed;Terminating
type Phase string

// The phases of a DevServer.
const (
	PhasePending     Phase = "Pending"  // something is missing before a pod can be: see the conditions
	PhaseStarting    Phase = "Starting" // its pod is there and not ready yet
	PhaseRunning     Phase = "Running"  // ready to use
	PhaseStopping    Phase = "Stopping"
	PhaseStopped     Phase = "Stopped"
	PhaseFailed      Phase = "Failed" // it will not run without a change of something: see the conditions
	PhaseTerminating Phase = "Terminating"
)

// The conditions of a DevServer.
const (
	ConditionReady     = "Ready"     // the pod is ready to use
	ConditionScheduled = "Scheduled" // a node was found
	ConditionValid     = "Valid"     // flavor, claims and the rest of what the spec names are there
	ConditionExpiring  = "Expiring"  // the server is about to be stopped or deleted: the message says when and why
)

// AnnotationLastActivity of a DevServer is when somebody last used it, in RFC 3339. Clients set it when they run a command or
// copy files, and again every minute or so as long as a session is open; idleTimeout counts from it.
const AnnotationLastActivity = "devserver.io/last-activity"

// Labels of what belongs to a DevServer.
const (
	LabelServer = "devserver.io/server" // on all that belongs to a DevServer: its name
	LabelApp    = "app"                 // on its pods: its name
)

// The reasons in status.reason and in the conditions.
const (
	ReasonReady             = "Ready"
	ReasonValid             = "Valid"
	ReasonScheduled         = "Scheduled"
	ReasonFlavorNotFound    = "FlavorNotFound"
	ReasonClaimNotFound     = "ClaimNotFound"
	ReasonInvalidSpec       = "InvalidSpec"
	ReasonNameTaken         = "NameTaken"      // something else has the name of what the server needs
	ReasonPreviousServer    = "PreviousServer" // what is left of a deleted server of that name is still ending
	ReasonRefused           = "Refused"        // the API server refuses what the server needs
	ReasonQuotaExceeded     = "QuotaExceeded"
	ReasonPodRefused        = "PodRefused"
	ReasonScheduling        = "Scheduling"
	ReasonUnschedulable     = "Unschedulable"
	ReasonContainerCreating = "ContainerCreating"
	ReasonImagePullFailed   = "ImagePullFailed"
	ReasonContainerRefused  = "ContainerRefused"
	ReasonCrashLoop         = "CrashLoop"
	ReasonInitScriptFailed  = "InitScriptFailed"
	ReasonOutOfMemory       = "OutOfMemory"
	ReasonEvicted           = "Evicted"
	ReasonNotReady          = "NotReady"
	ReasonRestarting        = "Restarting"
	ReasonStopping          = "Stopping"
	ReasonStopped           = "Stopped" // by spec.running
	ReasonExpired           = "Expired" // its time to live is over
	ReasonIdle              = "Idle"    // nobody used it for idleTimeout
	ReasonDeleting          = "Deleting"
)

// DevServerStatus is what became of the spec.
type DevServerStatus struct {
	// Phase sums the conditions up. Running means ready to use.
	//
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// Reason is why, in one word.
	//
	// +optional
	Reason string `json:"reason,omitempty"`

	// Message is why, for people.
	//
	// +optional
	Message string `json:"message,omitempty"`

	// ObservedGeneration is the generation of the spec that this is about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// PodName of the pod to connect to.
	//
	// +optional
	PodName string `json:"podName,omitempty"`

	// NodeName where it runs.
	//
	// +optional
	NodeName string `json:"nodeName,omitempty"`

	// ReadyWorkers is how many pods are ready: of one, or of spec.distributed.worldSize.
	//
	// +optional
	ReadyWorkers int32 `json:"readyWorkers,omitempty"`

	// ResumedAt is when the server was last resumed after it was stopped. Its time to live counts from then.
	//
	// +optional
	ResumedAt *metav1.Time `json:"resumedAt,omitempty"`

	// StartedAt is when the server became ready after it was created or last resumed.
	//
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// ExpiresAt is when it ends.
	//
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// LastActivityTime is when it was last used, as far as is known.
	//
	// +optional
	LastActivityTime *metav1.Time `json:"lastActivityTime,omitempty"`

	// HostKeyFingerprints of its SSH server.
	//
	// +listType=atomic
	// +optional
	HostKeyFingerprints []string `json:"hostKeyFingerprints,omitempty"`

	// Connection says how to get in.
	//
	// +optional
	Connection *Connection `json:"connection,omitempty"`

	// Conditions: Ready, Scheduled, Valid, Expiring.
	//
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Connection is how to get into a server.
type Connection struct {
	// Shell is a command that opens a shell.
	//
	// +optional
	Shell string `json:"shell,omitempty"`

	// SSH is a command that logs in.
	//
	// +optional
	SSH string `json:"ssh,omitempty"`
}

// DevServerList is a list of DevServers.
//
// +kubebuilder:object:root=true
type DevServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DevServer `json:"items"`
}
