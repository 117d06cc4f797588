package object

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod is a pod of one container, as a Deployment makes them: about 3.4 KB of JSON with [PodStatus]. No scheduler takes it.
func Pod(namespace, name string) *corev1.Pod {
	labels := appLabels("shop")
	labels["pod-template-hash"] = "7d9c6b8f5d"
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, Annotations: map[string]string{"prometheus.io/scrape": "true"}},
		Spec: corev1.PodSpec{
			SchedulerName:                 "nobody",
			ServiceAccountName:            "default",
			TerminationGracePeriodSeconds: new(int64), // gone at once when deleted
			AutomountServiceAccountToken:  ptr(false),
			Containers: []corev1.Container{{
				Name: "server", Image: "registry.example.com/shop/server:4.17.3",
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
				Env:   environment(5),
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
				},
				VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/shop", ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "shop-config"}}}},
			},
		},
	}
}

// PodStatus is the status of a running [Pod]; generation makes one differ from the next.
func PodStatus(generation int) corev1.PodStatus {
	at := metav1.NewTime(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC).Add(time.Duration(generation) * time.Second))
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: "10.0.17.4", HostIPs: []corev1.HostIP{{IP: "10.0.17.4"}},
		PodIP: "10.244.3.21", PodIPs: []corev1.PodIP{{IP: "10.244.3.21"}}, QOSClass: corev1.PodQOSBurstable, StartTime: &at,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "server", Ready: true, Started: ptr(true), RestartCount: int32(generation),
			Image:       "registry.example.com/shop/server:4.17.3",
			ImageID:     "registry.example.com/shop/server@sha256:2f1c9d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c",
			ContainerID: fmt.Sprintf("containerd://%064x", generation),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
		}},
	}
	for _, condition := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: at})
	}
	return status
}
