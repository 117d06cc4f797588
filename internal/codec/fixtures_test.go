package codec

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var someTime = metav1.Time{Time: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).Local()}

func ptr[T any](v T) *T { return &v }

func managedFields(manager string, n int) metav1.ManagedFieldsEntry {
	var b strings.Builder
	b.WriteString(`{"f:metadata":{"f:labels":{".":{}`)
	for i := range n {
		fmt.Fprintf(&b, `,"f:example.com/label-%d":{}`, i)
	}
	b.WriteString(`}}}`)
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &someTime,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(b.String()),
	}
}

func objectMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: "default", UID: types.UID("6a1b7f0e-0d3f-4f6a-9f57-" + fmt.Sprintf("%012x", len(name))),
		ResourceVersion: "123456", Generation: 3, CreationTimestamp: someTime,
		Labels:      map[string]string{"app": "web", "app.kubernetes.io/managed-by": "bench", "pod-template-hash": "7c5d8bf9f7"},
		Annotations: map[string]string{"example.com/description": "a pod as a Deployment makes it"},
	}
}

func container(name string) corev1.Container {
	return corev1.Container{
		Name: name, Image: "registry.example.com/team/" + name + ":1.25", ImagePullPolicy: corev1.PullIfNotPresent,
		Args:  []string{"--listen=:8080", "--log-level=info"},
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
		Env: []corev1.EnvVar{
			{Name: "MODE", Value: "production"},
			{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"}}},
		},
		Resources: corev1.ResourceRequirements{
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("256Mi")},
			Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("128Mi")},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/config"},
			{Name: "kube-api-access-x2x4z", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:   corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080), Scheme: corev1.URISchemeHTTP}},
			TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3,
		},
		TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr(false), RunAsNonRoot: ptr(true)},
	}
}

func podSpec(containers int) corev1.PodSpec {
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst, ServiceAccountName: "default",
		TerminationGracePeriodSeconds: ptr(int64(30)), SchedulerName: "default-scheduler",
		SecurityContext: &corev1.PodSecurityContext{FSGroup: ptr(int64(2000))},
		Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "web"}, DefaultMode: ptr(int32(420))}}}},
		Tolerations: []corev1.Toleration{
			{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr(int64(300))},
			{Key: "node.kubernetes.io/unreachable", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr(int64(300))},
		},
	}
	for i := range containers {
		spec.Containers = append(spec.Containers, container(fmt.Sprintf("web-%d", i)))
	}
	return spec
}

// somePod is a running pod of about 2 KB in protobuf.
func somePod(i int) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: objectMeta(fmt.Sprintf("web-7c5d8bf9f7-%05d", i)), Spec: podSpec(1)}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-7c5d8bf9f7",
		UID: "0b1c2d3e-aaaa-bbbb-cccc-1234567890ab", Controller: ptr(true), BlockOwnerDeletion: ptr(true)}}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{managedFields("kube-controller-manager", 8)}
	pod.Spec.NodeName = fmt.Sprintf("node-%d", i%100)
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "10.244.1.7", PodIPs: []corev1.PodIP{{IP: "10.244.1.7"}}, HostIP: "192.168.1.4",
		StartTime: &someTime, QOSClass: corev1.PodQOSBurstable,
		ContainerStatuses: []corev1.ContainerStatus{{Name: "web-0", Ready: true, Started: ptr(true), Image: "registry.example.com/team/web-0:1.25",
			ImageID:     "registry.example.com/team/web-0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			ContainerID: "containerd://0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: someTime}}}},
	}
	for _, c := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: someTime})
	}
	return pod
}

// largeDeployment is a Deployment of about 8 KB in protobuf.
func largeDeployment() *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: objectMeta("web"),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr(int32(3)), RevisionHistoryLimit: ptr(int32(10)), ProgressDeadlineSeconds: ptr(int32(600)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}}, Spec: podSpec(10)},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxUnavailable: ptr(intstr.FromString("25%")), MaxSurge: ptr(intstr.FromString("25%"))}},
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, ReadyReplicas: 3, AvailableReplicas: 3, UpdatedReplicas: 3},
	}
	d.ManagedFields = []metav1.ManagedFieldsEntry{managedFields("kubectl", 30), managedFields("kube-controller-manager", 10)}
	for _, c := range []appsv1.DeploymentConditionType{appsv1.DeploymentAvailable, appsv1.DeploymentProgressing} {
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{Type: c, Status: corev1.ConditionTrue,
			LastUpdateTime: someTime, LastTransitionTime: someTime, Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability."})
	}
	return d
}

// widget is a custom resource's type as people write it.
type widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              widgetSpec   `json:"spec,omitempty"`
	Status            widgetStatus `json:"status,omitempty"`
}

type widgetSpec struct {
	Replicas  *int32                      `json:"replicas,omitempty"`
	Image     string                      `json:"image"`
	Resources corev1.ResourceRequirements `json:"resources,omitempty"`
	Env       []corev1.EnvVar             `json:"env,omitempty"`
	Selector  map[string]string           `json:"selector,omitempty"`
	Schedule  []widgetSchedule            `json:"schedule,omitempty"`
	Extra     map[string]any              `json:"extra,omitempty"`
}

type widgetSchedule struct {
	Name    string              `json:"name"`
	From    metav1.Time         `json:"from"`
	Weight  float64             `json:"weight"`
	Enabled bool                `json:"enabled"`
	Port    *intstr.IntOrString `json:"port,omitempty"`
}

type widgetStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Phase              string             `json:"phase,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

func (w *widget) DeepCopyObject() runtime.Object { panic("not needed") }

var widgetKind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}

func newWidget() runtime.Object { return &widget{} }

func someWidget(i int) *widget {
	w := &widget{ObjectMeta: objectMeta(fmt.Sprintf("widget-%05d", i)), TypeMeta: metav1.TypeMeta{APIVersion: "example.com/v1", Kind: "Widget"}}
	w.ManagedFields = []metav1.ManagedFieldsEntry{managedFields("widget-controller", 12)}
	c := container("web")
	w.Spec = widgetSpec{Replicas: ptr(int32(3)), Image: c.Image, Resources: c.Resources, Env: c.Env, Selector: w.Labels,
		Extra: map[string]any{"mode": "fast", "limit": int64(12), "tags": []any{"a", "b"}}}
	for k := range 3 {
		w.Spec.Schedule = append(w.Spec.Schedule, widgetSchedule{Name: fmt.Sprint("window-", k), From: someTime, Weight: 0.5, Enabled: true, Port: ptr(intstr.FromInt32(80))})
	}
	w.Status = widgetStatus{ObservedGeneration: 3, Phase: "Running"}
	for _, c := range []string{"Ready", "Progressing"} {
		w.Status.Conditions = append(w.Status.Conditions, metav1.Condition{Type: c, Status: "True", Reason: "AsExpected", Message: "all is well", LastTransitionTime: someTime})
	}
	return w
}

// widgetList is a list of n widgets as the API server writes it: names sorted, metadata last.
func widgetList(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"apiVersion":"example.com/v1","items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		typed, err := json.Marshal(someWidget(i))
		if err != nil {
			panic(err)
		}
		var untyped map[string]any
		if err := json.Unmarshal(typed, &untyped); err != nil {
			panic(err)
		}
		sorted, err := json.Marshal(untyped)
		if err != nil {
			panic(err)
		}
		b.Write(sorted)
	}
	b.WriteString(`],"kind":"WidgetList","metadata":{"continue":"","resourceVersion":"42"}}` + "\n")
	return []byte(b.String())
}
