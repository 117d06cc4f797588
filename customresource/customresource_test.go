package customresource_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/wait"
)

type kettleSpec struct {
	Liters int               `json:"liters"`
	Labels map[string]string `json:"labels,omitempty"`
}

type kettleStatus struct {
	Phase string       `json:"phase,omitempty"`
	Water *waterStatus `json:"water,omitempty"`
}

type waterStatus struct {
	Degrees int `json:"degrees"`
	Liters  int `json:"liters"`
}

// Kettle is a kind with a method of its own, as users write them.
type Kettle struct {
	customresource.Object[kettleSpec, kettleStatus]
}

// Boiling says whether the water is.
func (k *Kettle) Boiling() bool { return k.Status.Phase == "Boiling" }

func kettleKind(plural string, namespaced bool) kubesdk.TypeInfo {
	return kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: "customresource.test", Version: "v1", Kind: strings.ToUpper(plural[:1]) + plural[1:len(plural)-1]},
		Plural:           plural, Namespaced: namespaced,
	}
}

// install makes the kind's definition, and waits until it is served.
func install(t *testing.T, c *kubesdk.Client, kind kubesdk.TypeInfo) {
	t.Helper()
	scope := "Cluster"
	if kind.Namespaced {
		scope = "Namespaced"
	}
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	crd := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": kind.Plural + "." + kind.Group},
		"spec": map[string]any{
			"group": kind.Group, "scope": scope,
			"names": map[string]any{"kind": kind.Kind, "plural": kind.Plural},
			"versions": []any{map[string]any{
				"name": kind.Version, "served": true, "storage": true,
				"subresources": map[string]any{"status": map[string]any{}},
				"schema":       map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{"spec": open, "status": open}}},
			}},
		},
	}}
	definitions := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		Plural:           "customresourcedefinitions",
	}))
	if _, err := definitions.CreateOrUpdate(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	if _, err := wait.For(t.Context(), definitions, crd.GetName(), wait.HasCondition[*unstructured.Unstructured]("Established", metav1.ConditionTrue), wait.Timeout(30*time.Second)); err != nil {
		t.Fatal(err)
	}
}

func kettles(t *testing.T) customresource.Collection[kettleSpec, kettleStatus] {
	t.Helper()
	cluster := kubetest.Start(t)
	kind := kettleKind("kettles", true)
	install(t, cluster.Client, kind)
	all, err := customresource.For[kettleSpec, kettleStatus](cluster.Client, kind)
	if err != nil {
		t.Fatal(err)
	}
	return all.Namespace(kubetest.Namespace(t, cluster.Client))
}

// setStatus is what a controller does.
func setStatus(ctx context.Context, c *kubesdk.Client, namespace, name string, status kettleStatus) error {
	all := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kettleKind("kettles", true))).Namespace(namespace).Status()
	_, err := all.Patch(ctx, name, patch.Merge(map[string]any{"status": status}))
	return err
}

func TestObjectLife(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := kettles(t)
	made, err := all.Create(ctx, "k", kettleSpec{Liters: 2})
	if err != nil {
		t.Fatal(err)
	}
	k := Kettle{Object: *made}
	other, err := all.Get(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}

	other.Spec.Labels = map[string]string{"color": "red"}
	if err := other.Update(ctx); err != nil {
		t.Fatal(err)
	}
	k.Spec.Liters = 3
	if err := k.Update(ctx); err != nil {
		t.Fatal(err)
	}
	want := kettleSpec{Liters: 3, Labels: map[string]string{"color": "red"}}
	if diff := cmp.Diff(want, k.Spec); diff != "" {
		t.Errorf("an update of one field lost another's (-want +got):\n%s", diff)
	}
	version := k.ResourceVersion
	if err := k.Update(ctx); err != nil || k.ResourceVersion != version {
		t.Errorf("an update without a change: version %s became %s, %v", version, k.ResourceVersion, err)
	}
	if err := k.Patch(ctx, patch.Merge(map[string]any{"spec": map[string]any{"liters": 4}})); err != nil || k.Spec.Liters != 4 {
		t.Errorf("patch: liters %d, %v", k.Spec.Liters, err)
	}
	if err := other.Refresh(ctx); err != nil || other.Spec.Liters != 4 {
		t.Errorf("refresh: liters %d, %v", other.Spec.Liters, err)
	}
	list, err := all.List(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %d objects, %v", len(list), err)
	}
	if err := list[0].Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(ctx); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("refresh of a deleted object: %v", err)
	}
	if _, err := all.Create(ctx, "k", kettleSpec{}); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(ctx); !errors.Is(err, kubesdk.ErrNotFound) || k.Spec.Liters != 4 {
		t.Errorf("refresh when another object has the name: %v, liters %d", err, k.Spec.Liters)
	}
	if err := k.Delete(ctx); !errors.Is(err, kubesdk.ErrConflict) {
		t.Errorf("delete when another object has the name: %v", err)
	}
}

func TestWaitForStatus(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	all := kettles(t)
	made, err := all.Create(ctx, "k", kettleSpec{Liters: 1})
	if err != nil {
		t.Fatal(err)
	}
	k := Kettle{Object: *made}
	c := kubetest.Start(t).Client
	go func() {
		for degrees := 80; degrees <= 100; degrees += 10 {
			status := kettleStatus{Phase: "Heating", Water: &waterStatus{Degrees: degrees, Liters: 1}}
			if degrees == 100 {
				status.Phase = "Boiling"
			}
			if err := setStatus(ctx, c, made.Namespace, made.Name, status); err != nil {
				t.Error(err)
			}
		}
	}()
	events := 0
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for e, err := range k.WaitForStatus(limited, map[string]any{"phase": "Boiling", "water": map[string]any{"degrees": 100}}) {
		if err != nil {
			t.Fatal(err)
		}
		events++
		if e.Object.Status.Phase != k.Status.Phase {
			t.Errorf("the event says %q and the object %q", e.Object.Status.Phase, k.Status.Phase)
		}
	}
	if !k.Boiling() || events < 1 {
		t.Errorf("after the wait: phase %q, %d events", k.Status.Phase, events)
	}
	if err := k.WaitUntilStatus(limited, kettleStatus{Phase: "Boiling"}); err != nil {
		t.Errorf("a status that is there already: %v", err)
	}

	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	err = k.WaitUntilStatus(short, map[string]any{"phase": "Cold"})
	var timeout *customresource.TimeoutError
	if !errors.As(err, &timeout) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Boiling") {
		t.Errorf("a status that never comes: %v", err)
	}

	done := make(chan error)
	go func() { done <- k.WaitUntilStatus(limited, map[string]any{"phase": "Cold"}) }()
	if err := all.Delete(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("an object that is deleted during the wait: %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := kubetest.Start(t).Client
	collection := func(kind kubesdk.TypeInfo) customresource.Collection[kettleSpec, kettleStatus] {
		all, err := customresource.For[kettleSpec, kettleStatus](c, kind)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	cases := map[string]struct {
		call func() error
		want string
	}{
		"no plural": {func() error {
			_, err := customresource.For[kettleSpec, kettleStatus](c, kubesdk.TypeInfo{GroupVersionKind: kettleKind("kettles", true).GroupVersionKind})
			return err
		}, "plural"},
		"no client": {func() error {
			_, err := customresource.For[kettleSpec, kettleStatus](nil, kettleKind("kettles", true))
			return err
		}, "kubesdk.Login"},
		"a call of a collection that For refused": {func() error {
			all, _ := customresource.For[kettleSpec, kettleStatus](nil, kettleKind("kettles", true)) // its error is what is asked for
			_, err := all.Namespace("default").With(kubesdk.Timeout(time.Second)).Get(ctx, "x")
			return err
		}, "kubesdk.Login"},
		"namespace of a cluster-scoped kind": {func() error {
			_, err := collection(kettleKind("samovars", false)).Namespace("default").Get(ctx, "x")
			return err
		}, "cluster-scoped"},
		"object's namespace of a cluster-scoped kind": {func() error {
			obj := &customresource.Object[kettleSpec, kettleStatus]{ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "default"}}
			_, err := collection(kettleKind("samovars", false)).CreateObject(ctx, obj)
			return err
		}, "cluster-scoped"},
		"no namespace": {func() error {
			_, err := collection(kettleKind("kettles", true)).Get(ctx, "x")
			return err
		}, "Namespace(...)"},
		"no definition": {func() error {
			_, err := collection(kettleKind("unknowns", true)).Namespace("default").Get(ctx, "x")
			return err
		}, "CustomResourceDefinition"},
		"an object from nowhere": {func() error {
			return (&customresource.Object[kettleSpec, kettleStatus]{ObjectMeta: metav1.ObjectMeta{Name: "x"}}).Update(ctx)
		}, "Collection"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e *customresource.ConfigError
			if err := tc.call(); !errors.As(err, &e) || !strings.Contains(fmt.Sprint(err), tc.want) {
				t.Errorf("got %v, want a ConfigError that says %q", err, tc.want)
			}
		})
	}
}
