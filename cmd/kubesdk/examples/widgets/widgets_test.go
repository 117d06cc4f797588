package widgets_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/examples/widgets"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/examples/widgets/apis"
	factoryv1 "github.com/kubesdk/kubesdk/cmd/kubesdk/examples/widgets/apis/factory.example.com/v1"
	"github.com/kubesdk/kubesdk/kubetest"
)

// TestWidgets takes one widget through three clients on a real API server.
func TestWidgets(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	install(t, cluster.Client)
	namespace := kubetest.Namespace(t, cluster.Client)

	created, err := widgets.Create(t.Context(), cluster.Client, namespace, "one")
	if err != nil {
		t.Fatal(err)
	}
	if got := *created.Spec.Replicas; got != 0 {
		t.Errorf("the server stored %d replicas: the zero was lost", got)
	}
	if got := created.Spec.Limits["cpu"].String(); got != "1000m" {
		t.Errorf("the limit came back as %q", got)
	}
	if got := string(*created.Spec.NotBefore); got != "2026-01-01T00:00:00.123456789+02:00" {
		t.Errorf("the time came back as %q", got)
	}
	if got := string(created.Spec.Values.Raw); got != `{"color":"red","weights":[1,9007199254740993]}` {
		t.Errorf("the values came back as %s", got)
	}

	scheme := runtime.NewScheme()
	if err := apis.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	cr, err := client.New(cluster.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := widgets.Start(t.Context(), cr, namespace, "one"); err != nil {
		t.Fatal(err)
	}
	var list factoryv1.WidgetList
	if err := cr.List(t.Context(), &list, client.InNamespace(namespace)); err != nil || len(list.Items) != 1 {
		t.Fatalf("controller-runtime lists %d widgets, %v", len(list.Items), err)
	}
	if diff := cmp.Diff(created.Spec, list.Items[0].Spec); diff != "" {
		t.Errorf("controller-runtime reads another spec (-kubesdk +controller-runtime): %s", diff)
	}

	dyn, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	phase, err := widgets.Phase(t.Context(), dyn, namespace, "one")
	if err != nil || phase != factoryv1.WidgetPhaseRunning {
		t.Fatalf("the dynamic client reads phase %q, %v", phase, err)
	}
	u, err := widgets.Unstructured(&list.Items[0])
	if err != nil {
		t.Fatal(err)
	}
	if threads, _, _ := unstructured.NestedInt64(u.Object, "spec", "tuning", "threads"); threads != 4 {
		t.Errorf("the converter wrote %d threads", threads)
	}
	if turbo, _, _ := unstructured.NestedBool(u.Object, "spec", "tuning", "turbo"); !turbo {
		t.Error("the converter lost a field that the schema does not name")
	}
}

// install creates the definition and waits until the kind is served.
func install(t *testing.T, c *kubesdk.Client) {
	t.Helper()
	data, err := os.ReadFile("crd/widgets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(data, &crd.Object); err != nil {
		t.Fatal(err)
	}
	definitions := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: crd.GroupVersionKind(), Plural: "customresourcedefinitions"}))
	if _, err := definitions.Create(t.Context(), crd); err != nil && !errors.Is(err, kubesdk.ErrAlreadyExists) {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := kubesdk.For[*factoryv1.Widget](c).Namespace("default").List(t.Context())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the kind is not served: %v", err)
		}
	}
}
