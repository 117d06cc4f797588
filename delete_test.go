package kubesdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

func TestPropagation(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	ns := kubetest.Namespace(t, c)
	owners, owned := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns), kubesdk.For[*corev1.Secret](c).Namespace(ns)
	for policy, check := range map[metav1.DeletionPropagation]func(*testing.T, string){
		metav1.DeletePropagationForeground: func(t *testing.T, name string) {
			eventually(t, "both are gone", func(ctx context.Context) (bool, error) {
				_, owner, err1 := owners.Lookup(ctx, name)
				_, other, err2 := owned.Lookup(ctx, name)
				if other && !owner {
					return false, errors.New("the owner went first")
				}
				return !owner && !other, errors.Join(err1, err2)
			})
		},
		metav1.DeletePropagationBackground: func(t *testing.T, name string) {
			if _, ok, err := owners.Lookup(t.Context(), name); ok || err != nil {
				t.Errorf("the owner did not go at once: %v, %v", ok, err)
			}
			eventually(t, "what it owned is gone", func(ctx context.Context) (bool, error) {
				_, ok, err := owned.Lookup(ctx, name)
				return !ok, err
			})
		},
		metav1.DeletePropagationOrphan: func(t *testing.T, name string) {
			eventually(t, "the owner is gone", func(ctx context.Context) (bool, error) {
				_, ok, err := owners.Lookup(ctx, name)
				return !ok, err
			})
			if s := must[*corev1.Secret](t)(owned.Get(t.Context(), name)); len(s.OwnerReferences) != 0 {
				t.Errorf("the orphan still has an owner: %v", s.OwnerReferences)
			}
		},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("owner-%d", len(policy))
			owner := must[*corev1.ConfigMap](t)(owners.Create(t.Context(), configMap(name)))
			must[*corev1.Secret](t)(owned.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Name: name, OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: name, UID: owner.UID, BlockOwnerDeletion: new(true)}},
			}}))
			if err := owners.Delete(t.Context(), name, kubesdk.Propagation(policy)); err != nil {
				t.Fatal(err)
			}
			check(t, name)
		})
	}
}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	cm := must[*corev1.ConfigMap](t)(handle.Create(t.Context(), configMap("a")))
	other := types.UID("11111111-2222-3333-4444-555555555555")
	for name, wrong := range map[string]metav1.Preconditions{
		"UID":             {UID: &other},
		"resourceVersion": {ResourceVersion: new("1")},
	} {
		if err := handle.Delete(t.Context(), "a", kubesdk.Preconditions(wrong)); !errors.Is(err, kubesdk.ErrConflict) {
			t.Errorf("the wrong %s: %v", name, err)
		}
	}
	if err := handle.Delete(t.Context(), "a", kubesdk.Preconditions(metav1.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion})); err != nil {
		t.Errorf("what is right: %v", err)
	}
}

func TestGracePeriod(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	pods := kubesdk.For[*corev1.Pod](c).Namespace(kubetest.Namespace(t, c))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.PodSpec{
		NodeName: "nowhere", Containers: []corev1.Container{{Name: "main", Image: "example.test/nothing:1"}},
	}}
	must[*corev1.Pod](t)(pods.Create(t.Context(), pod))
	if err := pods.Delete(t.Context(), "a", kubesdk.GracePeriod(1500*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got := must[*corev1.Pod](t)(pods.Get(t.Context(), "a")); got.DeletionGracePeriodSeconds == nil || *got.DeletionGracePeriodSeconds != 2 {
		t.Errorf("the grace period is %v, want 2 s: seconds are rounded up", got.DeletionGracePeriodSeconds)
	}
	if err := pods.Delete(t.Context(), "a", kubesdk.GracePeriod(0)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := pods.Lookup(t.Context(), "a"); ok || err != nil {
		t.Errorf("with a grace period of 0 it is still there: %v, %v", ok, err)
	}
	mustSay(t, pods.Delete(t.Context(), "a", kubesdk.GracePeriod(-time.Second)), "grace period", "-1s")
}

func TestDeleteAll(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	ns := kubetest.Namespace(t, c)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns)
	for i := range 6 {
		cm := configMap(fmt.Sprint("cm-", i))
		cm.Labels = map[string]string{"even": fmt.Sprint(i%2 == 0)}
		must[*corev1.ConfigMap](t)(handle.Create(t.Context(), cm))
	}
	count := func() int {
		return len(must[*kubesdk.List[*corev1.ConfigMap]](t)(handle.List(t.Context(), kubesdk.Labels("even"))).Items)
	}
	if err := handle.DeleteAll(t.Context(), kubesdk.Labels("even=true"), kubesdk.Fields("metadata.name!=cm-0")); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 4 {
		t.Errorf("%d are left, want 4", got)
	}
	if err := handle.DeleteAll(t.Context(), kubesdk.Labels("even")); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d are left", got)
	}
	if n := proxy.Count(faultproxy.Method(http.MethodDelete)); n != 2 {
		t.Errorf("two calls sent %d requests", n)
	}
	err := kubesdk.For[*corev1.ConfigMap](c).DeleteAll(t.Context())
	mustSay(t, err, "configmaps is namespaced", ".Namespace(")
}

// Namespaces cannot be deleted as a collection: they are deleted one by one, all of them, whatever the handle's options
// for lists are.
func TestDeleteAllOneByOne(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	namespaces := kubesdk.For[*corev1.Namespace](c)
	mark := kubetest.Namespace(t, c)
	for range 3 {
		must[*corev1.Namespace](t)(namespaces.Create(t.Context(), &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "t-all-", Labels: map[string]string{"mark": mark}},
		}))
	}
	proxy.Forget()
	if err := namespaces.With(kubesdk.Limit(1)).DeleteAll(t.Context(), kubesdk.Labels("mark="+mark)); err != nil {
		t.Fatal(err)
	}
	for _, ns := range must[*kubesdk.List[*corev1.Namespace]](t)(namespaces.List(t.Context(), kubesdk.Labels("mark="+mark))).Items {
		if ns.DeletionTimestamp == nil {
			t.Errorf("%s is not being deleted", ns.Name)
		}
	}
	if n := proxy.Count(faultproxy.Method(http.MethodDelete)); n != 4 {
		t.Errorf("%d DELETEs were sent, want one refused and three that name one", n)
	}
	for _, r := range proxy.Requests(faultproxy.Method(http.MethodDelete))[1:] {
		if got := string(r.Body); !strings.Contains(got, `"uid"`) {
			t.Errorf("%s has no UID precondition, so it might hit a namesake: %s", r.URL.Path, got)
		}
	}
}
