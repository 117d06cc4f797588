package object

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Deployment is a Deployment of two containers: 8 KB as the API server answers it, in protobuf and with managedFields. It
// is paused and wants no replicas, so that no controller works on it while a client is measured.
func Deployment(namespace, name string) *appsv1.Deployment {
	labels := appLabels(name)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, Annotations: annotations()},
		Spec: appsv1.DeploymentSpec{
			Replicas:             new(int32),
			Paused:               true,
			RevisionHistoryLimit: ptr[int32](5),
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": name}},
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxUnavailable: ptr(intstr.FromString("25%")), MaxSurge: ptr(intstr.FromInt32(2)),
			}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9090"}},
				Spec:       podSpec("shop"),
			},
		},
	}
}

// PatchDeployment is a Deployment of three containers with 50 environment variables each.
func PatchDeployment() *appsv1.Deployment {
	d := Deployment("default", "many-variables")
	spec := &d.Spec.Template.Spec
	spec.Containers = append(spec.Containers, container("cache", "registry.example.com/shop/cache:1.6.22", 11211, 0))
	for i := range spec.Containers {
		spec.Containers[i].Env = environment(50)
	}
	return d
}

func appLabels(instance string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "shop",
		"app.kubernetes.io/instance":   instance,
		"app.kubernetes.io/version":    "4.17.3",
		"app.kubernetes.io/component":  "frontend",
		"app.kubernetes.io/part-of":    "storefront",
		"app.kubernetes.io/managed-by": "helm",
	}
}

func annotations() map[string]string {
	return map[string]string{
		"meta.helm.sh/release-name":      "shop",
		"meta.helm.sh/release-namespace": "storefront",
		"example.com/owner":              "team-checkout <checkout@example.com>",
		"example.com/runbook":            "https://runbooks.example.com/shop/frontend",
		"example.com/config-checksum":    "9f2b1c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809",
	}
}

func podSpec(app string) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName:            "default",
		TerminationGracePeriodSeconds: ptr[int64](45),
		AutomountServiceAccountToken:  ptr(false),
		SecurityContext:               &corev1.PodSecurityContext{RunAsNonRoot: ptr(true), RunAsUser: ptr[int64](10001), FSGroup: ptr[int64](10001)},
		NodeSelector:                  map[string]string{"kubernetes.io/os": "linux"},
		Tolerations:                   []corev1.Toleration{{Key: "example.com/dedicated", Operator: corev1.TolerationOpEqual, Value: app, Effect: corev1.TaintEffectNoSchedule}},
		Containers: []corev1.Container{
			container("server", "registry.example.com/"+app+"/server:4.17.3", 8080, 12),
			container("metrics", "registry.example.com/"+app+"/exporter:0.14.1", 9090, 3),
		},
		Volumes: []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: app + "-config"}}}},
			{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: app + "-tls"}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr(resource.MustParse("256Mi"))}}},
		},
	}
}

func container(name, image string, port int32, variables int) corev1.Container {
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(name)}},
			InitialDelaySeconds: 5, PeriodSeconds: 10, TimeoutSeconds: 2,
		}
	}
	return corev1.Container{
		Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:  []string{"--listen=:" + fmt.Sprint(port), "--log-format=json", "--config=/etc/shop/config.yaml"},
		Ports: []corev1.ContainerPort{{Name: name, ContainerPort: port, Protocol: corev1.ProtocolTCP}},
		Env:   environment(variables),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/shop", ReadOnly: true}, {Name: "tls", MountPath: "/etc/tls", ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"},
		},
		ReadinessProbe: probe("/ready"), LivenessProbe: probe("/live"),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr(false), ReadOnlyRootFilesystem: ptr(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

func environment(n int) []corev1.EnvVar {
	vars := []corev1.EnvVar{
		{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}},
		{Name: "DATABASE_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "shop-database"}, Key: "password"}}},
	}
	for i := len(vars); i < n; i++ {
		vars = append(vars, corev1.EnvVar{Name: fmt.Sprintf("SHOP_SETTING_%02d", i), Value: fmt.Sprintf("value-of-setting-%02d", i)})
	}
	return vars[:n]
}

func ptr[T any](v T) *T { return &v }
