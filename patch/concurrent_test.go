package patch_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/patch/apply"
	"github.com/kubesdk/kubesdk/patch/internal/randobj"
)

// Two people change one object, each from what they read: the second patch meets what the first has left.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	base := &Widget{Spec: WidgetSpec{
		Parts:  []Part{{Name: "a", Image: "x"}, {Name: "b", Image: "y"}},
		Tags:   []string{"p", "q"},
		Rules:  []Rule{{Host: "h", Count: 1}, {Host: "i", Count: 2}},
		ByName: map[string]Part{"k": {Name: "k"}},
	}}
	type edit = func(*Widget)
	for name, tc := range map[string]struct {
		first, second, both edit
		refused             bool
	}{
		"labels where there were none": {
			func(w *Widget) { w.Labels = map[string]string{"a": "1"} },
			func(w *Widget) { w.Labels = map[string]string{"b": "2"} },
			func(w *Widget) { w.Labels = map[string]string{"a": "1", "b": "2"} }, false,
		},
		"entries of a map": {
			func(w *Widget) { w.Spec.ByName["l"] = Part{Name: "l"} },
			func(w *Widget) { delete(w.Spec.ByName, "k") },
			func(w *Widget) { w.Spec.ByName = map[string]Part{"l": {Name: "l"}} }, false,
		},
		"different elements": {
			func(w *Widget) { w.Spec.Parts[0].Image = "x2" },
			func(w *Widget) { w.Spec.Parts[1].Image = "y2" },
			func(w *Widget) { w.Spec.Parts[0].Image, w.Spec.Parts[1].Image = "x2", "y2" }, false,
		},
		"both append": {
			func(w *Widget) { w.Spec.Parts = append(w.Spec.Parts, Part{Name: "c"}) },
			func(w *Widget) { w.Spec.Parts = append(w.Spec.Parts, Part{Name: "d"}) },
			func(w *Widget) { w.Spec.Parts = append(w.Spec.Parts, Part{Name: "c"}, Part{Name: "d"}) }, false,
		},
		"an element moved away": {
			func(w *Widget) { w.Spec.Parts = w.Spec.Parts[1:] },
			func(w *Widget) { w.Spec.Parts[1].Image = "y2" }, nil, true,
		},
		"an element inserted before": {
			func(w *Widget) { w.Spec.Rules = append([]Rule{{Host: "new"}}, w.Spec.Rules...) },
			func(w *Widget) { w.Spec.Rules[1].Count = 7 }, nil, true,
		},
		"a value shifted": {
			func(w *Widget) { w.Spec.Tags = []string{"q"} },
			func(w *Widget) { w.Spec.Tags[0] = "r" }, nil, true,
		},
		"a list emptied and appended to": {
			func(w *Widget) { w.Spec.Tags = append(w.Spec.Tags, "new") },
			func(w *Widget) { w.Spec.Tags = nil }, nil, true,
		},
		"one list made twice": {
			func(w *Widget) { w.Spec.Numbers = []int64{1} },
			func(w *Widget) { w.Spec.Numbers = []int64{2} }, nil, true,
		},
		"removed and removed": {
			func(w *Widget) { w.Spec.Parts = w.Spec.Parts[:1] },
			func(w *Widget) { w.Spec.Parts = w.Spec.Parts[1:] },
			func(w *Widget) { w.Spec.Parts = nil }, false,
		},
	} {
		edited := func(edits ...edit) *Widget {
			w := normal(t, base)
			for _, each := range edits {
				each(w)
			}
			return normal(t, w)
		}
		first := must(patch.Diff(base, edited(tc.first)))
		second := must(patch.Diff(base, edited(tc.second)))
		after, err := apply.To(base, first)
		if err != nil {
			t.Fatal(err)
		}
		got, err := apply.To(after, second)
		if tc.refused {
			if !errors.Is(err, apply.ErrTestFailed) {
				t.Errorf("%s: the second went through: %v\n%s\n%s", name, err, second, marshal(t, got))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, second)
			continue
		}
		if diff := cmp.Diff(generic(t, edited(tc.both)), generic(t, normal(t, got))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The same for a built-in type, whose lists have merge keys: nothing is ever refused and nothing lost.
func TestTwoWritersStrategic(t *testing.T) {
	t.Parallel()
	type edit = func(*appsv1.Deployment)
	edits := map[string]edit{
		"label":      func(d *appsv1.Deployment) { d.Labels["new"] = "x" },
		"unlabel":    func(d *appsv1.Deployment) { delete(d.Labels, "app") },
		"relabel":    func(d *appsv1.Deployment) { d.Labels["tier"] = "back" },
		"annotation": func(d *appsv1.Deployment) { d.Annotations = map[string]string{"x": "y"} },
		"image":      func(d *appsv1.Deployment) { find(d, "nginx").Image = "nginx:2" },
		"image 2":    func(d *appsv1.Deployment) { find(d, "sidecar").Image = "busybox:2" },
		"env":        func(d *appsv1.Deployment) { find(d, "nginx").Env[0].Value = "7" },
		"new env":    func(d *appsv1.Deployment) { c := find(d, "nginx"); c.Env = append(c.Env, corev1.EnvVar{Name: "C"}) },
		"container": func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "new"})
		},
		"replicas": func(d *appsv1.Deployment) { n := int32(5); d.Spec.Replicas = &n },
	}
	for one, first := range edits {
		for two, second := range edits {
			if one == two {
				continue
			}
			a, b, both := web(), web(), web()
			first(a)
			second(b)
			first(both)
			second(both)
			after, err := apply.To(a, must(patch.Diff(web(), b)))
			if err != nil {
				t.Errorf("%s, then %s: %v", one, two, err)
				continue
			}
			if !equality.Semantic.DeepEqual(after, both) {
				t.Errorf("%s, then %s (-want +got):\n%s", one, two, cmp.Diff(both, after))
			}
		}
	}
}

func find(d *appsv1.Deployment, name string) *corev1.Container {
	for i := range d.Spec.Template.Spec.Containers {
		if c := &d.Spec.Template.Spec.Containers[i]; c.Name == name {
			return c
		}
	}
	panic(fmt.Sprintf("no container %s", name))
}

// Random changes to random objects say the same as apimachinery's two-way merge patch, as long as no map or list is emptied (where
// this package says less), and leaving out finalizers, which apimachinery sorts before it compares them.
func TestStrategicLikeApimachinery(t *testing.T) {
	t.Parallel()
	compared := 0
	for seed := range uint64(400) {
		a, b := &corev1.Pod{}, &corev1.Pod{}
		m := randobj.New(seed)
		m.Fill(a)
		copyInto(t, b, a)
		m.Change(b, 1+int(seed%6))
		a, b = normal(t, a), normal(t, b)
		a.Finalizers, b.Finalizers = nil, nil
		ours := text(t, must(patch.Diff(a, b)))
		theirs, err := strategicpatch.CreateTwoWayMergePatch([]byte(marshal(t, a)), []byte(marshal(t, b)), corev1.Pod{})
		if err != nil {
			t.Fatal(err)
		}
		if emptied(generic(t, a), generic(t, b)) {
			continue
		}
		compared++
		sameJSON(t, fmt.Sprint("seed ", seed), ours, string(theirs))
	}
	if compared < 30 {
		t.Errorf("only %d compared", compared)
	}
	t.Logf("%d compared", compared)
}

// emptied says whether a has a map or a list that b lacks.
func emptied(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, _ := b.(map[string]any)
		for name, value := range a {
			switch value.(type) {
			case map[string]any, []any:
				if b[name] == nil || emptied(value, b[name]) {
					return true
				}
			}
		}
	case []any:
		b, _ := b.([]any)
		for i := range a {
			for j := range b {
				if x, ok := a[i].(map[string]any); ok {
					if y, ok := b[j].(map[string]any); ok && x["name"] == y["name"] && emptied(x, y) {
						return true
					}
				}
			}
		}
	}
	return false
}
