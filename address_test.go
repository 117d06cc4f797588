package kubesdk_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

// What cannot be right is refused before anything is sent, and says what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	maps, nodes := kubesdk.For[*corev1.ConfigMap](c), kubesdk.For[*corev1.Node](c)
	inA := configMap("x")
	inA.Namespace = "a"
	for name, tt := range map[string]struct {
		call func(context.Context) error
		says []string
	}{
		"no namespace": {
			func(ctx context.Context) error { return drop(maps.Get(ctx, "x")) },
			[]string{"get configmaps x", "is namespaced", ".Namespace("},
		},
		"no namespace anywhere": {
			func(ctx context.Context) error { return drop(maps.Create(ctx, configMap("x"))) },
			[]string{"create configmaps x", "is namespaced", "metadata.namespace"},
		},
		"two namespaces": {
			func(ctx context.Context) error { return drop(maps.Namespace("b").Create(ctx, inA)) },
			[]string{`"a"`, `"b"`, "must be the same"},
		},
		"two namespaces in Replace": {
			func(ctx context.Context) error { return drop(maps.Namespace("b").Replace(ctx, inA)) },
			[]string{`"a"`, `"b"`},
		},
		"a namespace for a cluster-scoped kind": {
			func(ctx context.Context) error { return drop(nodes.Namespace("a").Get(ctx, "n1")) },
			[]string{"get nodes", "cluster-scoped", `"a"`},
		},
		"a namespace in a cluster-scoped object": {
			func(ctx context.Context) error {
				return drop(nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Namespace: "a"}}))
			},
			[]string{"create nodes", "cluster-scoped", `"a"`},
		},
		"a namespace for a list of a cluster-scoped kind": {
			func(ctx context.Context) error { return drop(nodes.Namespace("a").List(ctx)) },
			[]string{"list nodes", "cluster-scoped"},
		},
		"an empty name": {
			func(ctx context.Context) error { return drop(maps.Namespace("a").Get(ctx, "")) },
			[]string{"get configmaps in a", "name is empty"},
		},
		"an empty name to delete, which would be all": {
			func(ctx context.Context) error { return maps.Namespace("a").Delete(ctx, "") },
			[]string{"delete configmaps in a", "name is empty"},
		},
		"an empty name to replace": {
			func(ctx context.Context) error { return drop(maps.Namespace("a").Replace(ctx, &corev1.ConfigMap{})) },
			[]string{"name is empty"},
		},
		"a name that climbs": {
			func(ctx context.Context) error { return drop(maps.Namespace("a").Get(ctx, "..")) },
			[]string{`".."`},
		},
		"nil": {
			func(ctx context.Context) error { return drop(maps.Namespace("a").Create(ctx, nil)) },
			[]string{"create configmaps in a", "the object is nil"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.call(t.Context())
			mustSay(t, err, tt.says...)
			if e := asError(t, err); e.Attempts != 0 || e.Code != 0 || e.URL != "" || e.FromServer() {
				t.Errorf("it claims to have been sent: %+v", e)
			}
		})
	}
	if n := proxy.Count(nil); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func drop[T any](_ T, err error) error { return err }

// The handle without a namespace lists and watches all of them.
func TestAllNamespaces(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	mark := kubetest.Namespace(t, c)
	maps := kubesdk.For[*corev1.ConfigMap](c).Namespace(mark)
	for _, ns := range []string{mark, kubetest.Namespace(t, c)} {
		cm := configMap("x")
		cm.Labels = map[string]string{"mark": mark}
		must[*corev1.ConfigMap](t)(maps.Namespace(ns).Create(t.Context(), cm))
	}
	if got := must[*kubesdk.List[*corev1.ConfigMap]](t)(maps.List(t.Context(), kubesdk.Labels("mark="+mark))); len(got.Items) != 1 {
		t.Errorf("%d in one namespace", len(got.Items))
	}
	got := must[*kubesdk.List[*corev1.ConfigMap]](t)(maps.AllNamespaces().List(t.Context(), kubesdk.Labels("mark="+mark)))
	if len(got.Items) != 2 || got.Items[0].Namespace == got.Items[1].Namespace {
		t.Errorf("of all namespaces: %d", len(got.Items))
	}
}

// Unnamed is known to nobody: it has no KubeType and is not of k8s.io/api.
type Unnamed Widget

func (u *Unnamed) DeepCopyObject() runtime.Object { c := *u; return &c }

var unnamedKind = kubesdk.TypeInfo{GroupVersionKind: widgetKind}

// A program learns which kind a Go type is in this order: the option, the type's own method, the table, a scheme; and asks
// the server only for the plural and scope that nobody knows, once.
func TestTypeResolution(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	widgets(t, cluster.Client)
	ns := kubetest.Namespace(t, cluster.Client)
	must[*Widget](t)(kubesdk.For[*Widget](cluster.Client).Namespace(ns).Create(t.Context(), &Widget{ObjectMeta: metav1.ObjectMeta{Name: "a"}}))
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(widgetKind, &Unnamed{})
	for name, tt := range map[string]struct {
		read  func(context.Context, *kubesdk.Client) error
		calls int // of two reads
	}{
		"the type's own method": {func(ctx context.Context, c *kubesdk.Client) error {
			return drop(kubesdk.For[*Widget](c).Namespace(ns).Get(ctx, "a"))
		}, 2},
		"the table": {func(ctx context.Context, c *kubesdk.Client) error {
			return drop(kubesdk.For[*corev1.ServiceAccount](c).Namespace(ns).Get(ctx, "default"))
		}, 2},
		"the option": {func(ctx context.Context, c *kubesdk.Client) error {
			info := kubesdk.TypeInfo{GroupVersionKind: widgetKind, Plural: "widgets", Namespaced: true}
			return drop(kubesdk.For[*Unnamed](c, kubesdk.Type(info)).Namespace(ns).Get(ctx, "a"))
		}, 2},
		"the option wins over the method": {func(ctx context.Context, c *kubesdk.Client) error {
			info := kubesdk.TypeInfo{GroupVersionKind: schema.GroupVersionKind{Group: "absent.test", Version: "v1", Kind: "Widget"}, Plural: "widgets", Namespaced: true}
			if _, err := kubesdk.For[*Widget](c, kubesdk.Type(info)).Namespace(ns).Get(ctx, "a"); !errors.Is(err, kubesdk.ErrNotFound) {
				return errors.New("the method won")
			}
			return nil
		}, 2},
		"the option without a plural asks once": {func(ctx context.Context, c *kubesdk.Client) error {
			return drop(kubesdk.For[*Unnamed](c, kubesdk.Type(unnamedKind)).Namespace(ns).Get(ctx, "a"))
		}, 3},
		"the scheme asks once": {func(ctx context.Context, c *kubesdk.Client) error {
			return drop(kubesdk.For[*Unnamed](c).Namespace(ns).Get(ctx, "a"))
		}, 3},
		"metadata of another type": {func(ctx context.Context, c *kubesdk.Client) error {
			return drop(kubesdk.For[*metav1.PartialObjectMetadata](c, kubesdk.TypeOf[*Widget]()).Namespace(ns).Get(ctx, "a"))
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, proxy := proxied(t, kubesdk.Scheme(scheme))
			for range 2 {
				if err := tt.read(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			if n := proxy.Count(nil); n != tt.calls {
				t.Errorf("two reads took %d requests, want %d", n, tt.calls)
			}
		})
	}
}

func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	_, err := kubesdk.For[*Unnamed](c).Namespace("a").Get(t.Context(), "x")
	mustSay(t, err, "kubesdk_test.Unnamed", "KubeType", "kubesdk.Type(", "kubesdk.Scheme(")
	_, err = kubesdk.For[*unstructured.Unstructured](c).Namespace("a").Get(t.Context(), "x")
	mustSay(t, err, "unstructured.Unstructured", "kubesdk.Type(")
	_, err = kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{})).Get(t.Context(), "x")
	mustSay(t, err, "kind and version are needed")
	_, err = kubesdk.For[*metav1.PartialObjectMetadata](c, kubesdk.TypeOf[*Unnamed]()).Get(t.Context(), "x")
	mustSay(t, err, "kubesdk_test.Unnamed")

	absent := schema.GroupVersionKind{Group: "absent.test", Version: "v1", Kind: "Thing"}
	_, err = kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: absent})).Get(t.Context(), "x")
	mustSay(t, err, "absent.test/v1", "Thing", "CustomResourceDefinition")
	inApps := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Thing"}
	_, err = kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: inApps})).Get(t.Context(), "x")
	mustSay(t, err, "apps/v1", `no kind "Thing"`)

	known := kubesdk.TypeInfo{GroupVersionKind: absent, Plural: "things", Namespaced: true}
	_, ok, err := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(known)).Namespace("default").Lookup(t.Context(), "x")
	mustSay(t, err, "absent.test/v1", "things", "CustomResourceDefinition")
	if ok || !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("a kind that is not there is not a missing object: %v, %v", ok, err)
	}
}

// A kind that was not there when the server was asked for it is found once it is.
func TestDiscoveryAsksAgain(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	group := strings.ToLower(kubetest.Namespace(t, c)) + ".test"
	info := kubesdk.TypeInfo{GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Late"}}
	handle := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(info))
	if _, err := handle.List(t.Context()); err == nil {
		t.Fatal("the kind is there already")
	}
	t.Cleanup(func() {
		crds := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(crdInfo))
		if err := crds.Delete(context.Background(), "lates."+group); err != nil {
			t.Error(err)
		}
	})
	install(t, c, map[string]any{
		"group": group, "scope": "Cluster", "names": map[string]any{"plural": "lates", "kind": "Late"},
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}},
		}},
	})
	eventually(t, "the kind is found", func(ctx context.Context) (bool, error) {
		_, err := handle.List(ctx)
		if errors.Is(err, kubesdk.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
}

func TestHandlesAreValues(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	base := kubesdk.For[*appsv1.Deployment](c)
	inA := base.Namespace("a")
	_ = inA.Namespace("b").Status().With(kubesdk.DryRun())
	if base.CurrentNamespace() != "" || inA.CurrentNamespace() != "a" || inA.AllNamespaces().CurrentNamespace() != "" {
		t.Error("a method changed the handle that it was called on")
	}
}
