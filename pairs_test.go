package kubesdk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/patch"
)

// dice makes valid objects at random, out of few names so that two have much in common.
type dice struct{ *rand.Rand }

func (d dice) some(n int, make func(i int)) {
	for _, i := range d.Perm(5)[:d.IntN(n+1)] {
		make(i)
	}
}

func (d dice) texts(prefix string) map[string]string {
	m := map[string]string{}
	d.some(4, func(i int) { m[fmt.Sprint(prefix, i)] = fmt.Sprint("v", d.IntN(3)) })
	return m
}

func (d dice) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: d.texts("label"), Annotations: d.texts("example.com/note")}
}

func (d dice) podSpec() corev1.PodSpec {
	s := corev1.PodSpec{NodeSelector: d.texts("node")}
	var mounts []corev1.VolumeMount
	d.some(3, func(i int) {
		v := corev1.Volume{Name: fmt.Sprint("volume", i), VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
		if d.IntN(2) == 0 {
			v.VolumeSource = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}}}
		}
		s.Volumes = append(s.Volumes, v)
		mounts = append(mounts, corev1.VolumeMount{Name: v.Name, MountPath: fmt.Sprint("/mnt/", i), ReadOnly: d.IntN(2) == 0})
	})
	for _, i := range d.Perm(5)[:1+d.IntN(3)] {
		c := corev1.Container{Name: fmt.Sprint("c", i), Image: fmt.Sprint("image:", d.IntN(3)), VolumeMounts: mounts}
		d.some(4, func(i int) {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprint("E", i), Value: fmt.Sprint(d.IntN(3))})
		})
		d.some(3, func(i int) { c.Args = append(c.Args, fmt.Sprint("-", i)) })
		d.some(3, func(i int) {
			c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: int32(8000 + i), Name: fmt.Sprint("p", i)})
		})
		if d.IntN(2) == 0 {
			c.Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse(fmt.Sprint(1+d.IntN(3), "00m")), "memory": resource.MustParse("1Gi")}
		}
		if d.IntN(2) == 0 {
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(int32(80 + d.IntN(2)))}}}
		}
		s.Containers = append(s.Containers, c)
	}
	d.some(3, func(i int) {
		s.Tolerations = append(s.Tolerations, corev1.Toleration{Key: fmt.Sprint("t", i), Operator: corev1.TolerationOpExists})
	})
	d.some(2, func(i int) {
		s.HostAliases = append(s.HostAliases, corev1.HostAlias{IP: fmt.Sprint("10.0.0.", i+1), Hostnames: []string{fmt.Sprint("h", d.IntN(3))}})
	})
	return s
}

func (d dice) deployment() *appsv1.Deployment {
	obj := &appsv1.Deployment{ObjectMeta: d.meta("a")}
	obj.Spec.Paused, obj.Spec.Replicas = true, new(int32(0))
	obj.Spec.MinReadySeconds = int32(d.IntN(3))
	obj.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}
	obj.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "a"}, Annotations: d.texts("note")}, Spec: d.podSpec()}
	if d.IntN(2) == 0 {
		obj.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	} else if d.IntN(2) == 0 {
		surge := intstr.FromInt32(int32(1 + d.IntN(3)))
		obj.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge}}
	}
	return obj
}

func (d dice) template() *corev1.PodTemplate {
	return &corev1.PodTemplate{ObjectMeta: d.meta("a"), Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: d.texts("app")}, Spec: d.podSpec()}}
}

func (d dice) service() *corev1.Service {
	obj := &corev1.Service{ObjectMeta: d.meta("a"), Spec: corev1.ServiceSpec{ClusterIP: "None", Selector: d.texts("app")}}
	obj.Spec.Selector["app"] = "a" // without one the server takes it for a dual-stack service
	for _, i := range d.Perm(5)[:1+d.IntN(4)] {
		p := corev1.ServicePort{Name: fmt.Sprint("p", i), Port: int32(80 + i/2), Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(int32(8080 + d.IntN(2)))}
		if i%2 == 1 { // one port twice, told apart by its protocol: the merge key is not enough
			p.Protocol = corev1.ProtocolUDP
		}
		obj.Spec.Ports = append(obj.Spec.Ports, p)
	}
	return obj
}

func (d dice) ingress() *networkingv1.Ingress {
	obj := &networkingv1.Ingress{ObjectMeta: d.meta("a")}
	for _, i := range d.Perm(5)[:1+d.IntN(3)] {
		rule := networkingv1.IngressRule{Host: fmt.Sprintf("h%d.example.com", i), IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{}}}
		for _, j := range d.Perm(5)[:1+d.IntN(3)] {
			kind := networkingv1.PathTypePrefix
			rule.HTTP.Paths = append(rule.HTTP.Paths, networkingv1.HTTPIngressPath{Path: fmt.Sprint("/", j), PathType: &kind, Backend: networkingv1.IngressBackend{
				Service: &networkingv1.IngressServiceBackend{Name: fmt.Sprint("s", d.IntN(3)), Port: networkingv1.ServiceBackendPort{Number: 80}},
			}})
		}
		obj.Spec.Rules = append(obj.Spec.Rules, rule)
	}
	return obj
}

func (d dice) limitRange() *corev1.LimitRange {
	obj := &corev1.LimitRange{ObjectMeta: d.meta("a")}
	for _, kind := range []corev1.LimitType{corev1.LimitTypeContainer, corev1.LimitTypePod}[:1+d.IntN(2)] {
		item := corev1.LimitRangeItem{Type: kind, Max: corev1.ResourceList{}}
		for _, name := range []corev1.ResourceName{"cpu", "memory", "ephemeral-storage"}[:1+d.IntN(3)] {
			item.Max[name] = resource.MustParse(fmt.Sprint(1 + d.IntN(3)))
		}
		obj.Spec.Limits = append(obj.Spec.Limits, item)
	}
	return obj
}

func (d dice) configMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: d.meta("a"), Data: d.texts("key"), BinaryData: map[string][]byte{"b": {byte(d.IntN(3))}}}
}

func (d dice) machine() *Machine {
	obj := &Machine{ObjectMeta: d.meta("a"), Spec: MachineSpec{Size: int32(d.IntN(3)), Texts: d.texts("text")}}
	part := func(i int) MachinePart {
		p := MachinePart{Name: fmt.Sprint("p", i), Image: fmt.Sprint("image:", d.IntN(3))}
		d.some(3, func(i int) { p.Args = append(p.Args, fmt.Sprint("<", i, "é&")) })
		return p
	}
	d.some(5, func(i int) { obj.Spec.Parts = append(obj.Spec.Parts, part(i)) })
	d.some(4, func(i int) {
		obj.Spec.Rules = append(obj.Spec.Rules, MachineRule{Host: fmt.Sprint("h", d.IntN(2)), Count: int32(d.IntN(2)), Paths: []string{fmt.Sprint("/", i)}})
	})
	d.some(5, func(int) { obj.Spec.Tags = append(obj.Spec.Tags, fmt.Sprint("t", d.IntN(4))) })
	d.some(3, func(i int) {
		if obj.Spec.Named == nil {
			obj.Spec.Named = map[string]MachinePart{}
		}
		obj.Spec.Named[fmt.Sprint("a/b~", i)] = part(i)
	})
	if d.IntN(2) == 0 {
		p := part(0)
		obj.Spec.Maybe = &p
	}
	return obj
}

// owned leaves nothing of an object but what the server does not set.
func owned(t *testing.T, obj kubesdk.Object) map[string]any {
	t.Helper()
	doc, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		t.Fatal(err)
	}
	delete(doc, "status")
	metadata := doc["metadata"].(map[string]any)
	for _, pointer := range patch.ServerOwned {
		delete(metadata, pointer[len("/metadata/"):])
	}
	return doc
}

// pairs brings n pairs of random objects to the server: the first is made, the second is what an update shall make of it. What comes
// of the update must be what the server says, in a dry run, it would make of the second object if that were put whole.
func pairs[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T], kind types.PatchType, n int, roll func(dice) T) {
	t.Helper()
	ctx := t.Context()
	d := dice{rand.New(rand.NewPCG(uint64(n), 7))}
	old, err := handle.Create(ctx, roll(d))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		wanted := roll(d)
		put := wanted.DeepCopyObject().(T)
		put.SetResourceVersion(latest(t, handle).GetResourceVersion()) // custom resources are not put without
		whole, err := handle.Replace(ctx, put, kubesdk.DryRun())
		for attempt := 0; errors.Is(err, kubesdk.ErrConflict) && attempt < 20; attempt++ { // a controller was quicker
			put.SetResourceVersion(latest(t, handle).GetResourceVersion())
			whole, err = handle.Replace(ctx, put, kubesdk.DryRun())
		}
		if err != nil {
			t.Fatalf("pair %d: the wanted object is not valid: %v", i, err)
		}
		var opts []kubesdk.UpdateOption
		if kind != "" {
			opts = append(opts, kubesdk.PatchType(kind))
		}
		got, err := handle.Update(ctx, wanted, append(opts, kubesdk.From(old))...)
		for attempt := 0; errors.Is(err, kubesdk.ErrConflict) && attempt < 20; attempt++ {
			old = latest(t, handle)
			got, err = handle.Update(ctx, wanted, append(opts, kubesdk.From(old))...)
		}
		if err != nil {
			t.Fatalf("pair %d: %v\nfrom %s\nto %s", i, err, marshal(t, owned(t, old)), marshal(t, owned(t, wanted)))
		}
		if diff := cmp.Diff(owned(t, whole), owned(t, got)); diff != "" {
			t.Fatalf("pair %d (-wanted +got):\n%s\nfrom %s\nto %s", i, diff, marshal(t, owned(t, old)), marshal(t, owned(t, wanted)))
		}
		old = got
	}
}

// latest is the object as it is now.
func latest[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T]) T {
	t.Helper()
	obj, err := handle.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// At least 300 random pairs of objects for each kind of patch.
func TestRandomPairs(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	n := 60
	if testing.Short() {
		n = 5
	}
	for _, kind := range []types.PatchType{types.StrategicMergePatchType, types.MergePatchType, types.JSONPatchType} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ns := kubetest.Namespace(t, c)
			pairs(t, kubesdk.For[*appsv1.Deployment](c).Namespace(ns), kind, n, dice.deployment)
			pairs(t, kubesdk.For[*corev1.PodTemplate](c).Namespace(ns), kind, n, dice.template)
			pairs(t, kubesdk.For[*networkingv1.Ingress](c).Namespace(ns), kind, n, dice.ingress)
			pairs(t, kubesdk.For[*corev1.LimitRange](c).Namespace(ns), kind, n, dice.limitRange)
			pairs(t, kubesdk.For[*corev1.ConfigMap](c).Namespace(ns), kind, n, dice.configMap)
			if kind != types.StrategicMergePatchType {
				pairs(t, kubesdk.For[*corev1.Service](c).Namespace(ns), kind, n, dice.service)
				pairs(t, machines(t, c), kind, n, dice.machine)
			}
		})
	}
	t.Run("as chosen", func(t *testing.T) {
		t.Parallel()
		ns := kubetest.Namespace(t, c)
		pairs(t, kubesdk.For[*corev1.Service](c).Namespace(ns), "", n, dice.service)
		pairs(t, kubesdk.For[*appsv1.Deployment](c).Namespace(ns), "", n, dice.deployment)
		pairs(t, machines(t, c), "", n, dice.machine)
	})
}
