package devserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/pod"
)

// patience is for what a loaded machine may take.
const patience = 3 * time.Minute

// TestUserWorks is the day of a user: all with the kubeconfig that was issued to them.
func TestUserWorks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	alice := issue(t, inCluster(t), unique("alice"), &v1.UserQuotas{
		ResourceQuotaSpec: &corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
	})
	ns := alice.Namespace()

	// A claim of their own, and a server with it. The flavors are there to choose from.
	claims := kubesdk.For[*corev1.PersistentVolumeClaim](alice.Client).Namespace(ns)
	if _, err := claims.Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("16Mi")}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	flavors, err := devserver.Flavors(alice.Client).List(ctx)
	if err != nil || !slices.ContainsFunc(flavors, func(f *customresource.Object[v1.DevServerFlavorSpec, v1.DevServerFlavorStatus]) bool {
		return f.Name == devtest.Flavor
	}) {
		t.Fatalf("flavors: %v, %v", flavors, err)
	}
	s, err := alice.servers.Create(ctx, "work", v1.DevServerSpec{
		Flavor: devtest.Flavor, Volumes: []v1.VolumeSpec{{ClaimName: "data", MountPath: "/data"}},
		Lifecycle: &v1.LifecycleSpec{IdleTimeout: "1h"},
	})
	if err != nil {
		t.Fatal(err)
	}
	within(t, patience, s.WaitUntilRunning)

	list, err := alice.servers.List(ctx)
	if err != nil || len(list) != 1 || list[0].Name != "work" {
		t.Errorf("the list is %v, %v", list, err)
	}
	for e, err := range alice.servers.Watch(ctx) {
		if err != nil || e.Object.Name != "work" {
			t.Errorf("the watch brings %+v, %v", e, err)
		}
		break
	}
	usesPods(t, alice.Client, s)
	movesFiles(t, s)

	events, err := kubesdk.For[*corev1.Event](alice.Client).Namespace(ns).List(ctx)
	if err != nil || len(events.Items) == 0 {
		t.Errorf("%d events, %v", len(events.Items), err)
	}
	if _, err := kubesdk.For[*corev1.ResourceQuota](alice.Client).Namespace(ns).List(ctx); err != nil {
		t.Error(err)
	}

	// The quota holds, and the status says so.
	second, err := alice.servers.Create(ctx, "too-much", v1.DevServerSpec{Flavor: devtest.Flavor})
	if err != nil {
		t.Fatal(err)
	}
	within(t, patience, func(ctx context.Context) error {
		return second.WaitUntilStatus(ctx, map[string]any{"reason": v1.ReasonQuotaExceeded})
	})
	if err := s.Refresh(ctx); err != nil || s.Annotations[v1.AnnotationLastActivity] == "" {
		t.Errorf("nobody marked the use of the server: %v, %v", s.Annotations, err)
	}
	if err := second.Delete(ctx); err != nil {
		t.Error(err)
	}

	// Stopped and resumed, it finds what was left on the claim.
	if err := s.Patch(ctx, patch.Merge(map[string]any{"spec": map[string]any{"running": false}})); err != nil {
		t.Fatal(err)
	}
	within(t, patience, func(ctx context.Context) error {
		return s.WaitUntilStatus(ctx, map[string]any{"phase": v1.PhaseStopped})
	})
	if err := s.WaitUntilRunning(ctx); err == nil || !strings.Contains(err.Error(), "spec.running") {
		t.Errorf("to wait for a stopped server: %v", err)
	}
	s.Spec.Running = new(true)
	if err := s.Update(ctx); err != nil {
		t.Fatal(err)
	}
	within(t, patience, s.WaitUntilRunning)
	if out, err := s.Command("cat", "/data/kept").Output(ctx); err != nil || string(out) != "kept\n" {
		t.Errorf("after the resume the claim has %q, %v", out, err)
	}

	if err := s.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	within(t, patience, func(ctx context.Context) error {
		for {
			pods, err := kubesdk.For[*corev1.Pod](alice.Client).Namespace(ns).List(ctx)
			if err != nil || len(pods.Items) == 0 {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	if _, err := claims.Get(ctx, "data"); err != nil {
		t.Errorf("the user's claim: %v", err)
	}
	if err := claims.Delete(ctx, "data"); err != nil {
		t.Error(err)
	}
}

// usesPods is what is done in a server: commands, logs, forwarded ports, attaching.
func usesPods(t *testing.T, c *kubesdk.Client, s *devserver.Server) {
	t.Helper()
	ctx := t.Context()
	if out, err := s.Shell("echo kept > /data/kept; mkdir -p www; echo served > www/index.html; httpd -p 8080 -h www; echo logged > /proc/1/fd/1; id -u").Output(ctx); err != nil || string(out) != "1000\n" {
		t.Fatalf("a script gives %q, %v", out, err)
	}
	within(t, patience, func(ctx context.Context) error {
		for line, err := range pod.Logs(ctx, s.Target(), pod.LogOptions{Follow: true}) { // the runtime may take its time to write
			if err != nil || line.Text == "logged" {
				return err
			}
		}
		return errors.New("the log lacks what was logged")
	})
	forwarder, err := pod.Forward(ctx, s.Target(), pod.ForwardOptions{Port: 8080})
	if err != nil {
		t.Fatal(err)
	}
	defer forwarder.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+forwarder.Addr().String()+"/index.html", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "served\n" {
		t.Errorf("the forwarded port gives %q, %v", body, err)
	}
	attached, cancel := context.WithCancel(ctx)
	cmd := pod.Attach(s.Target())
	if err := cmd.Start(attached); err != nil {
		t.Errorf("attach: %v", err)
		cancel()
		return
	}
	cancel()
	_ = cmd.Wait() // cancelled
	if _, err := kubesdk.For[*corev1.Pod](c).Namespace(s.Namespace).Get(ctx, s.Status.PodName); err != nil {
		t.Error(err)
	}
}

// movesFiles copies to and from the server, and syncs.
func movesFiles(t *testing.T, s *devserver.Server) {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "project/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"project/main.go": "package main", "project/sub/x": "x", ".bashrc": "alias ll='ls -l'"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Workspace = map[string]string{filepath.Join(dir, "project"): "/home/dev/project", filepath.Join(dir, ".bashrc"): "/home/dev/"}
	if err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Shell("cat project/main.go project/sub/x .bashrc").Output(ctx); err != nil || string(out) != "package mainxalias ll='ls -l'" {
		t.Errorf("after the sync the server has %q, %v", out, err)
	}
	back := filepath.Join(dir, "back")
	if _, err := pod.CopyFrom(ctx, s.Target(), "/home/dev/project", back, pod.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(back, "main.go")); err != nil || string(got) != "package main" {
		t.Errorf("what was copied back is %q, %v", got, err)
	}
	s.Workspace[filepath.Join(dir, "missing")] = "/home/dev/missing"
	if err := s.Sync(ctx); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a sync of what is not there: %v", err)
	}
}

// everything is all that can be done to a kind of object.
var everything = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// changes is everything but reading.
var changes = everything[3:]

// TestUserIsRefused tries what is not theirs, one request for each verb.
func TestUserIsRefused(t *testing.T) {
	t.Parallel()
	cluster := inCluster(t)
	alice, bob := issue(t, cluster, unique("alice"), nil), issue(t, cluster, unique("bob"), nil)
	theirs, err := bob.servers.Create(t.Context(), "private", v1.DevServerSpec{Flavor: devtest.Flavor})
	if err != nil {
		t.Fatal(err)
	}
	within(t, patience, theirs.WaitUntilRunning)

	const rbac, apps = "rbac.authorization.k8s.io", "apps"
	tests := []struct {
		namespace string
		group     string
		resources []string
		verbs     []string
	}{
		// Another user's, servers first.
		{bob.Namespace(), "devserver.io", []string{"devservers"}, everything},
		{bob.Namespace(), "devserver.io", []string{"devservers/status"}, []string{"get", "update", "patch"}},
		{bob.Namespace(), "", []string{"pods", "persistentvolumeclaims", "events", "secrets", "configmaps", "services", "serviceaccounts", "resourcequotas", "limitranges"}, everything},
		{bob.Namespace(), "", []string{"pods/log"}, []string{"get"}},
		{bob.Namespace(), rbac, []string{"roles", "rolebindings"}, everything},
		// The operator's, and the cluster's.
		{devtest.Namespace, "", []string{"pods", "secrets", "configmaps"}, everything},
		{"kube-system", "", []string{"pods", "secrets", "configmaps"}, everything},
		{"", "devserver.io", []string{"devserverusers"}, everything},
		{"", "devserver.io", []string{"devserverflavors"}, changes},
		{"", "devserver.io", []string{"devserverflavors/status", "devserverusers/status"}, []string{"patch"}},
		{"", "", []string{"nodes", "namespaces", "persistentvolumes"}, everything},
		{"", rbac, []string{"clusterroles", "clusterrolebindings"}, everything},
		{"", "apiextensions.k8s.io", []string{"customresourcedefinitions"}, everything},
		{"", "", []string{"pods", "secrets", "persistentvolumeclaims"}, []string{"list", "watch"}}, // of all namespaces
		{"", "devserver.io", []string{"devservers"}, []string{"list", "watch"}},
		// In their own namespace: what would give them more, bring out secrets, or go past the operator.
		{alice.Namespace(), rbac, []string{"roles", "rolebindings"}, everything},
		{alice.Namespace(), "", []string{"secrets", "configmaps", "services", "serviceaccounts"}, everything},
		{alice.Namespace(), "", []string{"serviceaccounts/token"}, []string{"create"}},
		{alice.Namespace(), "", []string{"resourcequotas", "limitranges", "pods", "events"}, changes},
		{alice.Namespace(), "", []string{"pods/ephemeralcontainers", "pods/status"}, []string{"patch"}},
		{alice.Namespace(), "", []string{"pods/eviction"}, []string{"create"}},
		{alice.Namespace(), "", []string{"persistentvolumeclaims"}, []string{"update", "patch", "deletecollection"}},
		{alice.Namespace(), "devserver.io", []string{"devservers/status"}, []string{"update", "patch"}},
		{alice.Namespace(), "devserver.io", []string{"devservers"}, []string{"deletecollection"}},
		{alice.Namespace(), apps, []string{"deployments", "statefulsets", "daemonsets"}, everything},
		{alice.Namespace(), "batch", []string{"jobs", "cronjobs"}, everything},
	}
	for _, tc := range tests {
		for _, res := range tc.resources {
			for _, verb := range tc.verbs {
				if err := attempt(t.Context(), alice.Client, verb, tc.group, res, tc.namespace, theirs.Name); !errors.Is(err, kubesdk.ErrForbidden) {
					t.Errorf("%s %s.%s in %q is not forbidden: %v", verb, res, tc.group, tc.namespace, err)
				}
			}
		}
	}

	t.Run("another's pod", func(t *testing.T) {
		target := pod.Named(alice.Client, bob.Namespace(), theirs.Status.PodName).Container("devserver")
		for what, do := range map[string]func() error{
			"exec":   func() error { return pod.Command(target, "id").Run(t.Context()) },
			"attach": func() error { return pod.Attach(target).Run(t.Context()) },
			"forward": func() error {
				f, err := pod.Forward(t.Context(), target, pod.ForwardOptions{Port: 8080})
				if err == nil {
					f.Close()
				}
				return err
			},
			"copy": func() error {
				_, err := pod.CopyFrom(t.Context(), target, "/etc", t.TempDir(), pod.CopyOptions{})
				return err
			},
		} {
			if err := do(); !errors.Is(err, kubesdk.ErrForbidden) {
				t.Errorf("%s is not forbidden: %v", what, err)
			}
		}
	})
	t.Run("as someone else", func(t *testing.T) {
		config := alice.Config()
		config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + bob.Namespace() + ":default"}
		c, err := kubesdk.New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := devserver.For(c).Namespace(bob.Namespace()).List(t.Context()); !errors.Is(err, kubesdk.ErrForbidden) {
			t.Errorf("impersonation is not forbidden: %v", err)
		}
	})
	t.Run("a kubeconfig for another address", func(t *testing.T) {
		issued, err := devserver.IssueKubeconfig(t.Context(), cluster.Client, strings.TrimPrefix(alice.Namespace(), "dev-"), devserver.KubeconfigOptions{
			Server: "https://kubernetes.example:6443", Context: "mine",
		})
		if err != nil {
			t.Fatal(err)
		}
		config, err := clientcmd.Load(issued.Data)
		if err != nil {
			t.Fatal(err)
		}
		if config.CurrentContext != "mine" || config.Clusters["mine"].Server != "https://kubernetes.example:6443" ||
			len(config.Clusters["mine"].CertificateAuthorityData) == 0 || config.Contexts["mine"].Namespace != alice.Namespace() {
			t.Errorf("got %s", issued.Data)
		}
	})
	if out, err := theirs.Command("echo", "undisturbed").Output(t.Context()); err != nil || string(out) != "undisturbed\n" {
		t.Errorf("in the end the other's server says %q, %v", out, err)
	}
}

// attempt makes one request.
func attempt(ctx context.Context, c *kubesdk.Client, verb, group, res, namespace, name string) error {
	plural, subresource, _ := strings.Cut(res, "/")
	version := "v1"
	gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: "Anything"}
	handle := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: gvk, Plural: plural, Namespaced: namespace != "" || !clusterScoped[plural]}))
	if namespace != "" {
		handle = handle.Namespace(namespace)
	}
	if subresource != "" {
		handle = handle.Subresource(subresource)
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(gvk)
	obj.SetName(name)
	var err error
	switch verb {
	case "get":
		_, err = handle.Get(ctx, name)
	case "list":
		_, err = handle.List(ctx)
	case "watch":
		for _, err := range handle.WatchOnce(ctx) {
			return err
		}
	case "create":
		_, err = handle.Create(ctx, obj)
	case "update":
		_, err = handle.Replace(ctx, obj)
	case "patch":
		_, err = handle.Patch(ctx, name, patch.Merge(map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}))
	case "delete":
		err = handle.Delete(ctx, name)
	case "deletecollection":
		err = handle.DeleteAll(ctx)
	default:
		err = fmt.Errorf("no verb %s", verb)
	}
	return err
}

var clusterScoped = map[string]bool{
	"devserverusers": true, "devserverflavors": true, "nodes": true, "namespaces": true, "persistentvolumes": true,
	"clusterroles": true, "clusterrolebindings": true, "customresourcedefinitions": true,
}

// TestKubeconfig is what an administrator may do wrong.
func TestKubeconfig(t *testing.T) {
	t.Parallel()
	c := devtest.Start(t).Client
	_, err := devserver.IssueKubeconfig(t.Context(), c, "nobody", devserver.KubeconfigOptions{})
	if !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("for a user that does not exist: %v", err)
	}
	name := unique("pending")
	if _, err := devserver.Users(c).Create(t.Context(), name, v1.DevServerUserSpec{Username: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = devserver.Users(c).Delete(context.Background(), name) })
	_, err = devserver.IssueKubeconfig(t.Context(), c, name, devserver.KubeconfigOptions{})
	mustSay(t, err, name, "devserver-operator")
}
