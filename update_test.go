package kubesdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/patch"
)

// Machine is a custom resource with lists and maps.
type Machine struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   MachineSpec   `json:"spec,omitempty"`
	Status MachineStatus `json:"status,omitempty"`
}

type MachineSpec struct {
	Size  int32                  `json:"size"`
	Parts []MachinePart          `json:"parts,omitempty"`
	Rules []MachineRule          `json:"rules,omitempty"`
	Tags  []string               `json:"tags,omitempty"`
	Named map[string]MachinePart `json:"named,omitempty"`
	Texts map[string]string      `json:"texts,omitempty"`
	Maybe *MachinePart           `json:"maybe,omitempty"`
}

type MachinePart struct {
	Name  string   `json:"name"`
	Image string   `json:"image,omitempty"`
	Args  []string `json:"args,omitempty"`
}

type MachineRule struct {
	Host  string   `json:"host,omitempty"`
	Paths []string `json:"paths,omitempty"`
	Count int32    `json:"count"`
}

type MachineStatus struct {
	Phase      string             `json:"phase,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

func (*Machine) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return schema.GroupVersionKind{Group: "kubesdk.test", Version: "v1", Kind: "Machine"}, "machines", true
}

func (m *Machine) DeepCopyObject() runtime.Object {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	c := &Machine{}
	if err := json.Unmarshal(data, c); err != nil {
		panic(err)
	}
	return c
}

// machines has the server know Machines, and is a handle on them in a namespace of the test's own.
func machines(t *testing.T, c *kubesdk.Client) kubesdk.Resource[*Machine] {
	t.Helper()
	free := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	install(t, c, map[string]any{
		"group": "kubesdk.test", "scope": "Namespaced",
		"names": map[string]any{"plural": "machines", "singular": "machine", "kind": "Machine"},
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true,
			"subresources": map[string]any{"status": map[string]any{}},
			"schema":       map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{"spec": free, "status": free}}},
		}},
	})
	return kubesdk.For[*Machine](c).Namespace(kubetest.Namespace(t, kubetest.Start(t).Client))
}

// sent is the last patch that went through the proxy.
func sent(t *testing.T, p *faultproxy.Proxy) (kind, body string) {
	t.Helper()
	patches := p.Requests(faultproxy.Method("PATCH"))
	if len(patches) == 0 {
		t.Fatal("no patch was sent")
	}
	last := patches[len(patches)-1]
	return last.Header.Get("Content-Type"), anyUID.ReplaceAllString(string(last.Body), `"UID"`)
}

var anyUID = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f-]{27}"`)

func TestUpdate(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
	ctx := t.Context()
	old := must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v", "gone", "x")))

	changed := old.DeepCopy()
	changed.Labels = map[string]string{"environment": "production"}
	changed.Data["new"] = "w"
	delete(changed.Data, "gone")
	got := must[*corev1.ConfigMap](t)(handle.Update(ctx, changed, kubesdk.From(old)))
	if got.Labels["environment"] != "production" || got.Data["new"] != "w" || got.Data["k"] != "v" || len(got.Data) != 2 {
		t.Errorf("updated to %v, %v", got.Labels, got.Data)
	}
	if got.Kind != "ConfigMap" || got.APIVersion != "v1" || got.ResourceVersion == old.ResourceVersion {
		t.Errorf("the server's answer is not returned: %+v", got)
	}
	kind, body := sent(t, proxy)
	if kind != string(types.StrategicMergePatchType) || body != `{"data":{"gone":null,"new":"w"},"metadata":{"uid":"UID","labels":{"environment":"production"}}}` {
		t.Errorf("sent %s %s", kind, body)
	}

	// What is not different is not sent, and neither is what the server owns.
	proxy.Forget()
	same := got.DeepCopy()
	same.ResourceVersion, same.UID, same.Generation, same.ManagedFields = "1", got.UID, 77, nil
	back := must[*corev1.ConfigMap](t)(handle.Update(ctx, same, kubesdk.From(got)))
	if n := proxy.Count(nil); n != 0 || back == same || back.Data["new"] != "w" {
		t.Errorf("an update without a difference made %d requests and returned %v", n, back)
	}

	// An object made by hand has neither its type nor its namespace filled in.
	byHand := configMap("a", "k", "by hand", "new", "w")
	byHand.Labels = got.Labels
	got = must[*corev1.ConfigMap](t)(handle.Update(ctx, byHand, kubesdk.From(got)))
	if _, body := sent(t, proxy); got.Data["k"] != "by hand" || body != `{"metadata":{"uid":"UID"},"data":{"k":"by hand"}}` {
		t.Errorf("an object made by hand: sent %s, got %v", body, got.Data)
	}
}

func TestUpdateOnly(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
	ctx := t.Context()
	cm := fieldpath.Root[corev1.ConfigMap]()
	labels, data := fieldpath.Of(cm, &cm.Labels), fieldpath.Of(cm, &cm.Data)
	old := must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "specific-key", "v", "key", "v")))
	changed := old.DeepCopy()
	changed.Labels = map[string]string{"selective": "update"}
	changed.Annotations = map[string]string{"note": "this is not to be updated"}
	changed.Data = map[string]string{"specific-key": "w", "key": "w", "third": "w"}

	got := must[*corev1.ConfigMap](t)(handle.Update(ctx, changed, kubesdk.From(old), kubesdk.Only(labels)))
	if got.Labels["selective"] != "update" || got.Annotations != nil || got.Data["key"] != "v" || len(got.Data) != 2 {
		t.Errorf("Only(labels): %v %v %v", got.Labels, got.Annotations, got.Data)
	}
	got = must[*corev1.ConfigMap](t)(handle.Update(ctx, changed, kubesdk.From(old), kubesdk.Only(fieldpath.Key(data, "specific-key"))))
	if _, body := sent(t, proxy); got.Data["specific-key"] != "w" || got.Data["key"] != "v" || body != `{"metadata":{"uid":"UID"},"data":{"specific-key":"w"}}` {
		t.Errorf("Only one key: %v, sent %s", got.Data, body)
	}
	// Without From it sends exactly the fields, whatever is there: here a key that obj has, and one that it lacks.
	got = must[*corev1.ConfigMap](t)(handle.Update(ctx, configMap("a", "key", "x"), kubesdk.Only(fieldpath.Key(data, "key"), fieldpath.Key(data, "specific-key"))))
	if _, body := sent(t, proxy); got.Data["key"] != "x" || len(got.Data) != 1 || got.Labels["selective"] != "update" || body != `{"data":{"key":"x","specific-key":null}}` {
		t.Errorf("Only without From: %v, sent %s", got.Data, body)
	}

	pod := fieldpath.Root[corev1.Pod]()
	_, err := handle.Update(ctx, changed, kubesdk.From(old), kubesdk.Only(fieldpath.Of(pod, &pod.Spec)))
	mustSay(t, err, "update", "a path into v1.Pod, not v1.ConfigMap")
	_, err = handle.Update(ctx, changed, kubesdk.From(old), kubesdk.Only(fieldpath.Of(cm, new(string))))
	mustSay(t, err, "not inside the probe")
}

// In a list, one field of one element.
func TestUpdateOnlyImage(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := kubesdk.For[*appsv1.Deployment](c).Namespace(kubetest.Namespace(t, c))
	d := deployment(metav1.ObjectMeta{Name: "a"})
	d.Spec.Paused = true
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "nginx", Image: "nginx:1.24"}, {Name: "sidecar", Image: "busybox"}}
	old := must[*appsv1.Deployment](t)(handle.Create(t.Context(), d))
	changed := old.DeepCopy()
	changed.Spec.Template.Spec.Containers[0].Image, changed.Spec.Template.Spec.Containers[1].Image = "nginx:1.25", "busybox:2"
	changed.Spec.Replicas = new(int32(7))

	r, rc := fieldpath.Root[appsv1.Deployment](), fieldpath.Root[corev1.Container]()
	nginx := fieldpath.Where(fieldpath.Of(r, &r.Spec.Template.Spec.Containers), "name", "nginx")
	got := must[*appsv1.Deployment](t)(handle.Update(t.Context(), changed, kubesdk.From(old), kubesdk.Only(fieldpath.Join(nginx, fieldpath.Of(rc, &rc.Image)))))
	if cs := got.Spec.Template.Spec.Containers; cs[0].Image != "nginx:1.25" || cs[1].Image != "busybox" || *got.Spec.Replicas == 7 {
		_, body := sent(t, proxy)
		t.Errorf("got %v, sent %s", cs, body)
	}
}

func TestIfUnchanged(t *testing.T) {
	t.Parallel()
	for _, kind := range []types.PatchType{types.StrategicMergePatchType, types.MergePatchType, types.JSONPatchType} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			handle := configMaps(t).With(kubesdk.PatchType(kind))
			ctx := t.Context()
			old := must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v")))
			mine, theirs := old.DeepCopy(), old.DeepCopy()
			mine.Data["mine"], theirs.Data["theirs"] = "1", "2"
			must[*corev1.ConfigMap](t)(handle.Update(ctx, theirs, kubesdk.From(old), kubesdk.IfUnchanged()))
			_, err := handle.Update(ctx, mine, kubesdk.From(old), kubesdk.IfUnchanged())
			if !errors.Is(err, kubesdk.ErrConflict) {
				t.Fatalf("a stale update: %v", err)
			}
			got := must[*corev1.ConfigMap](t)(handle.Update(ctx, mine, kubesdk.From(old)))
			if got.Data["mine"] != "1" || got.Data["theirs"] != "2" {
				t.Errorf("without IfUnchanged: %v", got.Data)
			}
		})
	}
	_, err := configMaps(t).Update(t.Context(), configMap("a", "k", "v"), kubesdk.From(configMap("a")), kubesdk.IfUnchanged())
	mustSay(t, err, "IfUnchanged needs the resourceVersion")
}

// The kind of patch follows from the type and the difference, and from the option.
func TestPatchTypes(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := machines(t, c)
	ctx := t.Context()
	g := must[*Machine](t)(handle.Create(ctx, &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: MachineSpec{
		Size: 1, Parts: []MachinePart{{Name: "a", Image: "x"}, {Name: "b", Image: "y"}}, Tags: []string{"p", "q"},
	}}))
	step := func(name string, edit func(*Machine), kind types.PatchType, opts ...kubesdk.UpdateOption) {
		t.Helper()
		old := g
		changed := old.DeepCopyObject().(*Machine)
		edit(changed)
		got, err := handle.Update(ctx, changed, append(opts, kubesdk.From(old))...)
		if err != nil {
			_, body := sent(t, proxy)
			t.Fatalf("%s: %v: %s", name, err, body)
		}
		if a, b := marshal(t, got.Spec)+fmt.Sprint(got.Labels), marshal(t, changed.Spec)+fmt.Sprint(changed.Labels); a != b {
			t.Errorf("%s: got %s, want %s", name, a, b)
		}
		if is, body := sent(t, proxy); is != string(kind) {
			t.Errorf("%s: sent a %s: %s", name, is, body)
		}
		g = got
	}
	step("a number", func(g *Machine) { g.Spec.Size = 2 }, types.MergePatchType)
	step("the first label", func(g *Machine) { g.Labels = map[string]string{"a": "b"} }, types.MergePatchType)
	step("an element", func(g *Machine) { g.Spec.Parts[1].Image = "z" }, types.JSONPatchType)
	step("the order", func(g *Machine) { p := g.Spec.Parts; p[0], p[1] = p[1], p[0] }, types.JSONPatchType)
	step("an emptied list", func(g *Machine) { g.Spec.Tags = nil }, types.JSONPatchType)
	step("a new list", func(g *Machine) { g.Spec.Rules = []MachineRule{{Host: "h", Paths: []string{"/"}}} }, types.JSONPatchType)
	step("a new object", func(g *Machine) { g.Spec.Maybe = &MachinePart{Name: "m"} }, types.MergePatchType)
	step("by option", func(g *Machine) { g.Spec.Parts[0].Image = "w" }, types.MergePatchType, kubesdk.PatchType(types.MergePatchType))
	step("by option too", func(g *Machine) { g.Spec.Size = 3 }, types.JSONPatchType, kubesdk.PatchType(types.JSONPatchType))

	_, err := handle.Update(ctx, g, kubesdk.From(g), kubesdk.PatchType(types.ApplyPatchType))
	mustSay(t, err, "patch type is", string(types.JSONPatchType))
	changed := g.DeepCopyObject().(*Machine)
	changed.Spec.Size = 9
	_, err = handle.Update(ctx, changed, kubesdk.From(g), kubesdk.PatchType(types.StrategicMergePatchType))
	mustSay(t, err, "415")
}

// The status of a custom resource, which at first has none.
func TestUpdateStatus(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := machines(t, c)
	ctx := t.Context()
	g := must[*Machine](t)(handle.Create(ctx, &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: MachineSpec{Tags: []string{"p"}}}))
	for i, edit := range []func(*Machine){
		func(g *Machine) { g.Status.Phase = "Pending" },
		func(g *Machine) {
			g.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "New"}}
		},
		func(g *Machine) { g.Status.Conditions[0].Status = "True" },
		func(g *Machine) {
			g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{Type: "Old"})
			g.Spec.Tags[0] = "ignored"
		},
		func(g *Machine) { g.Status.Conditions = g.Status.Conditions[1:] },
		func(g *Machine) { g.Status = MachineStatus{} },
		func(g *Machine) {
			g.Status = MachineStatus{Phase: "Ready", Conditions: []metav1.Condition{{Type: "Ready"}}}
		},
	} {
		changed := g.DeepCopyObject().(*Machine)
		edit(changed)
		got, err := handle.Status().Update(ctx, changed, kubesdk.From(g))
		if err != nil {
			_, body := sent(t, proxy)
			t.Fatalf("step %d: %v: %s", i, err, body)
		}
		if a, b := marshal(t, got.Status), marshal(t, changed.Status); a != b || got.Spec.Tags[0] != "p" {
			t.Fatalf("step %d: the status is %s, want %s; the spec %v", i, a, b, got.Spec)
		}
		g = got
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Objects without a Go type and objects of which only the metadata is read are updated by the same verb.
func TestUpdateUntyped(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	typed := machines(t, c)
	ctx := t.Context()
	g := must[*Machine](t)(typed.Create(ctx, &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: MachineSpec{Size: 1, Parts: []MachinePart{{Name: "a"}, {Name: "b"}}}}))
	gvk, plural, _ := g.KubeType()
	plain := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: gvk, Plural: plural, Namespaced: true})).Namespace(g.Namespace)
	old := must[*unstructured.Unstructured](t)(plain.Get(ctx, "a"))
	changed := old.DeepCopy()
	if err := unstructured.SetNestedField(changed.Object, int64(2), "spec", "size"); err != nil {
		t.Fatal(err)
	}
	changed.SetLabels(map[string]string{"x": "y"})
	changed = must[*unstructured.Unstructured](t)(plain.Update(ctx, changed, kubesdk.From(old)))
	if kind, body := sent(t, proxy); kind != string(types.MergePatchType) || body != `{"metadata":{"uid":"UID","labels":{"x":"y"}},"spec":{"size":2}}` {
		t.Errorf("sent %s %s", kind, body)
	}
	part, err := fieldpath.Parse[unstructured.Unstructured, string](`.spec.parts[name="b"].image`)
	if err != nil {
		t.Fatal(err)
	}
	next, err := fieldpath.Set(changed, part, "new")
	if err != nil {
		t.Fatal(err)
	}
	must[*unstructured.Unstructured](t)(plain.Update(ctx, next, kubesdk.From(changed), kubesdk.Only(part)))
	if kind, body := sent(t, proxy); kind != string(types.JSONPatchType) || !strings.Contains(body, `{"op":"test","path":"/spec/parts/1/name","value":"b"},{"op":"add","path":"/spec/parts/1/image","value":"new"}`) {
		t.Errorf("sent %s %s", kind, body)
	}

	metadata := kubesdk.For[*metav1.PartialObjectMetadata](c, kubesdk.TypeOf[*Machine]()).Namespace(g.Namespace)
	before := must[*metav1.PartialObjectMetadata](t)(metadata.Get(ctx, "a"))
	after := before.DeepCopy()
	after.Annotations = map[string]string{"n": "1"}
	after = must[*metav1.PartialObjectMetadata](t)(metadata.Update(ctx, after, kubesdk.From(before)))
	if got := must[*Machine](t)(typed.Get(ctx, "a")); after.Annotations["n"] != "1" || got.Annotations["n"] != "1" || got.Spec.Size != 2 || got.Spec.Parts[1].Image != "new" {
		t.Errorf("in the end %+v", got)
	}
}

func TestUpdateErrors(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	ctx := t.Context()
	old := must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v")))
	changed := old.DeepCopy()
	changed.Data["k"] = "w"

	_, err := handle.Update(ctx, changed)
	mustSay(t, err, "kubesdk.From", "kubesdk.Only", "Replace")
	_, err = handle.Update(ctx, changed, kubesdk.From(&corev1.Secret{}))
	mustSay(t, err, "*v1.Secret", "*v1.ConfigMap")
	_, err = handle.Update(ctx, changed, kubesdk.From((*corev1.ConfigMap)(nil)))
	mustSay(t, err, "not nil")
	_, err = handle.Update(ctx, nil, kubesdk.From(old))
	mustSay(t, err, "nil")
	_, err = handle.Update(ctx, changed, kubesdk.From(configMap("b")))
	mustSay(t, err, `"b"`, `"a"`, "same object")
	missing, gone := configMap("gone", "k", "w"), configMap("gone")
	if _, err = handle.Update(ctx, missing, kubesdk.From(gone)); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("an object that is not there: %v", err)
	}
	invalid := old.DeepCopy()
	invalid.Data["no/slashes"] = "x"
	if _, err = handle.Update(ctx, invalid, kubesdk.From(old)); !errors.Is(err, kubesdk.ErrInvalid) {
		t.Errorf("an invalid object: %v", err)
	}

	// The object was deleted and another of its name made: an update of the first is none of the second.
	if err := handle.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "another")))
	for _, kind := range []types.PatchType{types.StrategicMergePatchType, types.MergePatchType, types.JSONPatchType} {
		if _, err = handle.Update(ctx, changed, kubesdk.From(old), kubesdk.PatchType(kind)); !errors.Is(err, kubesdk.ErrConflict) {
			t.Errorf("%s: another object of the same name: %v", kind, err)
		}
	}
	if got := must[*corev1.ConfigMap](t)(handle.Get(ctx, "a")); got.Data["k"] != "another" {
		t.Errorf("it was changed: %v", got.Data)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	ctx := t.Context()
	must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v")))
	cm := fieldpath.Root[corev1.ConfigMap]()
	data := fieldpath.Of(cm, &cm.Data)
	for _, p := range []patch.Patch{
		patch.Merge(map[string]any{"data": map[string]any{"merge": "1"}}),
		patch.Strategic(`{"data":{"strategic":"1"}}`),
		patch.JSON[corev1.ConfigMap]().Test(fieldpath.Key(data, "k"), "v").Add(fieldpath.Key(data, "json"), "1").Replace(fieldpath.Key(data, "k"), "w"),
	} {
		must[*corev1.ConfigMap](t)(handle.Patch(ctx, "a", p))
	}
	got := must[*corev1.ConfigMap](t)(handle.Get(ctx, "a"))
	if want := map[string]string{"k": "w", "merge": "1", "strategic": "1", "json": "1"}; fmt.Sprint(got.Data) != fmt.Sprint(want) {
		t.Errorf("got %v", got.Data)
	}
	_, err := handle.Patch(ctx, "a", patch.JSON[corev1.ConfigMap]().Test(fieldpath.Key(data, "k"), "v").Remove(data))
	if !errors.Is(err, kubesdk.ErrConflict) {
		t.Errorf("a failed test: %v", err)
	}
	_, err = handle.Patch(ctx, "a", patch.JSON[corev1.ConfigMap]().Remove(fieldpath.Key(data, "nothing")))
	if err == nil || errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("an operation on what is not there: %v", err)
	}
	_, err = handle.Patch(ctx, "a", nil)
	mustSay(t, err, "the patch is nil")
	_, err = handle.Patch(ctx, "a", patch.Merge(`{`))
	mustSay(t, err, "not JSON")
	if _, err = handle.Patch(ctx, "b", patch.Merge(`{}`)); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("an object that is not there: %v", err)
	}
	if _, err = handle.Patch(ctx, "a", patch.Merge(`{"data":{"k":"x"}}`), kubesdk.DryRun()); err != nil {
		t.Error(err)
	}
	if got := must[*corev1.ConfigMap](t)(handle.Get(ctx, "a")); got.Data["k"] != "w" {
		t.Errorf("a dry run: %v", got.Data)
	}
}
