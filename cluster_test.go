package kubesdk_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

// Widget is a custom resource as kubesdk generate would write it: it knows its kind.
type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   WidgetSpec   `json:"spec,omitempty"`
	Status WidgetStatus `json:"status,omitempty"`
}

type WidgetSpec struct {
	Replicas int32  `json:"replicas,omitempty"`
	Color    string `json:"color,omitempty"`
}

type WidgetStatus struct {
	Replicas int32  `json:"replicas,omitempty"`
	Phase    string `json:"phase,omitempty"`
}

var widgetKind = schema.GroupVersionKind{Group: "kubesdk.test", Version: "v1", Kind: "Widget"}

func (*Widget) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return widgetKind, "widgets", true
}

func (w *Widget) DeepCopyObject() runtime.Object {
	c := *w
	w.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	return &c
}

var crdInfo = kubesdk.TypeInfo{
	GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	Plural:           "customresourcedefinitions",
}

// widgets has the server know Widgets. The definition stays: other test programs may be using it too.
func widgets(t *testing.T, c *kubesdk.Client) {
	t.Helper()
	whole := map[string]any{"type": "integer", "format": "int32"}
	text := map[string]any{"type": "string"}
	install(t, c, map[string]any{
		"group": "kubesdk.test", "scope": "Namespaced",
		"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget"},
		"versions": []any{map[string]any{
			"name": "v1", "served": true, "storage": true,
			"subresources": map[string]any{
				"status": map[string]any{},
				"scale":  map[string]any{"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
			},
			"selectableFields": []any{map[string]any{"jsonPath": ".spec.color"}},
			"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{
				"spec":   map[string]any{"type": "object", "properties": map[string]any{"replicas": whole, "color": text}},
				"status": map[string]any{"type": "object", "properties": map[string]any{"replicas": whole, "phase": text}},
			}}},
		}},
	})
}

// install creates a CustomResourceDefinition, unless it is there, and waits until the server serves it.
func install(t *testing.T, c *kubesdk.Client, spec map[string]any) {
	t.Helper()
	names := spec["names"].(map[string]any)
	name := names["plural"].(string) + "." + spec["group"].(string)
	crd := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name}, "spec": spec}}
	crds := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(crdInfo))
	if _, err := crds.Create(t.Context(), crd); err != nil && !errors.Is(err, kubesdk.ErrAlreadyExists) {
		t.Fatal(err)
	}
	eventually(t, name+" is established", func(ctx context.Context) (bool, error) {
		got, err := crds.Get(ctx, name)
		if err != nil {
			return false, err
		}
		conditions, _, _ := unstructured.NestedFieldNoCopy(got.Object, "status", "conditions")
		list, _ := conditions.([]any) // null at first
		return slices.ContainsFunc(list, func(one any) bool {
			m := one.(map[string]any)
			return m["type"] == "Established" && m["status"] == "True"
		}), nil
	})
	version := spec["versions"].([]any)[0].(map[string]any)["name"].(string)
	installed := kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: spec["group"].(string), Version: version, Kind: names["kind"].(string)},
		Plural:           names["plural"].(string),
		Namespaced:       spec["scope"] == "Namespaced",
	}
	eventually(t, name+" can be watched", func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for ev, err := range kubesdk.For[*metav1.PartialObjectMetadata](c, kubesdk.Type(installed)).Watch(ctx) {
			if err != nil {
				continue // its storage is not ready
			}
			if ev.Synced {
				return true, nil
			}
		}
		return false, ctx.Err()
	})
}

// eventually waits for what the server does in its own time.
func eventually(t *testing.T, what string, done func(context.Context) (bool, error)) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		ok, err := done(t.Context())
		switch {
		case err != nil:
			t.Fatalf("wait until %s: %v", what, err)
		case ok:
			return
		case time.Now().After(deadline):
			t.Fatalf("after a minute it is still not so that %s", what)
		}
	}
}

// proxied is a client whose requests go through a proxy that counts them and makes faults.
func proxied(t *testing.T, opts ...kubesdk.ClientOption) (*kubesdk.Client, *faultproxy.Proxy) {
	t.Helper()
	p := faultproxy.Start(t, kubetest.Start(t).Config())
	return client(t, p, opts...), p
}

func client(t *testing.T, p *faultproxy.Proxy, opts ...kubesdk.ClientOption) *kubesdk.Client {
	t.Helper()
	c, err := kubesdk.New(p.Config(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// configMaps is a handle on a namespace of the test's own.
func configMaps(t *testing.T) kubesdk.Resource[*corev1.ConfigMap] {
	t.Helper()
	c := kubetest.Start(t).Client
	return kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
}

func configMap(name string, pairs ...string) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		cm.Data[pairs[i]] = pairs[i+1]
	}
	return cm
}

// must fails the test at an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// mustSay fails the test unless err is an error that names all of parts.
func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, but one that says %q was expected", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// asError is the one error type of calls.
func asError(t *testing.T, err error) *kubesdk.Error {
	t.Helper()
	var e *kubesdk.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *kubesdk.Error", err, err)
	}
	return e
}
