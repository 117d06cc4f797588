package patch_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/internal/typecheck"
	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/patch/apply"
)

func TestBuilder(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	replicas := fieldpath.Of(d, &d.Spec.Replicas)
	labels := fieldpath.Of(d, &d.Labels)
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	limits := fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Resources.Limits)
	p := patch.JSON[appsv1.Deployment]().
		Test(replicas, 2).
		Replace(replicas, int64(3)).
		Add(fieldpath.Key(labels, "example.com/team"), "a").
		Remove(fieldpath.Key(labels, "tier")).
		Add(fieldpath.End(all), corev1.Container{Name: "new"}).
		Add(fieldpath.Key(limits, "memory"), resource.MustParse("1024Mi")).
		Replace(fieldpath.Of(d, &d.Spec.Strategy.RollingUpdate.MaxSurge), intstr.FromInt32(1)).
		Test(fieldpath.Of(d, &d.Annotations), nil).
		Add(fieldpath.Of(d, &d.Annotations), map[string]string{})
	sameJSON(t, "builder", text(t, p), `[
		{"op":"test","path":"/spec/replicas","value":2},
		{"op":"replace","path":"/spec/replicas","value":3},
		{"op":"add","path":"/metadata/labels/example.com~1team","value":"a"},
		{"op":"remove","path":"/metadata/labels/tier"},
		{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"new","resources":{}}},
		{"op":"add","path":"/spec/template/spec/containers/0/resources/limits/memory","value":"1Gi"},
		{"op":"replace","path":"/spec/strategy/rollingUpdate/maxSurge","value":1},
		{"op":"test","path":"/metadata/annotations","value":null},
		{"op":"add","path":"/metadata/annotations","value":{}}]`)
	got, err := apply.To(web(), p)
	if err != nil || *got.Spec.Replicas != 3 || got.Labels["example.com/team"] != "a" || len(got.Spec.Template.Spec.Containers) != 3 {
		t.Errorf("applied: %v, %v", got, err)
	}
	if p.Type() != jsonPatch || !patch.Empty(patch.JSON[appsv1.Deployment]()) || patch.Empty(p) {
		t.Error("type or emptiness")
	}
}

// Two patches may go on from one.
func TestBuilderIsImmutable(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	name := fieldpath.Of(d, &d.Name)
	base := patch.JSON[appsv1.Deployment]().Test(name, "web")
	a, b := base.Replace(name, "a"), base.Replace(name, "b")
	if strings.Contains(a.String(), `"b"`) || strings.Contains(b.String(), `"a"`) || base.String() != `[{"op":"test","path":"/metadata/name","value":"web"}]` {
		t.Errorf("%s\n%s\n%s", base, a, b)
	}
}

func TestBuilderErrors(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	replicas := fieldpath.Of(d, &d.Spec.Replicas)
	name := fieldpath.Of(d, &d.Name)
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	start := patch.JSON[appsv1.Deployment]()
	for _, tc := range []struct {
		p    patch.Patch
		says string
	}{
		{start.Replace(replicas, "three"), "patch: replace .spec.replicas: fieldpath: .spec.replicas is a *int32: a int32 cannot hold a string"},
		{start.Replace(replicas, int64(1)<<40), "cannot hold 1099511627776"},
		{start.Replace(replicas, 1.5), "cannot hold 1.5"},
		{start.Replace(name, nil), "is a string, which cannot be nil"},
		{start.Replace(name, 3), "a string cannot hold a int"},
		{start.Add(fieldpath.Where(all, "name", "x"), corev1.Container{}), "use Resolve"},
		{start.Remove(fieldpath.End(all)), "can only be added to"},
		{start.Add(fieldpath.Path[appsv1.Deployment, string]{}, "x"), "zero Path"},
		{start.Add(nil, "x"), "the path is nil"},
		{start.Replace(name, 3).Replace(name, "x"), "a string cannot hold a int"},
	} {
		_, err := tc.p.Data()
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%v; want it to say %q", err, tc.says)
		}
		if patch.Empty(tc.p) {
			t.Errorf("%s is empty", tc.says)
		}
	}
}

func TestBuilderUnstructured(t *testing.T) {
	t.Parallel()
	size, err := fieldpath.Parse[unstructured.Unstructured, any](".spec.size")
	if err != nil {
		t.Fatal(err)
	}
	p := patch.JSON[unstructured.Unstructured]().Replace(size, 3)
	sameJSON(t, "unstructured", text(t, p), `[{"op":"replace","path":"/spec/size","value":3}]`)
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, doc := range []any{map[string]any{"a": 1}, struct {
		A int `json:"a"`
	}{1}, []byte(`{"a":1}`), `{"a":1}`} {
		for _, p := range []patch.Patch{patch.Merge(doc), patch.Strategic(doc)} {
			if got := text(t, p); got != `{"a":1}` {
				t.Errorf("%T: %s", doc, got)
			}
		}
	}
	if _, err := patch.Merge(`{`).Data(); err == nil || !strings.Contains(err.Error(), "is not JSON") {
		t.Errorf("not JSON: %v", err)
	}
	if _, err := patch.Merge(func() {}).Data(); err == nil {
		t.Error("a function")
	}
	if patch.Merge("").Type() != merge || patch.Strategic("").Type() != strategic || patch.Raw(jsonPatch, []byte("[]")).Type() != jsonPatch {
		t.Error("types")
	}
	for body, empty := range map[string]bool{"{}": true, "\n[]\n": true, `{"a":null}`: false, "null": false} {
		if patch.Empty(patch.Merge(body)) != empty {
			t.Errorf("Empty of %s", body)
		}
	}
}

func TestBuilderDoesNotCompile(t *testing.T) {
	t.Parallel()
	checker := typecheck.New(t, map[string]string{
		"fieldpath": "github.com/kubesdk/kubesdk/fieldpath",
		"patch":     "github.com/kubesdk/kubesdk/patch",
		"appsv1":    "k8s.io/api/apps/v1",
		"corev1":    "k8s.io/api/core/v1",
	})
	const before = `
		d := fieldpath.Root[appsv1.Deployment]()
		pod := fieldpath.Root[corev1.Pod]()
		p := patch.JSON[appsv1.Deployment]()
		_, _, _ = d, pod, p
	`
	for name, tc := range map[string]struct{ snippet, says string }{
		"fine":             {`_ = p.Add(fieldpath.Of(d, &d.Name), "x")`, ""},
		"misspelled field": {`_ = p.Add(fieldpath.Of(d, &d.Naem), "x")`, "d.Naem undefined"},
		"another type":     {`_ = p.Add(fieldpath.Of(pod, &pod.Name), "x")`, "wrong type for method in"},
		"text for a path":  {`_ = p.Remove("/spec/replicas")`, "does not implement"},
		"differing types":  {`_, _ = patch.Diff(&appsv1.Deployment{}, &corev1.Pod{})`, "does not match"},
	} {
		complaint := checker.Check(t, before+tc.snippet)
		if (tc.says == "") != (complaint == "") || !strings.Contains(complaint, tc.says) {
			t.Errorf("%s: the compiler says %q; want %q", name, complaint, tc.says)
		}
	}
}
