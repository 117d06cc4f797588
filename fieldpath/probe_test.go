package fieldpath

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// Every field of the probes of large types is found again by its address.
func TestEveryField(t *testing.T) {
	t.Parallel()
	for _, root := range []any{
		Root[corev1.Pod](), Root[corev1.Node](), Root[corev1.Service](), Root[corev1.PersistentVolume](), Root[appsv1.Deployment](),
		Root[appsv1.StatefulSet](), Root[networkingv1.Ingress](), Root[resourcev1.ResourceSlice](),
	} {
		v := reflect.ValueOf(root)
		fields := 0
		walk(v.Elem(), nil, func(field reflect.Value, steps []Step) {
			fields++
			found, err := find(v, field.Addr())
			if got, want := spell(found), spell(steps); err != nil || got != want {
				t.Errorf("%s: %s found as %s, %v", v.Type(), want, got, err)
			}
		})
		if fields < 90 {
			t.Errorf("%s: only %d fields", v.Type(), fields)
		}
	}
}

// walk visits every addressable value of v that has a place in JSON.
func walk(v reflect.Value, steps []Step, visit func(reflect.Value, []Step)) {
	visit(v, steps)
	if v.Kind() == reflect.Pointer {
		if !v.IsNil() {
			walk(v.Elem(), steps, visit)
		}
		return
	}
	switch shape := jsontype.Of(v.Type()); shape.Kind {
	case jsontype.Object:
		for i := range shape.Fields {
			field := &shape.Fields[i]
			if inner, ok := field.Reach(v); ok {
				walk(inner, append(slices.Clip(steps), Step{Kind: FieldStep, Name: field.Name}), visit)
			}
		}
	case jsontype.List:
		for i := range v.Len() {
			walk(v.Index(i), append(slices.Clip(steps), Step{Kind: IndexStep, Index: i}), visit)
		}
	}
}

func BenchmarkProbe(b *testing.B) {
	for _, t := range []reflect.Type{reflect.TypeFor[appsv1.Deployment](), reflect.TypeFor[corev1.ConfigMap]()} {
		b.Run(fmt.Sprint(t), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newProbe(t)
			}
		})
	}
}

func BenchmarkOf(b *testing.B) {
	d := Root[appsv1.Deployment]()
	b.ReportAllocs()
	for b.Loop() {
		if p := Of(d, &d.Spec.Template.Spec.Containers[0].Image); p.Err() != nil {
			b.Fatal(p.Err())
		}
	}
}

func BenchmarkGet(b *testing.B) {
	d := Root[appsv1.Deployment]()
	p := Of(d, &d.Spec.Template.Spec.Containers[0].Image)
	obj := &appsv1.Deployment{}
	obj.Spec.Template.Spec.Containers = []corev1.Container{{Image: "nginx"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Get(obj, p); err != nil {
			b.Fatal(err)
		}
	}
}
