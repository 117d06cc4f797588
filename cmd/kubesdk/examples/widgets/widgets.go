// Package widgets uses one generated package with three clients: kubesdk, controller-runtime's, and client-go's
// dynamic one. The types under apis come from the definition under crd:
//
//	go generate ./...
package widgets

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubesdk/kubesdk"
	factoryv1 "github.com/kubesdk/kubesdk/cmd/kubesdk/examples/widgets/apis/factory.example.com/v1"
)

//go:generate go run ../.. generate --crd crd --output apis

// Create makes a widget with kubesdk. The type says by itself what it is called, so there is no scheme and no
// discovery. A strict server refuses any field that its schema does not know.
func Create(ctx context.Context, c *kubesdk.Client, namespace, name string) (*factoryv1.Widget, error) {
	values, err := factoryv1.NewJSON(map[string]any{"color": "red", "weights": []int64{1, 9007199254740993}})
	if err != nil {
		return nil, err
	}
	return kubesdk.For[*factoryv1.Widget](c).Namespace(namespace).Create(ctx, &factoryv1.Widget{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: factoryv1.WidgetSpec{
			Size:      factoryv1.WidgetSizeLarge,
			Replicas:  new(int32(0)), // not the same as nil, which becomes 1
			Ports:     []factoryv1.Port{{Name: "http", Target: factoryv1.IntOrStringFromInt(8080)}, {Name: "admin", Target: factoryv1.IntOrStringFromString("admin")}},
			Limits:    map[string]factoryv1.Quantity{"cpu": {Type: 1, StrVal: "1000m"}}, // stays 1000m
			NotBefore: new(factoryv1.DateTime("2026-01-01T00:00:00.123456789+02:00")),
			Values:    values,
			Tuning:    &factoryv1.Tuning{Threads: new(int64(4)), AdditionalFields: map[string]factoryv1.JSON{"turbo": {Raw: []byte("true")}}},
		},
	}, kubesdk.FieldValidation("Strict"))
}

// Start sets a widget's phase with controller-runtime's client, which needs the types in its scheme.
func Start(ctx context.Context, c client.Client, namespace, name string) error {
	var w factoryv1.Widget
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &w); err != nil {
		return err
	}
	w.Status.Phase = factoryv1.WidgetPhaseRunning
	w.Status.Conditions = []factoryv1.Condition{{Type: "Ready", Status: factoryv1.ConditionStatusTrue}}
	return c.Status().Update(ctx, &w)
}

// Phase reads a widget's phase with client-go's dynamic client and its converter.
func Phase(ctx context.Context, c dynamic.Interface, namespace, name string) (factoryv1.WidgetPhase, error) {
	u, err := c.Resource(factoryv1.GroupVersion.WithResource("widgets")).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	var w factoryv1.Widget
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &w); err != nil {
		return "", fmt.Errorf("converting widget %s/%s: %w", namespace, name, err)
	}
	return w.Status.Phase, nil
}

// Unstructured turns a widget into what the dynamic client sends.
func Unstructured(w *factoryv1.Widget) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(w)
	if err != nil {
		return nil, fmt.Errorf("converting widget %s/%s: %w", w.Namespace, w.Name, err)
	}
	return &unstructured.Unstructured{Object: content}, nil
}
