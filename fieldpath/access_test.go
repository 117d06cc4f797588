package fieldpath_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesdk/kubesdk/fieldpath"
)

func web() *appsv1.Deployment {
	replicas := int32(2)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{
				{Name: "nginx", Image: "nginx:1.24", Env: []corev1.EnvVar{{Name: "A", Value: "1"}}},
				{Name: "sidecar", Image: "busybox"},
			}}},
		},
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	obj := web()

	check(t, obj, fieldpath.Of(d, d.Spec.Replicas), 2)
	check(t, obj, fieldpath.Of(d, &d.Spec.Replicas), obj.Spec.Replicas)
	check(t, obj, fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Image), "nginx:1.24")
	check(t, obj, fieldpath.Join(fieldpath.Where(all, "name", "sidecar"), fieldpath.Of(c, &c.Image)), "busybox")
	check(t, obj, fieldpath.Index(all, 1), obj.Spec.Template.Spec.Containers[1])
	check(t, obj, fieldpath.Key(fieldpath.Of(d, &d.Labels), "app"), "web")
	check(t, obj, fieldpath.Of(d, &d.Spec.Template.Labels), nil)
	check(t, obj, fieldpath.Of(d, &d.Spec.Strategy.RollingUpdate), nil)
	whole, err := fieldpath.Get(obj, fieldpath.Of(d, d))
	if err != nil || whole.Name != "web" {
		t.Errorf("the object itself: %v", err)
	}

	absent(t, obj, fieldpath.Key(fieldpath.Of(d, &d.Labels), "team"), ".metadata.labels.team: there is no such key")
	absent(t, obj, fieldpath.Index(all, 2), "[2]: the list has 2 elements")
	absent(t, obj, fieldpath.End(all), "the list has 2 elements")
	absent(t, obj, fieldpath.Where(all, "name", "x"), `[name="x"]: no element has this name`)
	absent(t, obj, fieldpath.Of(d, &d.Spec.Strategy.RollingUpdate.MaxSurge), ".spec.strategy.rollingUpdate is nil")
	absent(t, obj, fieldpath.Of(d, d.Spec.RevisionHistoryLimit), "it is nil")
	absent(t, nil, fieldpath.Of(d, &d.Name), "the object is nil")
}

func check[T, F any](t *testing.T, obj *T, p fieldpath.Path[T, F], want F) {
	t.Helper()
	got, err := fieldpath.Get(obj, p)
	if err != nil {
		t.Errorf("get %s: %v", p, err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("get %s (-want +got):\n%s", p, diff)
	}
}

func absent[T, F any](t *testing.T, obj *T, p fieldpath.Path[T, F], says string) {
	t.Helper()
	_, err := fieldpath.Get(obj, p)
	if !errors.Is(err, fieldpath.ErrAbsent) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), p.String()) {
		t.Errorf("get %s: %v; want ErrAbsent that says %q", p, err, says)
	}
	if ok, err := fieldpath.Has(obj, p); ok || err != nil {
		t.Errorf("has %s: %v, %v", p, ok, err)
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	obj := web()
	for p, want := range map[fieldpath.In[appsv1.Deployment]]bool{
		fieldpath.Of(d, &d.Spec.Replicas):                            true,
		fieldpath.Of(d, &d.Spec.RevisionHistoryLimit):                false,
		fieldpath.Of(d, &d.Spec.Paused):                              false, // omitempty
		fieldpath.Of(d, &d.Status):                                   true,  // a struct always shows
		fieldpath.Of(d, &d.Labels):                                   true,
		fieldpath.Of(d, &d.Annotations):                              false,
		fieldpath.Of(d, &d.CreationTimestamp):                        false, // omitzero
		fieldpath.Key(fieldpath.Of(d, &d.Labels), "app"):             true,
		fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Command): false,
		fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Name):    true,
	} {
		got := has(t, obj, p)
		if got != want {
			t.Errorf("has %s: %v", p, got)
		}
	}
}

func has(t *testing.T, obj *appsv1.Deployment, p fieldpath.In[appsv1.Deployment]) bool {
	t.Helper()
	again, err := fieldpath.Parse[appsv1.Deployment, any](p.String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := fieldpath.Has(obj, again)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSet(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	image := fieldpath.Of(c, &c.Image)
	labels := fieldpath.Of(d, &d.Labels)
	surge := intstr.FromString("25%")
	three := int32(3)

	set(t, fieldpath.Of(d, d.Spec.Replicas), 3, func(d *appsv1.Deployment) { d.Spec.Replicas = &three })
	set(t, fieldpath.Of(d, &d.Spec.Replicas), nil, func(d *appsv1.Deployment) { d.Spec.Replicas = nil })
	set(t, fieldpath.Of(d, &d.Name), "other", func(d *appsv1.Deployment) { d.Name = "other" })
	set(t, fieldpath.Of(d, d.Spec.Strategy.RollingUpdate.MaxSurge), surge, func(d *appsv1.Deployment) {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &surge}
	})
	set(t, fieldpath.Key(labels, "team"), "a", func(d *appsv1.Deployment) { d.Labels["team"] = "a" })
	set(t, fieldpath.Key(fieldpath.Of(d, &d.Annotations), "x"), "y", func(d *appsv1.Deployment) { d.Annotations = map[string]string{"x": "y"} })
	set(t, fieldpath.Join(fieldpath.Index(all, 1), image), "busybox:2", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[1].Image = "busybox:2" })
	set(t, fieldpath.Join(fieldpath.Where(all, "name", "nginx"), image), "nginx:2", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "nginx:2" })
	set(t, fieldpath.Join(fieldpath.Where(all, "name", "new"), image), "img", func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "new", Image: "img"})
	})
	set(t, fieldpath.End(all), corev1.Container{Name: "last"}, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "last"})
	})
	set(t, fieldpath.Index(all, 2), corev1.Container{Name: "last"}, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "last"})
	})
	set(t, fieldpath.Key(fieldpath.Join(fieldpath.Index(all, 0), fieldpath.Of(c, &c.Resources.Limits)), "cpu"), apiresource.MustParse("100m"), func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"cpu": apiresource.MustParse("100m")}
	})

	for _, bad := range []struct {
		err  error
		says string
	}{
		{second(fieldpath.Set(web(), fieldpath.Index(all, 3), corev1.Container{})), "[3]: the list has 2 elements"},
		{second(fieldpath.Set(web(), fieldpath.Where(all, "name", "a"), corev1.Container{Name: "b"})), "has another name"},
		{second(fieldpath.Set(nil, fieldpath.Of(d, &d.Name), "a")), "the object is nil"},
	} {
		if bad.err == nil || !strings.Contains(bad.err.Error(), bad.says) {
			t.Errorf("%v; want it to say %q", bad.err, bad.says)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func set[F any](t *testing.T, p fieldpath.Path[appsv1.Deployment, F], value F, edit func(*appsv1.Deployment)) {
	t.Helper()
	obj, want := web(), web()
	edit(want)
	got, err := fieldpath.Set(obj, p, value)
	if err != nil {
		t.Errorf("set %s: %v", p, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("set %s (-want +got):\n%s", p, diff)
	}
	if diff := cmp.Diff(web(), obj); diff != "" {
		t.Errorf("set %s changed the original:\n%s", p, diff)
	}
	if got == obj || (len(got.Spec.Template.Spec.Containers) > 0 && &got.Spec.Template.Spec.Containers[0] == &obj.Spec.Template.Spec.Containers[0]) {
		t.Errorf("set %s shares memory with the original", p)
	}
}

// Set keeps nothing of the value that it was given: later changes to that do not reach the object.
func TestSetCopiesTheValue(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	labels := map[string]string{"a": "1"}
	got, err := fieldpath.Set(web(), fieldpath.Of(d, &d.Labels), labels)
	if err != nil {
		t.Fatal(err)
	}
	labels["a"] = "2"
	if got.Labels["a"] != "1" {
		t.Error("the object shares the map")
	}
}

func TestUnstructured(t *testing.T) {
	t.Parallel()
	obj := &unstructured.Unstructured{Object: map[string]any{
		"kind": "Widget",
		"spec": map[string]any{"size": int64(3), "parts": []any{map[string]any{"name": "a", "n": int64(1)}}},
	}}
	size := parsed[int](t, ".spec.size")
	check(t, obj, size, 3)
	check(t, obj, parsed[any](t, ".spec.size"), any(int64(3)))
	check(t, obj, parsed[string](t, `.spec.parts[name="a"].name`), "a")
	check(t, obj, parsed[string](t, ".spec.parts[0].name"), "a")
	absent(t, obj, parsed[any](t, ".spec.parts[1]"), "the list has 1 elements")
	absent(t, obj, parsed[any](t, ".spec.nothing.at.all"), "no such key")
	absent(t, obj, parsed[any](t, ".spec.size.x"), "no such part")
	if _, err := fieldpath.Get(obj, parsed[bool](t, ".spec.size")); err == nil || errors.Is(err, fieldpath.ErrAbsent) {
		t.Errorf("a number read as a bool: %v", err)
	}

	got, err := fieldpath.Set(obj, size, 5)
	if err == nil {
		got, err = fieldpath.Set(got, parsed[any](t, `.spec.parts[name="b"].n`), any(int32(2)))
	}
	if err == nil {
		got, err = fieldpath.Set(got, parsed[map[string]string](t, ".metadata.labels"), map[string]string{"x": "y"})
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"kind":     "Widget",
		"metadata": map[string]any{"labels": map[string]any{"x": "y"}},
		"spec": map[string]any{"size": int64(5), "parts": []any{
			map[string]any{"name": "a", "n": int64(1)}, map[string]any{"name": "b", "n": int64(2)},
		}},
	}
	if diff := cmp.Diff(want, got.Object); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	got.DeepCopy() // panics on what JSON decoding would not give
	if obj.Object["spec"].(map[string]any)["size"] != int64(3) {
		t.Error("the original changed")
	}
	fresh, err := fieldpath.Set(&unstructured.Unstructured{}, size, 1)
	if err != nil || fresh.Object["spec"].(map[string]any)["size"] != int64(1) {
		t.Errorf("set in an empty object: %v, %v", fresh, err)
	}
}

func parsed[F any](t *testing.T, path string) fieldpath.Path[unstructured.Unstructured, F] {
	t.Helper()
	p, err := fieldpath.Parse[unstructured.Unstructured, F](path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTake(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	labels := fieldpath.Of(d, &d.Labels)
	from := web()
	from.Labels = map[string]string{"team": "a"}
	from.Annotations = map[string]string{"x": "y"}
	from.Spec.Replicas = nil
	from.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar", Image: "busybox:2", Command: []string{"x"}}, {Name: "new"}}
	for name, tc := range map[string]struct {
		paths []fieldpath.Any
		edit  func(*appsv1.Deployment)
	}{
		"nothing": {nil, func(*appsv1.Deployment) {}},
		"all":     {[]fieldpath.Any{fieldpath.Of(d, d)}, func(d *appsv1.Deployment) { *d = *from.DeepCopy() }},
		"labels":  {[]fieldpath.Any{labels}, func(d *appsv1.Deployment) { d.Labels = from.Labels }},
		"one key": {[]fieldpath.Any{fieldpath.Key(labels, "team")}, func(d *appsv1.Deployment) { d.Labels["team"] = "a" }},
		"no key":  {[]fieldpath.Any{fieldpath.Key(labels, "app")}, func(d *appsv1.Deployment) { delete(d.Labels, "app") }},
		"neither": {[]fieldpath.Any{fieldpath.Key(labels, "other")}, func(*appsv1.Deployment) {}},
		"pointer": {[]fieldpath.Any{fieldpath.Of(d, &d.Spec.Replicas)}, func(d *appsv1.Deployment) { d.Spec.Replicas = nil }},
		"pointed": {[]fieldpath.Any{fieldpath.Of(d, d.Spec.Replicas)}, func(d *appsv1.Deployment) { d.Spec.Replicas = nil }},
		"by name": {[]fieldpath.Any{fieldpath.Join(fieldpath.Where(all, "name", "sidecar"), fieldpath.Of(c, &c.Image))}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[1].Image = "busybox:2" }},
		"new": {[]fieldpath.Any{fieldpath.Where(all, "name", "new")}, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "new"})
		}},
		"gone":     {[]fieldpath.Any{fieldpath.Where(all, "name", "nginx")}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = d.Spec.Template.Spec.Containers[1:] }},
		"by index": {[]fieldpath.Any{fieldpath.Index(all, 1)}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[1] = corev1.Container{Name: "new"} }},
		"several": {[]fieldpath.Any{labels, fieldpath.Of(d, &d.Annotations)}, func(d *appsv1.Deployment) {
			d.Labels, d.Annotations = from.Labels, from.Annotations
		}},
	} {
		base, want := web(), web()
		tc.edit(want)
		got, err := fieldpath.Take(base, from, tc.paths...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(web(), base); diff != "" {
			t.Errorf("%s changed the base:\n%s", name, diff)
		}
	}
	// Elements removed by index do not shift each other.
	shorter := web()
	shorter.Spec.Template.Spec.Containers = nil
	got, err := fieldpath.Take(web(), shorter, fieldpath.Index(all, 0), fieldpath.Index(all, 1))
	if err != nil || len(got.Spec.Template.Spec.Containers) != 0 {
		t.Errorf("both elements gone: %v, %v", got.Spec.Template.Spec.Containers, err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	e := fieldpath.Root[corev1.EnvVar]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	env := fieldpath.Join(fieldpath.Where(all, "name", "nginx"), fieldpath.Of(c, &c.Env))
	p := fieldpath.Join(fieldpath.Where(env, "name", "A"), fieldpath.Of(e, &e.Value))
	got, err := fieldpath.Resolve(web(), p)
	if err != nil || got.String() != ".spec.template.spec.containers[0].env[0].value" {
		t.Errorf("resolved: %s, %v", got, err)
	}
	got, err = fieldpath.Resolve(web(), fieldpath.Join(fieldpath.Where(env, "name", "B"), fieldpath.Of(e, &e.Value)))
	if !errors.Is(err, fieldpath.ErrAbsent) || got.Err() == nil {
		t.Errorf("resolved an element that is not there: %s, %v", got, err)
	}
}
