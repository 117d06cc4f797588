package patch_test

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/patch"
)

func TestFields(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	v := fieldpath.Root[corev1.Volume]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	labels := fieldpath.Of(d, &d.Labels)
	image := fieldpath.Of(c, &c.Image)
	sidecar := fieldpath.Where(all, "name", "sidecar")
	for name, tc := range map[string]struct {
		paths []fieldpath.Any
		opts  []patch.Option
		want  string
	}{
		"none":        {nil, nil, `{}`},
		"scalar":      {[]fieldpath.Any{fieldpath.Of(d, &d.Spec.Replicas)}, nil, `{"spec":{"replicas":2}}`},
		"labels":      {[]fieldpath.Any{labels}, nil, `{"metadata":{"labels":{"app":"web","tier":"front"}}}`},
		"keys":        {[]fieldpath.Any{fieldpath.Key(labels, "app"), fieldpath.Key(labels, "gone")}, nil, `{"metadata":{"labels":{"app":"web","gone":null}}}`},
		"unset":       {[]fieldpath.Any{fieldpath.Of(d, &d.Annotations), fieldpath.Of(d, &d.Spec.MinReadySeconds)}, nil, `{"metadata":{"annotations":null},"spec":{"minReadySeconds":null}}`},
		"inside":      {[]fieldpath.Any{labels, fieldpath.Key(labels, "app")}, nil, `{"metadata":{"labels":{"app":"web","tier":"front"}}}`},
		"by name":     {[]fieldpath.Any{fieldpath.Join(sidecar, image)}, nil, `{"spec":{"template":{"spec":{"containers":[{"image":"busybox","name":"sidecar"}]}}}}`},
		"by index":    {[]fieldpath.Any{fieldpath.Join(fieldpath.Index(all, 0), image), fieldpath.Join(fieldpath.Where(all, "name", "nginx"), fieldpath.Of(c, &c.Args)), fieldpath.Join(sidecar, image)}, nil, `{"spec":{"template":{"spec":{"containers":[{"args":["-g","x"],"image":"nginx:1.24","name":"nginx"},{"image":"busybox","name":"sidecar"}]}}}}`},
		"element":     {[]fieldpath.Any{sidecar}, nil, `{"spec":{"template":{"spec":{"containers":[{"image":"busybox","name":"sidecar","resources":{}}]}}}}`},
		"not there":   {[]fieldpath.Any{fieldpath.Where(all, "name", "old")}, nil, `{"spec":{"template":{"spec":{"containers":[{"$patch":"delete","name":"old"}]}}}}`},
		"nested":      {[]fieldpath.Any{fieldpath.Join(fieldpath.Where(fieldpath.Of(d, &d.Spec.Template.Spec.Volumes), "name", "data"), fieldpath.Of(v, &v.EmptyDir))}, nil, `{"spec":{"template":{"spec":{"volumes":[{"emptyDir":{},"name":"data"}]}}}}`},
		"retain keys": {[]fieldpath.Any{fieldpath.Of(d, &d.Spec.Strategy)}, nil, `{"spec":{"strategy":{"$retainKeys":["rollingUpdate","type"],"rollingUpdate":{"maxSurge":"25%"},"type":"RollingUpdate"}}}`},
		"version":     {[]fieldpath.Any{fieldpath.Key(labels, "app")}, []patch.Option{patch.ResourceVersion("7")}, `{"metadata":{"labels":{"app":"web"},"resourceVersion":"7"}}`},
		"JSON": {[]fieldpath.Any{fieldpath.Join(sidecar, image), fieldpath.Of(d, &d.Annotations), fieldpath.Key(labels, "app")}, []patch.Option{patch.As(jsonPatch), patch.UID("u")}, `[
			{"op":"replace","path":"/metadata/uid","value":"u"},
			{"op":"test","path":"/spec/template/spec/containers/1/name","value":"sidecar"},
			{"op":"add","path":"/spec/template/spec/containers/1/image","value":"busybox"},
			{"op":"remove","path":"/metadata/annotations"},
			{"op":"add","path":"/metadata/labels/app","value":"web"}]`},
		"atomic list": {[]fieldpath.Any{fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Args[0])}, nil, `[{"op":"replace","path":"/spec/template/spec/containers/0/args/0","value":"-g"}]`},
		"merge":       {[]fieldpath.Any{fieldpath.Of(d, &d.Spec.Replicas)}, []patch.Option{patch.As(merge)}, `{"spec":{"replicas":2}}`},
	} {
		p, err := patch.Fields(web(), tc.paths, tc.opts...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sameJSON(t, name, text(t, p), tc.want)
	}

	w := fieldpath.Root[Widget]()
	widget := &Widget{Spec: WidgetSpec{Parts: []Part{{Name: "a", Image: "x"}}}}
	p := must(patch.Fields(widget, []fieldpath.Any{fieldpath.Of(w, &w.Spec.Size)}))
	if p.Type() != merge || text(t, p) != `{"spec":{"size":0}}` {
		t.Errorf("custom: a %s: %s", p.Type(), p)
	}
	part := fieldpath.Root[Part]()
	inList := fieldpath.Join(fieldpath.Where(fieldpath.Of(w, &w.Spec.Parts), "name", "a"), fieldpath.Of(part, &part.Image))
	sameJSON(t, "custom list", text(t, must(patch.Fields(widget, []fieldpath.Any{inList}))),
		`[{"op":"test","path":"/spec/parts/0/name","value":"a"},{"op":"add","path":"/spec/parts/0/image","value":"x"}]`)

	plain := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"n": int64(1), "l": []any{"x"}}}}
	n, err := fieldpath.Parse[unstructured.Unstructured, any](".spec.n")
	if err != nil {
		t.Fatal(err)
	}
	l, err := fieldpath.ParsePointer[unstructured.Unstructured, any]("/spec/l/0")
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "unstructured", text(t, must(patch.Fields(plain, []fieldpath.Any{n}))), `{"spec":{"n":1}}`)
	sameJSON(t, "unstructured list", text(t, must(patch.Fields(plain, []fieldpath.Any{n, l}))),
		`[{"op":"add","path":"/spec/n","value":1},{"op":"replace","path":"/spec/l/0","value":"x"}]`)
}

func TestFieldsErrors(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	pod := fieldpath.Root[corev1.Pod]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	for name, tc := range map[string]struct {
		path fieldpath.Any
		opts []patch.Option
		is   error
		says string
	}{
		"another type":      {fieldpath.Of(pod, &pod.Name), nil, nil, "a path into v1.Pod, not v1.Deployment"},
		"broken":            {fieldpath.Path[appsv1.Deployment, string]{}, nil, nil, "zero Path"},
		"absent element":    {fieldpath.Join(fieldpath.Where(all, "name", "x"), fieldpath.Of(c, &c.Image)), nil, fieldpath.ErrAbsent, `[name="x"]`},
		"absent index":      {fieldpath.Index(all, 7), nil, fieldpath.ErrAbsent, "[7]"},
		"replaced list":     {fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Args[0]), []patch.Option{patch.As(strategic)}, patch.ErrNotExpressible, "replaced as a whole"},
		"list, merge patch": {fieldpath.Index(all, 0), []patch.Option{patch.As(merge)}, patch.ErrNotExpressible, "replaced as a whole"},
		"everything":        {fieldpath.Of(d, d), []patch.Option{patch.As(merge)}, patch.ErrNotExpressible, "whole object"},
	} {
		_, err := patch.Fields(web(), []fieldpath.Any{tc.path}, tc.opts...)
		if err == nil || !strings.Contains(err.Error(), tc.says) || (tc.is != nil && !errors.Is(err, tc.is)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
