package kubesdk_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

// The same life of an object, through every sort of handle: typed and in protobuf, typed and in JSON, dynamic, namespaced
// and not.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	widgets(t, c)
	ns := kubetest.Namespace(t, c)
	meta := metav1.ObjectMeta{Name: "it", Labels: map[string]string{"a": "1"}}
	t.Run("built in", func(t *testing.T) {
		t.Parallel()
		lifecycle(t, kubesdk.For[*corev1.ConfigMap](c).Namespace(ns), &corev1.ConfigMap{ObjectMeta: meta}, "v1", "ConfigMap")
	})
	t.Run("built in, of a group", func(t *testing.T) {
		t.Parallel()
		lifecycle(t, kubesdk.For[*networkingv1.NetworkPolicy](c).Namespace(ns), &networkingv1.NetworkPolicy{ObjectMeta: meta}, "networking.k8s.io/v1", "NetworkPolicy")
	})
	t.Run("built in, cluster-scoped", func(t *testing.T) {
		t.Parallel()
		own := meta
		own.Name = ns + "-role"
		lifecycle(t, kubesdk.For[*rbacv1.ClusterRole](c), &rbacv1.ClusterRole{ObjectMeta: own}, "rbac.authorization.k8s.io/v1", "ClusterRole")
	})
	t.Run("custom", func(t *testing.T) {
		t.Parallel()
		lifecycle(t, kubesdk.For[*Widget](c).Namespace(ns), &Widget{ObjectMeta: meta}, "kubesdk.test/v1", "Widget")
	})
	t.Run("dynamic, built in", func(t *testing.T) {
		t.Parallel()
		info := kubesdk.TypeInfo{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Secret"), Plural: "secrets", Namespaced: true}
		lifecycle(t, kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(info)).Namespace(ns), dynamic(meta), "v1", "Secret")
	})
	t.Run("dynamic, custom, plural asked of the server", func(t *testing.T) {
		t.Parallel()
		info := kubesdk.TypeInfo{GroupVersionKind: widgetKind}
		own := meta
		own.Name = "other"
		lifecycle(t, kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(info)).Namespace(ns), dynamic(own), "kubesdk.test/v1", "Widget")
	})
	t.Run("the object's own namespace", func(t *testing.T) {
		t.Parallel()
		own := meta
		own.Namespace, own.Name = ns, "third"
		created, err := kubesdk.For[*corev1.ConfigMap](c).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: own})
		if err != nil || created.Namespace != ns {
			t.Errorf("got %v, %v", created, err)
		}
	})
}

func lifecycle[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T], obj T, apiVersion, kind string) {
	ctx, name := t.Context(), obj.GetName()
	isKind := func(what string, obj T) {
		t.Helper()
		gotVersion, gotKind := obj.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
		if gotVersion != apiVersion || gotKind != kind {
			t.Errorf("%s: apiVersion and kind are %q and %q, want %q and %q", what, gotVersion, gotKind, apiVersion, kind)
		}
	}
	if _, ok, err := handle.Lookup(ctx, name); ok || err != nil {
		t.Fatalf("before it is created: %v, %v", ok, err)
	}
	if _, err := handle.Get(ctx, name); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Fatalf("before it is created: %v", err)
	}

	created := must[T](t)(handle.Create(ctx, obj))
	isKind("created", created)
	if created.GetUID() == "" || created.GetResourceVersion() == "" || obj.GetUID() != "" {
		t.Error("Create returns what the server made and leaves the argument alone")
	}
	if _, err := handle.Create(ctx, obj); !errors.Is(err, kubesdk.ErrAlreadyExists) {
		t.Errorf("created twice: %v", err)
	}

	got := must[T](t)(handle.Get(ctx, name))
	isKind("read", got)
	if got.GetUID() != created.GetUID() {
		t.Errorf("read %s, created %s", got.GetUID(), created.GetUID())
	}
	if same, ok, err := handle.Lookup(ctx, name); !ok || err != nil || same.GetUID() != created.GetUID() {
		t.Errorf("looked up: %v, %v", ok, err)
	}

	got.SetLabels(map[string]string{"a": "2"})
	replaced := must[T](t)(handle.Replace(ctx, got))
	isKind("replaced", replaced)
	if diff := cmp.Diff(map[string]string{"a": "2"}, replaced.GetLabels()); diff != "" {
		t.Error(diff)
	}
	created.SetLabels(map[string]string{"a": "3"})
	if _, err := handle.Replace(ctx, created); !errors.Is(err, kubesdk.ErrConflict) {
		t.Errorf("replaced an old version: %v", err)
	}

	list := must[*kubesdk.List[T]](t)(handle.List(ctx, kubesdk.Fields("metadata.name="+name)))
	if len(list.Items) != 1 || list.Items[0].GetUID() != created.GetUID() || list.ResourceVersion == "" {
		t.Fatalf("listed %+v", list)
	}
	isKind("listed", list.Items[0])
	n := 0
	for item, err := range handle.All(ctx, kubesdk.Labels("a=2")) {
		if err != nil {
			t.Fatal(err)
		}
		isKind("streamed", item)
		if item.GetName() == name {
			n++
		}
	}
	if n != 1 {
		t.Errorf("streamed %d times", n)
	}

	if err := handle.Delete(ctx, name); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := handle.Lookup(ctx, name); ok || err != nil {
		t.Errorf("after it is deleted: %v, %v", ok, err)
	}
	if err := handle.Delete(ctx, name); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

func deployment(meta metav1.ObjectMeta) *appsv1.Deployment {
	labels := map[string]string{"app": meta.Name}
	return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.test/nothing:1"}}},
		},
	}}
}

func dynamic(meta metav1.ObjectMeta) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetName(meta.Name)
	u.SetLabels(meta.Labels)
	return u
}

// Metadata-only handles read, list, watch and delete, of built-in and of custom resources.
func TestMetadataOnly(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	widgets(t, c)
	ns := kubetest.Namespace(t, c)
	must[*Widget](t)(kubesdk.For[*Widget](c).Namespace(ns).Create(t.Context(), &Widget{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Labels: map[string]string{"a": "b"}}, Spec: WidgetSpec{Color: "red"},
	}))
	cm := configMap("one", "k", "v")
	cm.Labels = map[string]string{"a": "b"}
	must[*corev1.ConfigMap](t)(kubesdk.For[*corev1.ConfigMap](c).Namespace(ns).Create(t.Context(), cm))
	for name, tt := range map[string]struct {
		kind kubesdk.TypeOption
		gvk  schema.GroupVersionKind
	}{
		"built in":       {kubesdk.TypeOf[*corev1.ConfigMap](), corev1.SchemeGroupVersion.WithKind("ConfigMap")},
		"custom":         {kubesdk.TypeOf[*Widget](), widgetKind},
		"custom by name": {kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: widgetKind}), widgetKind},
	} {
		t.Run(name, func(t *testing.T) {
			handle := kubesdk.For[*metav1.PartialObjectMetadata](c, tt.kind).Namespace(ns)
			check := func(how string, m *metav1.PartialObjectMetadata) {
				t.Helper()
				if m.Name != "one" || m.Labels["a"] != "b" || m.GroupVersionKind() != tt.gvk {
					t.Errorf("%s: %s, labels %v, kind %s", how, m.Name, m.Labels, m.GroupVersionKind())
				}
			}
			check("get", must[*metav1.PartialObjectMetadata](t)(handle.Get(t.Context(), "one")))
			list := must[*kubesdk.List[*metav1.PartialObjectMetadata]](t)(handle.List(t.Context(), kubesdk.Labels("a")))
			if len(list.Items) != 1 {
				t.Fatalf("listed %d", len(list.Items))
			}
			check("list", list.Items[0])
			for event, err := range handle.WatchOnce(t.Context(), kubesdk.Fields("metadata.name=one")) {
				if err != nil {
					t.Fatal(err)
				}
				check("watch", event.Object)
				break
			}
			if err := handle.Delete(t.Context(), "one", kubesdk.DryRun()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Several clients in one program do not share anything.
func TestSeveralClusters(t *testing.T) {
	t.Parallel()
	first, second := kubetest.Start(t), kubetest.StartNamed(t, "kubetest-second")
	ns := kubetest.Namespace(t, first.Client)
	here := kubesdk.For[*corev1.ConfigMap](first.Client)
	there := kubesdk.For[*corev1.ConfigMap](second.Client)
	must[*corev1.ConfigMap](t)(here.Namespace(ns).Create(t.Context(), configMap("only-here")))
	if _, ok, err := there.Namespace(ns).Lookup(t.Context(), "only-here"); ok || err != nil {
		t.Errorf("on the other cluster: %v, %v", ok, err)
	}
	if first.Client.Server() == second.Client.Server() {
		t.Errorf("both clients talk to %s", first.Client.Server())
	}
	if first.Client.Context() == "" || first.Client.Context() == second.Client.Context() {
		t.Errorf("the contexts are %q and %q", first.Client.Context(), second.Client.Context())
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t)
	admin, err := c.Client.WhoAmI(t.Context())
	if err != nil || admin.Username == "" || len(admin.Groups) == 0 {
		t.Errorf("got %+v, %v", admin, err)
	}
	config := c.Config()
	config.Impersonate.UserName, config.Impersonate.Groups = "jane", []string{"devs"}
	jane := must[*kubesdk.Client](t)(kubesdk.New(config))
	defer jane.Close()
	got, err := jane.WhoAmI(t.Context())
	if err != nil || got.Username != "jane" {
		t.Errorf("got %+v, %v", got, err)
	}
}
