package kubesdk_test

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

func TestApply(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
	me, other := handle.With(kubesdk.FieldManager("me")), handle.With(kubesdk.FieldManager("other"))
	ctx := t.Context()

	got := must[*corev1.ConfigMap](t)(me.Apply(ctx, configMap("a", "mine", "1", "shared", "1")))
	if kind, _ := sent(t, proxy); kind != string(types.ApplyYAMLPatchType) || got.Data["mine"] != "1" || got.Kind != "ConfigMap" {
		t.Errorf("a %s made %+v", kind, got)
	}
	got = must[*corev1.ConfigMap](t)(other.Apply(ctx, configMap("a", "theirs", "2")))
	if len(got.Data) != 3 {
		t.Errorf("after both: %v", got.Data)
	}

	_, err := other.Apply(ctx, configMap("a", "theirs", "2", "shared", "2"))
	if !errors.Is(err, kubesdk.ErrConflict) {
		t.Fatalf("another's field: %v", err)
	}
	conflicts := asError(t, err).Conflicts()
	if len(conflicts) != 1 || conflicts[0].Field != ".data.shared" || conflicts[0].Manager != "me" || conflicts[0].Message == "" {
		t.Errorf("the conflicts are %+v", conflicts)
	}
	mustSay(t, err, "a", `"me"`, ".data.shared")

	got = must[*corev1.ConfigMap](t)(other.Apply(ctx, configMap("a", "theirs", "2", "shared", "2"), kubesdk.Force()))
	if got.Data["shared"] != "2" {
		t.Errorf("forced: %v", got.Data)
	}

	// What a manager owns is read back, and applying just that changes nothing.
	mine := must[*corev1.ConfigMap](t)(kubesdk.Owned(got, "other"))
	if len(mine.Data) != 2 || mine.Data["theirs"] != "2" || mine.Data["shared"] != "2" || mine.Name != "a" || mine.UID != "" {
		t.Errorf("other owns %+v", mine)
	}
	again := must[*corev1.ConfigMap](t)(other.Apply(ctx, mine))
	if again.ResourceVersion != got.ResourceVersion {
		t.Errorf("applying what is owned made version %s of %s", again.ResourceVersion, got.ResourceVersion)
	}
	// What is left out goes, if nobody else owns it.
	got = must[*corev1.ConfigMap](t)(other.Apply(ctx, configMap("a", "shared", "2")))
	if _, ok := got.Data["theirs"]; ok || got.Data["mine"] != "1" {
		t.Errorf("after less was applied: %v", got.Data)
	}
	_, err = kubesdk.Owned(got, "nobody")
	mustSay(t, err, `"nobody"`, `"me"`, `"other"`)
}

func TestApplyLists(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	handle := kubesdk.For[*appsv1.Deployment](c).Namespace(kubetest.Namespace(t, c))
	ctx := t.Context()
	whole := deployment(metav1.ObjectMeta{Name: "a"})
	whole.Spec.Paused, whole.Spec.Replicas = true, new(int32(0))
	whole.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Image: "web:1"}}
	must[*appsv1.Deployment](t)(handle.Apply(ctx, whole, kubesdk.FieldManager("me")))

	sidecar := whole.DeepCopy()
	sidecar.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar", Image: "side:1"}}
	got := must[*appsv1.Deployment](t)(handle.Apply(ctx, sidecar, kubesdk.FieldManager("injector"), kubesdk.Force()))
	if cs := got.Spec.Template.Spec.Containers; len(cs) != 2 {
		t.Fatalf("containers: %v", cs)
	}
	owned, err := kubesdk.Owned(got, "injector")
	if err != nil {
		t.Fatal(err)
	}
	if cs := owned.Spec.Template.Spec.Containers; len(cs) != 1 || cs[0].Name != "sidecar" || cs[0].Image != "side:1" || cs[0].ImagePullPolicy != "" {
		t.Errorf("the injector owns %+v", cs)
	}
	sidecar.Spec.Template.Spec.Containers[0] = corev1.Container{Name: "web", Image: "web:3"}
	_, err = handle.Apply(ctx, sidecar, kubesdk.FieldManager("injector"))
	if conflicts := asError(t, err).Conflicts(); len(conflicts) != 1 || !strings.Contains(conflicts[0].Field, `containers[name="web"].image`) || conflicts[0].Manager != "me" {
		t.Errorf("conflicts: %+v", conflicts)
	}
}

func TestApplyKinds(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	ctx := t.Context()
	handle := machines(t, c)
	m := &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: MachineSpec{Size: 1, Tags: []string{"x"}}}
	got := must[*Machine](t)(handle.Apply(ctx, m))
	if got.Spec.Size != 1 || got.Kind != "Machine" || got.APIVersion != "kubesdk.test/v1" {
		t.Errorf("applied %+v", got)
	}
	m.Status.Phase = "Ready"
	got = must[*Machine](t)(handle.Status().Apply(ctx, m, kubesdk.FieldManager("controller")))
	if got.Status.Phase != "Ready" || got.Spec.Tags[0] != "x" {
		t.Errorf("the status applied: %+v", got)
	}

	ns := kubetest.Namespace(t, c)
	plain := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Plural: "configmaps", Namespaced: true,
	})).Namespace(ns)
	u := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "u"}, "data": map[string]any{"k": "v"}}}
	made := must[*unstructured.Unstructured](t)(plain.Apply(ctx, u, kubesdk.FieldManager("me")))
	if v, _, _ := unstructured.NestedString(made.Object, "data", "k"); v != "v" || made.GetKind() != "ConfigMap" {
		t.Errorf("applied %v", made.Object)
	}
	if len(u.Object) != 2 {
		t.Errorf("the object that was given changed: %v", u.Object)
	}

	// The object as it was read may be changed and applied.
	read := must[*Machine](t)(handle.Get(ctx, "a"))
	read.Spec.Size = 2
	if got := must[*Machine](t)(handle.Apply(ctx, read)); got.Spec.Size != 2 {
		t.Errorf("applied as read: %+v", got)
	}
	if _, err := handle.Apply(ctx, m, kubesdk.DryRun()); err != nil {
		t.Error(err)
	}
	if _, err := handle.Apply(ctx, nil); err == nil {
		t.Error("nil was applied")
	}
	_, err := handle.Apply(ctx, &Machine{})
	mustSay(t, err, "name")
}
