package patch_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/patch"
)

func web() *appsv1.Deployment {
	replicas := int32(2)
	surge := intstr.FromString("25%")
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: "web", ResourceVersion: "7", Labels: map[string]string{"app": "web", "tier": "front"}, Finalizers: []string{"a", "b"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge}},
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{
					{
						Name: "nginx", Image: "nginx:1.24", Args: []string{"-g", "x"},
						Env:       []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}},
						Ports:     []corev1.ContainerPort{{ContainerPort: 80}},
						Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("100m")}},
					},
					{Name: "sidecar", Image: "busybox"},
				},
				Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			}},
		},
	}
}

// What a strategic difference says, for the edits that people make. Where exact is set, apimachinery says the same.
func TestStrategic(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit  func(*appsv1.Deployment)
		want  string
		other string // what apimachinery says, where that is something else
	}{
		"nothing":     {func(d *appsv1.Deployment) {}, `{}`, ``},
		"scalar":      {func(d *appsv1.Deployment) { *d.Spec.Replicas = 3 }, `{"spec":{"replicas":3}}`, ``},
		"unset":       {func(d *appsv1.Deployment) { d.Spec.Replicas = nil }, `{"spec":{"replicas":null}}`, ``},
		"label":       {func(d *appsv1.Deployment) { d.Labels["team"] = "a" }, `{"metadata":{"labels":{"team":"a"}}}`, ``},
		"label gone":  {func(d *appsv1.Deployment) { delete(d.Labels, "app") }, `{"metadata":{"labels":{"app":null}}}`, ``},
		"all labels":  {func(d *appsv1.Deployment) { d.Labels = nil }, `{"metadata":{"labels":{"app":null,"tier":null}}}`, `{"metadata":{"labels":null}}`},
		"annotations": {func(d *appsv1.Deployment) { d.Annotations = map[string]string{"x": "y"} }, `{"metadata":{"annotations":{"x":"y"}}}`, ``},
		"image":       {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "nginx:1.25" }, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"}],"containers":[{"image":"nginx:1.25","name":"nginx"}]}}}}`, ``},
		"env":         {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Env[1].Value = "3" }, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"}],"containers":[{"$setElementOrder/env":[{"name":"A"},{"name":"B"}],"env":[{"name":"B","value":"3"}],"name":"nginx"}]}}}}`, ``},
		"new container": {func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "new"})
		}, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"},{"name":"new"}],"containers":[{"name":"new","resources":{}}]}}}}`, ``},
		"first gone":    {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = d.Spec.Template.Spec.Containers[1:] }, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"sidecar"}],"containers":[{"$patch":"delete","name":"nginx"}]}}}}`, ``},
		"order":         {func(d *appsv1.Deployment) { c := d.Spec.Template.Spec.Containers; c[0], c[1] = c[1], c[0] }, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"sidecar"},{"name":"nginx"}]}}}}`, ``},
		"all volumes":   {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Volumes = nil }, `{"spec":{"template":{"spec":{"volumes":[{"$patch":"delete","name":"data"}]}}}}`, `{"spec":{"template":{"spec":{"volumes":null}}}}`},
		"replaced list": {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Args = []string{"y"} }, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"}],"containers":[{"args":["y"],"name":"nginx"}]}}}}`, ``},
		"quantity": {func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Resources.Limits["cpu"] = resource.MustParse("0.2")
		}, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"}],"containers":[{"name":"nginx","resources":{"limits":{"cpu":"200m"}}}]}}}}`, ``},
		"same quantity": {func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Resources.Limits["cpu"] = resource.MustParse("0.1")
		}, `{}`, ``},
		"retained keys": {func(d *appsv1.Deployment) {
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		}, `{"spec":{"strategy":{"$retainKeys":["type"],"rollingUpdate":null,"type":"Recreate"}}}`, ``},
		"volume source": {func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x"}}
		}, `{"spec":{"template":{"spec":{"$setElementOrder/volumes":[{"name":"data"}],"volumes":[{"$retainKeys":["hostPath","name"],"emptyDir":null,"hostPath":{"path":"/x"},"name":"data"}]}}}}`, ``},
		"finalizer":    {func(d *appsv1.Deployment) { d.Finalizers = []string{"a", "c"} }, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["b"],"$setElementOrder/finalizers":["a","c"],"finalizers":["c"]}}`, ``},
		"surge":        {func(d *appsv1.Deployment) { s := intstr.FromInt32(1); d.Spec.Strategy.RollingUpdate.MaxSurge = &s }, `{"spec":{"strategy":{"$retainKeys":["rollingUpdate","type"],"rollingUpdate":{"maxSurge":1}}}}`, ``},
		"pointer gone": {func(d *appsv1.Deployment) { d.Spec.Strategy.RollingUpdate = nil }, `{"spec":{"strategy":{"$retainKeys":["type"],"rollingUpdate":null}}}`, ``},
	} {
		changed := web()
		tc.edit(changed)
		got := text(t, must(patch.Diff(web(), changed)))
		sameJSON(t, name, got, tc.want)
		theirs, err := strategicpatch.CreateTwoWayMergePatch([]byte(marshal(t, web())), []byte(marshal(t, changed)), appsv1.Deployment{})
		if err != nil {
			t.Fatal(err)
		}
		if tc.other == "" {
			tc.other = tc.want
		}
		sameJSON(t, name+" by apimachinery", string(theirs), tc.other)
	}
}

func must(p patch.Patch, err error) patch.Patch {
	if err != nil {
		panic(err)
	}
	return p
}

func text(t *testing.T, p patch.Patch) string {
	t.Helper()
	data, err := p.Data()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func sameJSON(t *testing.T, name, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Errorf("%s: %v: %s", name, err, got)
		return
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if marshal(t, g) != marshal(t, w) {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

func TestStrategicReplace(t *testing.T) {
	t.Parallel()
	old := &policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "1", "b": "2"}}}}
	changed := old.DeepCopy()
	delete(changed.Spec.Selector.MatchLabels, "b")
	sameJSON(t, "selector", text(t, must(patch.Diff(old, changed))), `{"spec":{"selector":{"matchLabels":{"a":"1"}}}}`)
	changed = old.DeepCopy()
	changed.Name = "x"
	sameJSON(t, "selector untouched", text(t, must(patch.Diff(old, changed))), `{"metadata":{"name":"x"}}`)
}

// Lists whose merge key does not tell their elements apart go by JSON patch.
func TestNotExpressible(t *testing.T) {
	t.Parallel()
	old := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
		{Name: "dns", Port: 53, Protocol: "UDP"}, {Name: "dns-tcp", Port: 53, Protocol: "TCP"},
	}}}
	changed := old.DeepCopy()
	changed.Spec.Ports[1].TargetPort = intstr.FromString("tcp")
	p := must(patch.Diff(old, changed))
	if p.Type() != jsonPatch {
		t.Errorf("a %s: %s", p.Type(), p)
	}
	sameJSON(t, "ports", text(t, p), `[
		{"op":"test","path":"/spec/ports/1/name","value":"dns-tcp"},
		{"op":"add","path":"/spec/ports/1/targetPort","value":"tcp"}]`)
	_, err := patch.Diff(old, changed, patch.As(strategic))
	if !errors.Is(err, patch.ErrNotExpressible) || !strings.Contains(err.Error(), "/spec/ports: several elements have the port 53") {
		t.Errorf("as strategic: %v", err)
	}

	labeled := old.DeepCopy()
	labeled.Labels = map[string]string{"a": "b"}
	if p := must(patch.Diff(old, labeled)); p.Type() != strategic {
		t.Errorf("the ports did not change, yet a %s", p.Type())
	}

	a, b := map[string]any{"x": map[string]any{}}, map[string]any{"x": map[string]any{"y": nil}}
	_, err = patch.Diff(a, b, patch.As(merge))
	if !errors.Is(err, patch.ErrNotExpressible) || !strings.Contains(err.Error(), "/x/y: a null") {
		t.Errorf("a null as a merge patch: %v", err)
	}
	if p := must(patch.Diff(a, b)); p.Type() != jsonPatch {
		t.Errorf("a null by a %s", p.Type())
	}
	if _, err := patch.Diff(a, b, patch.As(strategic)); err == nil || errors.Is(err, patch.ErrNotExpressible) {
		t.Errorf("a strategic merge patch of maps: %v", err)
	}
}

// A custom resource goes by merge patch while no list is touched, and by JSON patch when one is.
func TestCustomResource(t *testing.T) {
	t.Parallel()
	old := &Widget{
		ObjectMeta: metav1.ObjectMeta{Name: "w", ResourceVersion: "9"},
		Spec: WidgetSpec{
			Size: 1, Parts: []Part{{Name: "a", Image: "x"}, {Name: "b", Image: "y"}}, Tags: []string{"p", "q", "r"},
			Rules: []Rule{{Host: "h", Paths: []string{"/"}, Max: map[string]resource.Quantity{"cpu": resource.MustParse("0.5")}}, {Count: 3}},
		},
	}
	for name, tc := range map[string]struct {
		edit func(*Widget)
		want string
	}{
		"scalar":    {func(w *Widget) { w.Spec.Size = 2 }, `{"spec":{"size":2}}`},
		"label":     {func(w *Widget) { w.Labels = map[string]string{"a": "b"} }, `{"metadata":{"labels":{"a":"b"}}}`},
		"status":    {func(w *Widget) { w.Status.Phase = "Ready" }, `{"status":{"phase":"Ready"}}`},
		"part":      {func(w *Widget) { w.Spec.Parts[1].Image = "z" }, `[{"op":"test","path":"/spec/parts/1/name","value":"b"},{"op":"replace","path":"/spec/parts/1/image","value":"z"}]`},
		"new part":  {func(w *Widget) { w.Spec.Parts = append(w.Spec.Parts, Part{Name: "c"}) }, `[{"op":"add","path":"/spec/parts/-","value":{"name":"c"}}]`},
		"inserted":  {func(w *Widget) { w.Spec.Parts = []Part{w.Spec.Parts[0], {Name: "c"}, w.Spec.Parts[1]} }, `[{"op":"add","path":"/spec/parts/1","value":{"name":"c"}}]`},
		"gone":      {func(w *Widget) { w.Spec.Parts = w.Spec.Parts[1:] }, `[{"op":"test","path":"/spec/parts/0/name","value":"a"},{"op":"remove","path":"/spec/parts/0"}]`},
		"swapped":   {func(w *Widget) { p := w.Spec.Parts; p[0], p[1] = p[1], p[0] }, `[{"op":"test","path":"/spec/parts/1/name","value":"b"},{"op":"move","from":"/spec/parts/1","path":"/spec/parts/0"}]`},
		"other":     {func(w *Widget) { w.Spec.Parts[0] = Part{Name: "n"} }, `[{"op":"test","path":"/spec/parts/0/name","value":"a"},{"op":"replace","path":"/spec/parts/0","value":{"name":"n"}}]`},
		"tag":       {func(w *Widget) { w.Spec.Tags[1] = "s" }, `[{"op":"test","path":"/spec/tags/1","value":"q"},{"op":"replace","path":"/spec/tags/1","value":"s"}]`},
		"last tag":  {func(w *Widget) { w.Spec.Tags = []string{"r", "p", "q"} }, `[{"op":"test","path":"/spec/tags/2","value":"r"},{"op":"move","from":"/spec/tags/2","path":"/spec/tags/0"}]`},
		"no tags":   {func(w *Widget) { w.Spec.Tags = nil }, `[{"op":"test","path":"/spec/tags/0","value":"p"},{"op":"remove","path":"/spec/tags/0"},{"op":"test","path":"/spec/tags/0","value":"q"},{"op":"remove","path":"/spec/tags/0"},{"op":"test","path":"/spec/tags/0","value":"r"},{"op":"remove","path":"/spec/tags/0"},{"op":"test","path":"/spec/tags","value":[]},{"op":"remove","path":"/spec/tags"}]`},
		"new list":  {func(w *Widget) { w.Spec.Numbers = []int64{1} }, `[{"op":"test","path":"/spec/numbers","value":null},{"op":"add","path":"/spec/numbers","value":[1]}]`},
		"rule":      {func(w *Widget) { w.Spec.Rules[0].Count = 7 }, `[{"op":"test","path":"/spec/rules/0/host","value":"h"},{"op":"test","path":"/spec/rules/0/paths/0","value":"/"},{"op":"add","path":"/spec/rules/0/count","value":7}]`},
		"unsure":    {func(w *Widget) { w.Status.Phase = "Ready"; w.Spec.Tags[0] = "s" }, `[{"op":"replace","path":"/metadata/resourceVersion","value":"9"},{"op":"test","path":"/spec/tags/0","value":"p"},{"op":"replace","path":"/spec/tags/0","value":"s"},{"op":"add","path":"/status","value":{"phase":"Ready"}}]`},
		"map entry": {func(w *Widget) { w.Spec.ByName = map[string]Part{"a/b": {Name: "c"}}; w.Spec.Tags[0] = "s" }, `[{"op":"test","path":"/spec/byName","value":null},{"op":"add","path":"/spec/byName","value":{"a/b":{"name":"c"}}},{"op":"test","path":"/spec/tags/0","value":"p"},{"op":"replace","path":"/spec/tags/0","value":"s"}]`},
	} {
		data, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		changed := &Widget{}
		if err := json.Unmarshal(data, changed); err != nil {
			t.Fatal(err)
		}
		tc.edit(changed)
		sameJSON(t, name, text(t, must(patch.Diff(old, changed))), tc.want)
	}
	changed := *old
	changed.Spec.Tags = []string{"p", "q", "s"}
	sameJSON(t, "unguarded", text(t, must(patch.Diff(old, &changed, patch.Unguarded()))), `[{"op":"replace","path":"/spec/tags/2","value":"s"}]`)
}

func TestOnly(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	c := fieldpath.Root[corev1.Container]()
	all := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	labels := fieldpath.Of(d, &d.Labels)
	changed := web()
	changed.Labels["team"], changed.Labels["app"] = "a", "x"
	changed.Annotations = map[string]string{"note": "no"}
	changed.Spec.Template.Spec.Containers[0].Image = "nginx:2"
	changed.Spec.Template.Spec.Containers[0].Args = nil
	changed.Spec.Template.Spec.Containers[1].Image = "busybox:2"
	for name, tc := range map[string]struct {
		only []fieldpath.Any
		want string
	}{
		"labels":        {[]fieldpath.Any{labels}, `{"metadata":{"labels":{"app":"x","team":"a"}}}`},
		"one label":     {[]fieldpath.Any{fieldpath.Key(labels, "team")}, `{"metadata":{"labels":{"team":"a"}}}`},
		"same":          {[]fieldpath.Any{fieldpath.Of(d, &d.Spec.Replicas)}, `{}`},
		"image by name": {[]fieldpath.Any{fieldpath.Join(fieldpath.Where(all, "name", "sidecar"), fieldpath.Of(c, &c.Image))}, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"}],"containers":[{"image":"busybox:2","name":"sidecar"}]}}}}`},
		"image by index": {[]fieldpath.Any{fieldpath.Join(fieldpath.Index(all, 0), fieldpath.Of(c, &c.Image)), fieldpath.Of(d, &d.Annotations)},
			`{"metadata":{"annotations":{"note":"no"}},"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"nginx"},{"name":"sidecar"}],"containers":[{"image":"nginx:2","name":"nginx"}]}}}}`},
	} {
		sameJSON(t, name, text(t, must(patch.Diff(web(), changed, patch.Only(tc.only...)))), tc.want)
	}
	one := patch.Only(labels)
	both := text(t, must(patch.Diff(web(), changed, one, patch.Only(fieldpath.Of(d, &d.Annotations)))))
	sameJSON(t, "added up", both, `{"metadata":{"annotations":{"note":"no"},"labels":{"app":"x","team":"a"}}}`)

	pod := fieldpath.Root[corev1.Pod]()
	if _, err := patch.Diff(web(), changed, patch.Only(fieldpath.Of(pod, &pod.Spec))); err == nil || !strings.Contains(err.Error(), "a path into v1.Pod, not v1.Deployment") {
		t.Errorf("another type's path: %v", err)
	}
	if _, err := patch.Diff(web(), changed, patch.Only(fieldpath.Path[appsv1.Deployment, string]{})); err == nil {
		t.Error("the zero path")
	}
	old := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"a": int64(1), "b": []any{"x"}}}}
	fresh := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"a": int64(2), "b": []any{"y"}}}}
	a, err := fieldpath.Parse[unstructured.Unstructured, any](".spec.a")
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "unstructured", text(t, must(patch.Diff(old, fresh, patch.Only(a)))), `{"spec":{"a":2}}`)
}

func TestIgnoreAndVersion(t *testing.T) {
	t.Parallel()
	changed := web()
	changed.ResourceVersion, changed.UID, changed.Generation = "8", "u", 5
	changed.Status.Replicas = 3
	ignore := patch.Ignore(append([]string{"/status"}, patch.ServerOwned...)...)
	for _, kind := range []patch.Option{patch.As(strategic), patch.As(merge), patch.As(jsonPatch)} {
		if p := must(patch.Diff(web(), changed, ignore, kind, patch.ResourceVersion("7"))); !patch.Empty(p) {
			t.Errorf("not empty: %s", p)
		}
	}
	*changed.Spec.Replicas = 3
	sameJSON(t, "version", text(t, must(patch.Diff(web(), changed, ignore, patch.ResourceVersion("7")))), `{"metadata":{"resourceVersion":"7"},"spec":{"replicas":3}}`)
	sameJSON(t, "JSON", text(t, must(patch.Diff(web(), changed, ignore, patch.ResourceVersion("7"), patch.As(jsonPatch)))),
		`[{"op":"replace","path":"/metadata/resourceVersion","value":"7"},{"op":"replace","path":"/spec/replicas","value":3}]`)
	sameJSON(t, "both", text(t, must(patch.Diff(web(), changed, ignore, patch.ResourceVersion("7"), patch.UID("u"), patch.As(jsonPatch)))),
		`[{"op":"replace","path":"/metadata/resourceVersion","value":"7"},{"op":"replace","path":"/metadata/uid","value":"u"},{"op":"replace","path":"/spec/replicas","value":3}]`)
	sameJSON(t, "UID", text(t, must(patch.Diff(web(), changed, patch.Ignore("/status", "/metadata/resourceVersion", "/metadata/generation"), patch.UID("u")))), `{"metadata":{"uid":"u"},"spec":{"replicas":3}}`)
	changed.Labels["team"] = "a"
	sameJSON(t, "in the metadata", text(t, must(patch.Diff(web(), changed, ignore, patch.ResourceVersion("7"), patch.As(merge)))),
		`{"metadata":{"resourceVersion":"7","labels":{"team":"a"}},"spec":{"replicas":3}}`)

	old := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"uid": "a", "x/y": "1"}}}
	fresh := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"uid": "b", "x/y": "2", "labels": map[string]any{"a": "b"}}}}
	sameJSON(t, "unstructured", text(t, must(patch.Diff(old, fresh, ignore, patch.Ignore("/metadata/x~1y"), patch.ResourceVersion("3")))),
		`{"metadata":{"resourceVersion":"3","labels":{"a":"b"}}}`)
}

func TestNil(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]*appsv1.Deployment{{nil, web()}, {web(), nil}, {nil, nil}} {
		if _, err := patch.Diff(pair[0], pair[1]); err == nil || !strings.Contains(err.Error(), "*v1.Deployment: an object is nil") {
			t.Errorf("nil: %v", err)
		}
	}
	if _, err := patch.Diff(web(), web(), patch.As("application/apply-patch+yaml")); err == nil {
		t.Error("a difference for server-side apply")
	}
}

// What cannot be marshaled is an error, not a difference of nothing.
func TestBroken(t *testing.T) {
	t.Parallel()
	old, broken := &Widget{}, &Widget{}
	broken.Spec.Raw.Raw = []byte("{")
	for _, kind := range []patch.Option{patch.As(merge), patch.As(jsonPatch), patch.As("")} {
		if p, err := patch.Diff(old, broken, kind); err == nil || !strings.Contains(err.Error(), "/spec/raw") {
			t.Errorf("%v, %v", p, err)
		}
	}
}

// In a map, where null would mean that there is no such key, nil bytes are no bytes.
func TestNoBytes(t *testing.T) {
	t.Parallel()
	old := &corev1.Secret{Data: map[string][]byte{"a": []byte("x")}}
	changed := &corev1.Secret{Data: map[string][]byte{"a": nil, "b": nil}}
	for _, kind := range []patch.Option{patch.As(strategic), patch.As(merge)} {
		sameJSON(t, "secret", text(t, must(patch.Diff(old, changed, kind))), `{"data":{"a":"","b":""}}`)
	}
}
