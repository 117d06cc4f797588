package kubesdk_test

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	widgets(t, c)
	ns := kubetest.Namespace(t, c)
	t.Run("custom", func(t *testing.T) {
		handle := kubesdk.For[*Widget](c).Namespace(ns)
		w := must[*Widget](t)(handle.Create(t.Context(), &Widget{
			ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: WidgetSpec{Color: "red"}, Status: WidgetStatus{Phase: "ignored"},
		}))
		if w.Status.Phase != "" {
			t.Errorf("Create took the status: %+v", w)
		}
		w.Status.Phase, w.Spec.Color = "Ready", "blue"
		w = must[*Widget](t)(handle.Status().Replace(t.Context(), w))
		if w.Status.Phase != "Ready" || w.Spec.Color != "red" {
			t.Errorf("Status() replaced something else: %+v", w)
		}
		if got := must[*Widget](t)(handle.Status().Get(t.Context(), "a")); got.Status.Phase != "Ready" {
			t.Errorf("the status reads %+v", got.Status)
		}
	})
	t.Run("built in", func(t *testing.T) {
		handle := kubesdk.For[*appsv1.ReplicaSet](c).Namespace(ns)
		d := deployment(metav1.ObjectMeta{Name: "rs"})
		set := &appsv1.ReplicaSet{ObjectMeta: d.ObjectMeta, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: d.Spec.Selector, Template: d.Spec.Template}}
		must[*appsv1.ReplicaSet](t)(handle.Create(t.Context(), set))
		eventually(t, "the status says that the spec was seen", func(ctx context.Context) (bool, error) {
			got, err := handle.Status().Get(ctx, "rs")
			return err == nil && got.Status.ObservedGeneration == got.Generation, err
		})
	})
	t.Run("where there is none", func(t *testing.T) {
		_, err := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns).Status().Get(t.Context(), "a")
		if !errors.Is(err, kubesdk.ErrNotFound) {
			t.Errorf("got %v", err)
		}
		mustSay(t, err, "get configmaps/status "+ns+"/a")
	})
}

func TestScale(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	widgets(t, c)
	ns := kubetest.Namespace(t, c)
	t.Run("built in", func(t *testing.T) {
		handle := kubesdk.For[*appsv1.Deployment](c).Namespace(ns)
		must[*appsv1.Deployment](t)(handle.Create(t.Context(), deployment(metav1.ObjectMeta{Name: "a"})))
		scales(t, handle)
		if got := must[*appsv1.Deployment](t)(handle.Get(t.Context(), "a")); *got.Spec.Replicas != 3 {
			t.Errorf("%d replicas", *got.Spec.Replicas)
		}
	})
	t.Run("custom", func(t *testing.T) {
		handle := kubesdk.For[*Widget](c).Namespace(ns)
		must[*Widget](t)(handle.Create(t.Context(), &Widget{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: WidgetSpec{Color: "red"}}))
		scales(t, handle)
		if got := must[*Widget](t)(handle.Get(t.Context(), "a")); got.Spec != (WidgetSpec{Replicas: 3, Color: "red"}) {
			t.Errorf("got %+v", got.Spec)
		}
	})
	t.Run("custom, dynamic", func(t *testing.T) {
		handle := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: widgetKind})).Namespace(ns)
		scales(t, handle)
	})
	t.Run("where there is none", func(t *testing.T) {
		_, err := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns).Scale(t.Context(), "a", 1)
		mustSay(t, err, "patch configmaps/scale "+ns+"/a", "404")
	})
}

func scales[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T]) {
	t.Helper()
	scale, err := handle.Scale(t.Context(), "a", 3)
	if err != nil || scale.Spec.Replicas != 3 || scale.Kind != "Scale" || scale.APIVersion != "autoscaling/v1" {
		t.Errorf("Scale: %+v, %v", scale, err)
	}
	scale, err = handle.GetScale(t.Context(), "a")
	if err != nil || scale.Spec.Replicas != 3 || scale.Kind != "Scale" {
		t.Errorf("GetScale: %+v, %v", scale, err)
	}
	if _, err := handle.Scale(t.Context(), "a", 5, kubesdk.DryRun()); err != nil {
		t.Errorf("dry run: %v", err)
	}
	if scale, err := handle.GetScale(t.Context(), "a"); err != nil || scale.Spec.Replicas != 3 {
		t.Errorf("after a dry run: %+v, %v", scale, err)
	}
}

// Subresources that are created and have a kind of their own.
func TestCreateSubresource(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	ns := kubetest.Namespace(t, c)
	t.Run("token", func(t *testing.T) {
		handle := kubesdk.For[*authenticationv1.TokenRequest](c, kubesdk.TypeOf[*corev1.ServiceAccount]()).Namespace(ns).Subresource("token")
		got := must[*authenticationv1.TokenRequest](t)(handle.Create(t.Context(), &authenticationv1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Name: "default"}}))
		if got.Status.Token == "" || got.Kind != "TokenRequest" {
			t.Errorf("no token: %+v", got.TypeMeta)
		}
		config := c.Config()
		config.TLSClientConfig.CertData, config.TLSClientConfig.KeyData = nil, nil
		config.BearerToken = got.Status.Token
		account := must[*kubesdk.Client](t)(kubesdk.New(config))
		defer account.Close()
		if user, err := account.WhoAmI(t.Context()); err != nil || user.Username != "system:serviceaccount:"+ns+":default" {
			t.Errorf("the token is that of %+v, %v", user, err)
		}
		_, err := handle.Create(t.Context(), &authenticationv1.TokenRequest{})
		mustSay(t, err, "the name is empty")
	})
	t.Run("eviction", func(t *testing.T) {
		pods := kubesdk.For[*corev1.Pod](c).Namespace(ns)
		must[*corev1.Pod](t)(pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: deployment(metav1.ObjectMeta{}).Spec.Template.Spec}))
		evictions := kubesdk.For[*policyv1.Eviction](c, kubesdk.TypeOf[*corev1.Pod]()).Namespace(ns).Subresource("eviction")
		if _, err := evictions.Create(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "a"}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the pod is gone", func(ctx context.Context) (bool, error) {
			pod, ok, err := pods.Lookup(ctx, "a")
			return !ok || pod.DeletionTimestamp != nil, err
		})
	})
	t.Run("binding", func(t *testing.T) {
		pods := kubesdk.For[*corev1.Pod](c).Namespace(ns)
		spec := deployment(metav1.ObjectMeta{}).Spec.Template.Spec
		spec.SchedulerName = "nobody"
		must[*corev1.Pod](t)(pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "b"}, Spec: spec}))
		bindings := kubesdk.For[*corev1.Binding](c, kubesdk.TypeOf[*corev1.Pod]()).Namespace(ns).Subresource("binding")
		if _, err := bindings.Create(t.Context(), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, Target: corev1.ObjectReference{Kind: "Node", Name: "n1"}}); err != nil {
			t.Fatal(err)
		}
		if pod := must[*corev1.Pod](t)(pods.Get(t.Context(), "b")); pod.Spec.NodeName != "n1" {
			t.Errorf("the pod is bound to %q", pod.Spec.NodeName)
		}
	})
}
