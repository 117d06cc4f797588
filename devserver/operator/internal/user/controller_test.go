package user_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/devserver/operator/internal/user"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/patch"
)

type User = customresource.Object[v1.DevServerUserSpec, v1.DevServerUserStatus]

var (
	started sync.Map
	rights  devtest.Rights
)

// TestMain fails if the controller uses other rights than its markers say, or not all of them.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if flag.Lookup("test.run").Value.String() == "" && code == 0 { // all tests ran
		if err := rights.Compare(context.Background(), "."); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// start runs the controller, once for all tests of this package.

func start(t *testing.T) *kubesdk.Client {
	t.Helper()
	c := devtest.Start(t)
	once, _ := started.LoadOrStore("", sync.OnceValue(func() error {
		ctrl.SetLogger(logr.Discard())
		scheme := runtime.NewScheme()
		if err := clientgoscheme.AddToScheme(scheme); err != nil {
			return err
		}
		if err := v1.AddToScheme(scheme); err != nil {
			return err
		}
		mgr, err := ctrl.NewManager(rights.Record(c.Config()), ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
		if err != nil {
			return err
		}
		if err := (&user.Reconciler{}).SetupWithManager(context.Background(), mgr); err != nil {
			return err
		}
		go func() { _ = mgr.Start(context.Background()) }() // ends with the program
		return nil
	}))
	if err := once.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return c.Client
}

// unique is a username that no other test has, nor an earlier run.
func unique(prefix string) string {
	return fmt.Sprintf("%s-%d", prefix, time.Now().UnixNano()%1_000_000_000)
}

// create makes a DevServerUser, which the test's end deletes.
func create(t *testing.T, c *kubesdk.Client, name string, spec v1.DevServerUserSpec) *User {
	t.Helper()
	u, err := devserver.Users(c).Create(t.Context(), name, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = devserver.Users(c).Delete(context.Background(), name) }) // gone already, in some tests
	return u
}

// await waits for a status with the phase and these words in its message, for the present spec.
func await(t *testing.T, u *User, phase v1.UserPhase, words ...string) {
	t.Helper()
	eventually(t, func() string {
		if err := u.Refresh(t.Context()); err != nil {
			return err.Error()
		}
		if u.Status.Phase != phase || u.Status.ObservedGeneration != u.Generation {
			return fmt.Sprintf("the status is %+v", u.Status)
		}
		for _, w := range words {
			if !strings.Contains(u.Status.Message, w) {
				return fmt.Sprintf("the message does not say %q: %s", w, u.Status.Message)
			}
		}
		return ""
	})
}

// eventually asks until nothing is wrong any more.
func eventually(t *testing.T, wrong func() string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(30 * time.Millisecond) {
		problem := wrong()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute: %s", problem)
		}
	}
}

func quota(pods string) *v1.UserQuotas {
	return &v1.UserQuotas{
		ResourceQuotaSpec: &corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse(pods)}},
		LimitRangeSpec: &corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")},
		}}},
	}
}

func TestUserIsProvidedAndKept(t *testing.T) {
	t.Parallel()
	c, ctx := start(t), t.Context()
	alice := unique("alice")
	ns := "dev-" + alice
	other := kubetest.Namespace(t, c)
	u := create(t, c, alice, v1.DevServerUserSpec{
		Username: alice, Quotas: quota("5"),
		RBAC: &v1.UserRBAC{AdditionalRoleRefs: []v1.RoleRef{{Name: "view", Kind: "ClusterRole"}, {Name: "reader", Namespace: other}}},
	})
	await(t, u, v1.UserReady, ns, alice+"-sa")
	if u.Status.Namespace != ns || len(u.Status.Conditions) != 1 || u.Status.Conditions[0].Status != metav1.ConditionTrue {
		t.Errorf("the status is %+v", u.Status)
	}
	roles := kubesdk.For[*rbacv1.Role](c).Namespace(ns)
	quotas := kubesdk.For[*corev1.ResourceQuota](c).Namespace(ns)
	ranges := kubesdk.For[*corev1.LimitRange](c).Namespace(ns)
	bindings := kubesdk.For[*rbacv1.RoleBinding](c)
	accounts := kubesdk.For[*corev1.ServiceAccount](c).Namespace(ns)
	namespaces := kubesdk.For[*corev1.Namespace](c)

	role, err := roles.Get(ctx, "devserver-user")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range role.Rules {
		for _, secret := range []string{"*", "secrets", "serviceaccounts", "serviceaccounts/token", "roles", "rolebindings"} {
			if slices.Contains(rule.Resources, secret) || slices.Contains(rule.Verbs, "*") {
				t.Errorf("the role allows too much: %+v", rule)
			}
		}
	}

	// What others do to it is undone.
	limit := func(pods string) func() string {
		return func() string {
			q, err := quotas.Get(ctx, "devserver-user")
			if err != nil {
				return err.Error()
			}
			if got := q.Spec.Hard.Pods().String(); got != pods {
				return "the quota allows pods: " + got
			}
			return ""
		}
	}
	eventually(t, limit("5"))
	tamper := map[string]struct {
		do     func() error
		mended func() string
	}{
		"quota raised": {
			func() error {
				_, err := quotas.Patch(ctx, "devserver-user", patch.Merge(map[string]any{"spec": map[string]any{"hard": map[string]any{"pods": "500"}}}))
				return err
			}, limit("5"),
		},
		"quota deleted": {func() error { return quotas.Delete(ctx, "devserver-user") }, limit("5")},
		"limit range deleted": {func() error { return ranges.Delete(ctx, "devserver-user") }, func() string {
			_, err := ranges.Get(ctx, "devserver-user")
			return problem(err)
		}},
		"service account deleted": {func() error { return accounts.Delete(ctx, alice+"-sa") }, func() string {
			_, err := accounts.Get(ctx, alice+"-sa")
			return problem(err)
		}},
		"role widened": {func() error {
			_, err := roles.Mutate(ctx, "devserver-user", func(r *rbacv1.Role) error {
				r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
				return nil
			})
			return err
		}, func() string {
			r, err := roles.Get(ctx, "devserver-user")
			if err == nil && len(r.Rules) != len(role.Rules) {
				return fmt.Sprintf("%d rules", len(r.Rules))
			}
			return problem(err)
		}},
		"binding replaced": {func() error {
			b, err := bindings.Namespace(ns).Get(ctx, "devserver-user")
			if err != nil {
				return err
			}
			if err := bindings.Namespace(ns).Delete(ctx, b.Name); err != nil {
				return err
			}
			b.ResourceVersion, b.UID, b.RoleRef.Kind, b.RoleRef.Name = "", "", "ClusterRole", "admin"
			if _, err := bindings.Namespace(ns).Create(ctx, b); err != nil && !strings.Contains(err.Error(), "already exists") { // the operator was faster
				return err
			}
			return nil
		}, func() string {
			b, err := bindings.Namespace(ns).Get(ctx, "devserver-user")
			if err == nil && b.RoleRef.Name != "devserver-user" {
				return "bound to " + b.RoleRef.Name
			}
			return problem(err)
		}},
		"cluster role binding replaced": {func() error {
			all := kubesdk.For[*rbacv1.ClusterRoleBinding](c)
			b, err := all.Get(ctx, "devserver-user-"+alice)
			if err != nil {
				return err
			}
			for replaced := false; !replaced; { // the operator may be faster
				if err := all.Delete(ctx, b.Name); err != nil && !errors.Is(err, kubesdk.ErrNotFound) {
					return err
				}
				b.ResourceVersion, b.UID, b.RoleRef.Name = "", "", "view"
				_, err := all.Create(ctx, b)
				if err != nil && !errors.Is(err, kubesdk.ErrAlreadyExists) {
					return err
				}
				replaced = err == nil
			}
			return nil
		}, func() string {
			b, err := kubesdk.For[*rbacv1.ClusterRoleBinding](c).Get(ctx, "devserver-user-"+alice)
			if err == nil && b.RoleRef.Name != "devserver-flavor-reader" {
				return "bound to " + b.RoleRef.Name
			}
			return problem(err)
		}},
		"namespace's labels removed": {func() error {
			_, err := namespaces.Patch(ctx, ns, patch.Merge(map[string]any{"metadata": map[string]any{"labels": nil}}))
			return err
		}, func() string {
			n, err := namespaces.Get(ctx, ns)
			if err == nil && (n.Labels["pod-security.kubernetes.io/enforce"] == "" || len(n.OwnerReferences) != 1) {
				return fmt.Sprintf("labels %v, owners %v", n.Labels, n.OwnerReferences)
			}
			return problem(err)
		}},
	}
	for name, tc := range tamper {
		if err := tc.do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		eventually(t, tc.mended)
	}

	// What the spec drops goes, and what it changes changes.
	count := func(namespace string) int {
		list, err := bindings.Namespace(namespace).List(ctx, kubesdk.Labels(v1.LabelUser+"="+alice))
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	if here, there := count(ns), count(other); here != 2 || there != 1 {
		t.Errorf("%d bindings in the user's namespace, %d in the other", here, there)
	}
	left := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "left-by-an-earlier-user", Labels: map[string]string{v1.LabelUser: alice}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
	}
	if _, err := bindings.Namespace(ns).Create(ctx, left); err != nil {
		t.Fatal(err)
	}
	u.Spec.RBAC = nil
	u.Spec.Quotas = &v1.UserQuotas{ResourceQuotaSpec: quota("7").ResourceQuotaSpec}
	if err := u.Update(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit("7"))
	eventually(t, func() string {
		list, err := ranges.List(ctx)
		if err != nil {
			return err.Error()
		}
		if here, there := count(ns), count(other); here != 1 || there != 0 || len(list.Items) != 0 {
			return fmt.Sprintf("%d bindings, %d in the other namespace, %d limit ranges", here, there, len(list.Items))
		}
		return ""
	})

	u.Spec.Quotas = nil
	if err := u.Update(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if _, there, err := quotas.Lookup(ctx, "devserver-user"); there || err != nil {
			return fmt.Sprintf("the quota is there: %v, %v", there, err)
		}
		return ""
	})

	// All of it goes with the user, the data too.
	if err := u.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		_, namespace, err := namespaces.Lookup(ctx, ns)
		if err != nil {
			return err.Error()
		}
		_, binding, err := kubesdk.For[*rbacv1.ClusterRoleBinding](c).Lookup(ctx, "devserver-user-"+alice)
		if namespace || binding || err != nil {
			return fmt.Sprintf("namespace there: %v, cluster role binding there: %v, %v", namespace, binding, err)
		}
		return ""
	})
}

func problem(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestUsersThatCannotBe(t *testing.T) {
	t.Parallel()
	c, ctx := start(t), t.Context()
	namespaces := kubesdk.For[*corev1.Namespace](c)
	makeNamespace := func(t *testing.T, name string) {
		t.Helper()
		if _, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = namespaces.Delete(context.Background(), name) })
	}
	t.Run("another has the username", func(t *testing.T) {
		t.Parallel()
		bob := unique("bob")
		first := create(t, c, bob, v1.DevServerUserSpec{Username: bob})
		await(t, first, v1.UserReady)
		time.Sleep(time.Until(first.CreationTimestamp.Add(time.Second))) // who came first is known by the second
		second := create(t, c, bob+"-again", v1.DevServerUserSpec{Username: bob})
		await(t, second, v1.UserFailed, "spec.username", bob, "DevServerUser "+first.Name)
		if second.Status.Namespace != "" {
			t.Errorf("it names the other's namespace: %+v", second.Status)
		}
		ns, err := namespaces.Get(t.Context(), "dev-"+bob)
		if err != nil || ns.OwnerReferences[0].UID != first.UID {
			t.Errorf("whose namespace is it: %+v, %v", ns, err)
		}
		if err := first.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, second, v1.UserReady)
	})
	t.Run("the namespace is someone else's", func(t *testing.T) {
		t.Parallel()
		carol := unique("carol")
		makeNamespace(t, "dev-"+carol)
		u := create(t, c, carol, v1.DevServerUserSpec{Username: carol})
		await(t, u, v1.UserFailed, "spec.username", "kubectl label namespace dev-"+carol+" devserver.io/user="+carol)
		ns, err := namespaces.Get(t.Context(), "dev-"+carol)
		if err != nil || len(ns.OwnerReferences) != 0 || ns.Labels[v1.LabelUser] != "" {
			t.Errorf("it was taken over: %+v, %v", ns, err)
		}
		if _, err := namespaces.Patch(t.Context(), ns.Name, patch.Merge(map[string]any{"metadata": map[string]any{"labels": map[string]any{v1.LabelUser: carol}}})); err != nil {
			t.Fatal(err)
		}
		await(t, u, v1.UserReady)
	})
	t.Run("a quota that is none", func(t *testing.T) {
		t.Parallel()
		dave := unique("dave")
		u := create(t, c, dave, v1.DevServerUserSpec{Username: dave, Quotas: &v1.UserQuotas{
			ResourceQuotaSpec: &corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"not/a/resource": resource.MustParse("1")}},
		}})
		await(t, u, v1.UserFailed, "spec.quotas.resourceQuotaSpec")
		if _, there, err := kubesdk.For[*rbacv1.RoleBinding](c).Namespace("dev-"+dave).Lookup(t.Context(), "devserver-user"); there || err != nil {
			t.Errorf("the user may work without the quota: %v, %v", there, err)
		}
		u.Spec.Quotas = quota("1")
		if err := u.Update(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, u, v1.UserReady)
	})
	t.Run("a role in a namespace that is not there", func(t *testing.T) {
		t.Parallel()
		erin := unique("erin")
		u := create(t, c, erin, v1.DevServerUserSpec{Username: erin, RBAC: &v1.UserRBAC{
			AdditionalRoleRefs: []v1.RoleRef{{Name: "view", Kind: "ClusterRole"}, {Name: "x", Namespace: "nowhere-" + erin}},
		}})
		await(t, u, v1.UserFailed, "spec.rbac.additionalRoleRefs[1]", "nowhere-"+erin)
		makeNamespace(t, "nowhere-"+erin)
		await(t, u, v1.UserReady)
	})
	t.Run("what a deleted user has left", func(t *testing.T) {
		t.Parallel()
		frank := unique("frank")
		first := create(t, c, frank, v1.DevServerUserSpec{Username: frank, Quotas: quota("3"), RBAC: &v1.UserRBAC{
			AdditionalRoleRefs: []v1.RoleRef{{Name: "view", Kind: "ClusterRole"}},
		}})
		await(t, first, v1.UserReady)
		if err := first.Delete(t.Context(), kubesdk.Propagation(metav1.DeletePropagationOrphan)); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() string {
			if err := first.Refresh(t.Context()); !errors.Is(err, kubesdk.ErrNotFound) {
				return fmt.Sprintf("the user is there: %v", err)
			}
			return ""
		})
		second := create(t, c, frank+"-again", v1.DevServerUserSpec{Username: frank})
		await(t, second, v1.UserReady)
		eventually(t, func() string {
			bindings, err := kubesdk.For[*rbacv1.RoleBinding](c).Namespace("dev-" + frank).List(t.Context())
			if err != nil {
				return err.Error()
			}
			quotas, err := kubesdk.For[*corev1.ResourceQuota](c).Namespace("dev-" + frank).List(t.Context())
			if err != nil || len(bindings.Items) != 1 || len(quotas.Items) != 0 {
				return fmt.Sprintf("%d bindings, %d quotas, %v", len(bindings.Items), len(quotas.Items), err)
			}
			return ""
		})
	})
	t.Run("refused by the API server", func(t *testing.T) {
		t.Parallel()
		for _, username := range []string{"", "Upper", "a_b", "-a", "a.b", strings.Repeat("a", 60)} {
			if _, err := devserver.Users(c).Create(t.Context(), unique("bad"), v1.DevServerUserSpec{Username: username}); err == nil || !strings.Contains(err.Error(), "spec.username") {
				t.Errorf("%q: %v", username, err)
			}
		}
	})
}
