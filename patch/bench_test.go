package patch_test

import (
	"encoding/json"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/kubesdk/kubesdk/patch"
)

// large is a Deployment of 3 containers with 50 environment variables each.
func large() *appsv1.Deployment {
	d := web()
	d.Spec.Template.Spec.Containers = nil
	for i := range 3 {
		c := corev1.Container{Name: fmt.Sprintf("c%d", i), Image: "nginx:1.24"}
		for j := range 50 {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", j), Value: fmt.Sprintf("value %d", j)})
		}
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, c)
	}
	return d
}

func BenchmarkDiff(b *testing.B) {
	old, changed := large(), large()
	changed.Spec.Template.Spec.Containers[1].Image = "nginx:1.25"
	for name, opts := range map[string][]patch.Option{"strategic": nil, "merge": {patch.As(merge)}, "json": {patch.As(jsonPatch)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := patch.Diff(old, changed, opts...)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.Data(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("nothing", func(b *testing.B) {
		same := large()
		b.ReportAllocs()
		for b.Loop() {
			if p, err := patch.Diff(old, same); err != nil || !patch.Empty(p) {
				b.Fatal(p, err)
			}
		}
	})
	b.Run("apimachinery", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			before, err := json.Marshal(old)
			if err != nil {
				b.Fatal(err)
			}
			after, err := json.Marshal(changed)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := strategicpatch.CreateTwoWayMergePatch(before, after, appsv1.Deployment{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
