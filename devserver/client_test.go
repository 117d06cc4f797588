package devserver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/patch"
)

// These tests need no pods: they stand in for the operator and write the status themselves.

// operate writes a status to each new DevServer of the namespace.
func operate(t *testing.T, c *kubesdk.Client, namespace string, status v1.DevServerStatus) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	servers := kubesdk.For[*v1.DevServer](c).Namespace(namespace)
	go func() {
		defer close(done)
		for e, err := range servers.Watch(ctx) {
			if err != nil || e.Type != kubesdk.Added {
				continue
			}
			s := status
			s.ObservedGeneration = e.Object.Generation
			for i := range s.Conditions {
				s.Conditions[i].ObservedGeneration, s.Conditions[i].LastTransitionTime = e.Object.Generation, metav1.Now()
			}
			if _, err := servers.Status().Patch(ctx, e.Object.Name, patch.Merge(map[string]any{"status": s})); err != nil && !errors.Is(err, kubesdk.ErrNotFound) && ctx.Err() == nil {
				t.Errorf("set the status: %v", err)
			}
		}
	}()
}

func mustBeGone(t *testing.T, c *kubesdk.Client, namespace string) {
	t.Helper()
	left, err := devserver.For(c).Namespace(namespace).List(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("%d servers are left, %v", len(left), err)
	}
}

func mustSay(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

var spec = v1.DevServerSpec{Flavor: "cpu-small", Image: "busybox:1"}

func TestRunDeletesWhateverHappens(t *testing.T) {
	t.Parallel()
	c := devtest.Start(t).Client
	errFn := errors.New("the function's own")
	running := v1.DevServerStatus{Phase: v1.PhaseRunning}
	ok := func(context.Context, *devserver.Server) error { return nil }
	tests := map[string]struct {
		status v1.DevServerStatus
		fn     func(ctx context.Context, s *devserver.Server) error
		opts   []devserver.RunOption
		check  func(t *testing.T, err error)
	}{
		"success": {status: running, fn: func(_ context.Context, s *devserver.Server) error {
			if s.Status.Phase != v1.PhaseRunning || s.UID == "" {
				return fmt.Errorf("the function got %+v", s.Object)
			}
			return nil
		}, check: func(t *testing.T, err error) {
			if err != nil {
				t.Error(err)
			}
		}},
		"error": {status: running, fn: func(context.Context, *devserver.Server) error { return errFn }, check: func(t *testing.T, err error) {
			if !errors.Is(err, errFn) || err.Error() != errFn.Error() {
				t.Errorf("got %v", err)
			}
		}},
		"deleted by the function": {status: running, fn: func(ctx context.Context, s *devserver.Server) error { return s.Delete(ctx) }, check: func(t *testing.T, err error) {
			if err != nil {
				t.Error(err)
			}
		}},
		"forgotten by the function": {status: running, fn: func(_ context.Context, s *devserver.Server) error { *s = devserver.Server{}; return nil }, check: func(t *testing.T, err error) {
			if err != nil {
				t.Error(err)
			}
		}},
		"timeout": {
			status: v1.DevServerStatus{Phase: v1.PhasePending, Reason: "Unschedulable", Message: "no node has 64 CPUs"},
			fn:     ok, opts: []devserver.RunOption{devserver.WaitTimeout(500 * time.Millisecond)},
			check: func(t *testing.T, err error) {
				mustSay(t, err, "not Running", "Pending (Unschedulable): no node has 64 CPUs", "deadline")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is no context.DeadlineExceeded", err)
				}
			},
		},
		"failed": {
			status: v1.DevServerStatus{Phase: v1.PhaseFailed, Reason: "ImagePullFailed", Message: "busybox:1 cannot be pulled"},
			fn:     ok,
			check: func(t *testing.T, err error) {
				mustSay(t, err, "it has failed", "ImagePullFailed", "busybox:1 cannot be pulled")
				var notRunning *devserver.NotRunningError
				if !errors.As(err, &notRunning) || notRunning.Status.Phase != v1.PhaseFailed {
					t.Errorf("%v is no NotRunningError with the status", err)
				}
			},
		},
		"invalid": {
			status: v1.DevServerStatus{Phase: v1.PhasePending, Conditions: []metav1.Condition{{
				Type: v1.ConditionValid, Status: metav1.ConditionFalse, Reason: "FlavorNotFound", Message: "spec.flavor: there is no flavor cpu-small",
			}}},
			fn:    ok,
			check: func(t *testing.T, err error) { mustSay(t, err, "cannot be met", "FlavorNotFound", "spec.flavor") },
		},
		"no operator": {
			fn: ok, opts: []devserver.RunOption{devserver.WaitTimeout(500 * time.Millisecond)},
			check: func(t *testing.T, err error) { mustSay(t, err, "is devserver-operator running") },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := kubetest.Namespace(t, c)
			if tc.status.Phase != "" {
				operate(t, c, ns, tc.status)
			}
			tc.check(t, devserver.For(c).Namespace(ns).Run(t.Context(), "s", spec, tc.fn, tc.opts...))
			mustBeGone(t, c, ns)
		})
	}
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		ns := kubetest.Namespace(t, c)
		operate(t, c, ns, running)
		defer func() {
			if v := recover(); v != "as planned" {
				t.Errorf("recovered %v", v)
			}
			mustBeGone(t, c, ns)
		}()
		_ = devserver.For(c).Namespace(ns).Run(t.Context(), "s", spec, func(context.Context, *devserver.Server) error { panic("as planned") })
	})
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		ns := kubetest.Namespace(t, c)
		operate(t, c, ns, running)
		ctx, cancel := context.WithCancel(t.Context())
		err := devserver.For(c).Namespace(ns).Run(ctx, "s", spec, func(ctx context.Context, _ *devserver.Server) error {
			cancel()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		mustBeGone(t, c, ns)
		if err := devserver.For(c).Namespace(ns).Run(ctx, "s", spec, ok); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
	t.Run("cancel while waiting", func(t *testing.T) {
		t.Parallel()
		ns := kubetest.Namespace(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for e := range devserver.For(c).Namespace(ns).Watch(t.Context()) {
				if e.Type == kubesdk.Added {
					cancel()
					return
				}
			}
		}()
		if err := devserver.For(c).Namespace(ns).Run(ctx, "s", spec, ok); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		mustBeGone(t, c, ns)
	})
}

func TestRunUnderFaults(t *testing.T) {
	t.Parallel()
	cluster := devtest.Start(t)
	tests := map[string]struct {
		sabotage func(p *faultproxy.Proxy)
		check    func(t *testing.T, ran bool, err error)
	}{
		"the answer to the create is lost": {
			func(p *faultproxy.Proxy) { p.Fail(1, faultproxy.Method("POST"), faultproxy.Lose) },
			func(t *testing.T, ran bool, err error) {
				if !ran || err != nil {
					t.Errorf("ran: %v, %v", ran, err)
				}
			},
		},
		"the answers to all creates are lost": {
			func(p *faultproxy.Proxy) { p.Fail(-1, faultproxy.Method("POST"), faultproxy.Lose) },
			func(t *testing.T, ran bool, err error) {
				if ran {
					t.Error("it ran")
				}
				mustSay(t, err, "DevServer s, and delete it")
			},
		},
		"deletes fail for a while": {
			func(p *faultproxy.Proxy) { p.Fail(6, faultproxy.Method("DELETE"), faultproxy.Answer(503)) },
			func(t *testing.T, ran bool, err error) {
				if !ran || err != nil {
					t.Errorf("ran: %v, %v", ran, err)
				}
			},
		},
		"deletes are refused": {
			func(p *faultproxy.Proxy) { p.Fail(-1, faultproxy.Method("DELETE"), faultproxy.Answer(403)) },
			func(t *testing.T, ran bool, err error) {
				if !ran {
					t.Error("it did not run")
				}
				mustSay(t, err, "may be left behind", "403")
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := kubetest.Namespace(t, cluster.Client)
			operate(t, cluster.Client, ns, v1.DevServerStatus{Phase: v1.PhaseRunning})
			p := faultproxy.Start(t, cluster.Config())
			c, err := kubesdk.New(p.Config())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			tc.sabotage(p)
			ran := false
			err = devserver.For(c).Namespace(ns).Run(t.Context(), "s", spec, func(context.Context, *devserver.Server) error { ran = true; return nil })
			tc.check(t, ran, err)
			if strings.HasSuffix(name, "refused") || strings.Contains(name, "all creates") {
				return
			}
			mustBeGone(t, cluster.Client, ns)
		})
	}
	t.Run("another's server has the name", func(t *testing.T) {
		t.Parallel()
		ns := kubetest.Namespace(t, cluster.Client)
		servers := devserver.For(cluster.Client).Namespace(ns)
		if _, err := servers.Create(t.Context(), "s", spec); err != nil {
			t.Fatal(err)
		}
		err := servers.Run(t.Context(), "s", spec, func(context.Context, *devserver.Server) error { return nil })
		if !errors.Is(err, kubesdk.ErrAlreadyExists) {
			t.Errorf("got %v", err)
		}
		if _, err := servers.Get(t.Context(), "s"); err != nil {
			t.Errorf("another's server was deleted: %v", err)
		}
	})
}

func TestWorkspace(t *testing.T) {
	t.Parallel()
	cluster := devtest.Start(t)
	ns := kubetest.Namespace(t, cluster.Client)
	servers := devserver.For(cluster.Client).Namespace(ns)
	never := func(context.Context, *devserver.Server) error { t.Error("it ran"); return nil }
	missing := filepath.Join(t.TempDir(), "missing")
	err := servers.Run(t.Context(), "s", spec, never, devserver.Workspace(map[string]string{missing: "/workspace"}))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a local folder that is missing: %v", err)
	}
	err = servers.Run(t.Context(), "s", spec, never, devserver.Workspace(map[string]string{t.TempDir(): "project"}))
	mustSay(t, err, "absolute", "/home/dev/project")
	mustBeGone(t, cluster.Client, ns)
	s, err := servers.Create(t.Context(), "s", spec)
	if err != nil {
		t.Fatal(err)
	}
	mustSay(t, s.Sync(t.Context()), "Workspace")
}

func TestDefaultFlavor(t *testing.T) {
	t.Parallel()
	// Flavors belong to the whole cluster: another one than that of the other tests.
	cluster := kubetest.StartNamed(t, "kubetest-second")
	devtest.Install(t, cluster)
	c, ctx := cluster.Client, t.Context()
	ns := kubetest.Namespace(t, c)
	flavors := devserver.Flavors(c)
	for _, name := range []string{"flavor-a", "flavor-b"} {
		_ = flavors.Delete(ctx, name)
		t.Cleanup(func() { _ = flavors.Delete(context.Background(), name) })
	}
	create := func(name string) (string, error) {
		s, err := devserver.For(c).Namespace(ns).Create(ctx, name, v1.DevServerSpec{})
		if err != nil {
			return "", err
		}
		return s.Spec.Flavor, nil
	}
	_, err := create("none")
	mustSay(t, err, "the cluster has none", "DevServerFlavor")
	a, err := flavors.Create(ctx, "flavor-a", v1.DevServerFlavorSpec{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = create("no-default")
	mustSay(t, err, "none is the default", "flavor-a")
	a.Spec.Default = true
	if err := a.Update(ctx); err != nil {
		t.Fatal(err)
	}
	if flavor, err := create("one"); flavor != "flavor-a" || err != nil {
		t.Errorf("got %q, %v", flavor, err)
	}
	if _, err := flavors.Create(ctx, "flavor-b", v1.DevServerFlavorSpec{Default: true}); err != nil {
		t.Fatal(err)
	}
	_, err = create("two")
	mustSay(t, err, "flavor-a, flavor-b")
	var config *customresource.ConfigError
	if !errors.As(err, &config) {
		t.Errorf("%v is no ConfigError", err)
	}
}

func TestServers(t *testing.T) {
	t.Parallel()
	c, ctx := devtest.Start(t).Client, t.Context()
	servers := devserver.For(c).Namespace(kubetest.Namespace(t, c))
	made, err := servers.CreateObject(ctx, &devserver.Object{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"team": "x"}},
		Spec:       v1.DevServerSpec{Flavor: "f", PersistentHome: &v1.PersistentHomeSpec{Enabled: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := servers.Create(ctx, "b", spec); err != nil {
		t.Fatal(err)
	}
	names := func(opts ...kubesdk.ListOption) []string {
		list, err := servers.List(ctx, opts...)
		if err != nil {
			t.Fatal(err)
		}
		var listed, streamed []string
		for _, s := range list {
			listed = append(listed, s.Name)
		}
		for s, err := range servers.All(ctx, opts...) {
			if err != nil {
				t.Fatal(err)
			}
			streamed = append(streamed, s.Name)
		}
		if diff := cmp.Diff(listed, streamed); diff != "" {
			t.Errorf("List and All differ: %s", diff)
		}
		return listed
	}
	if diff := cmp.Diff([]string{"a", "b"}, names()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a"}, names(kubesdk.Labels("team=x"))); diff != "" {
		t.Error(diff)
	}
	made.Spec.PersistentHome = nil
	if err := made.Update(ctx); err != nil {
		t.Fatal(err)
	}
	if err := made.Patch(ctx, patch.Merge(map[string]any{"spec": map[string]any{"lifecycle": map[string]any{"timeToLive": "8h"}}})); err != nil {
		t.Fatal(err)
	}
	again, err := servers.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made.Spec, again.Spec); diff != "" || again.Spec.PersistentHome != nil || again.Spec.Lifecycle.TimeToLive != "8h" {
		t.Errorf("after the update and the patch: %+v %s", again.Spec, diff)
	}
	for _, line := range []string{"", "ps aux | grep x", "'"} {
		if _, err := again.CommandLine(line); err == nil {
			t.Errorf("the command line %q was taken", line)
		}
	}
	if cmd, err := again.CommandLine("echo 'hello from inside'"); err != nil || !cmp.Equal(cmd.Args, []string{"echo", "hello from inside"}) {
		t.Errorf("got %v, %v", cmd, err)
	}
	if err := servers.Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []devserver.Servers{devserver.For(nil).Namespace("default"), {}} {
		var config *customresource.ConfigError
		if _, err := broken.Create(ctx, "x", v1.DevServerSpec{}); !errors.As(err, &config) {
			t.Errorf("without a client: %v", err)
		}
	}
	if _, err := devserver.For(c).Get(ctx, "a"); err == nil || !strings.Contains(err.Error(), "Namespace(...)") {
		t.Errorf("without a namespace: %v", err)
	}
}

func TestKeepActive(t *testing.T) {
	t.Parallel()
	c, ctx := devtest.Start(t).Client, t.Context()
	servers := devserver.For(c).Namespace(kubetest.Namespace(t, c))
	s, err := servers.Create(ctx, "s", v1.DevServerSpec{Flavor: "f", Lifecycle: &v1.LifecycleSpec{IdleTimeout: "3s"}})
	if err != nil {
		t.Fatal(err)
	}
	marked := func() string {
		if err := s.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		return s.Annotations[v1.AnnotationLastActivity]
	}
	before := time.Now().Truncate(time.Second)
	stop := s.KeepActive(ctx)
	first := marked()
	if at, err := time.Parse(time.RFC3339, first); err != nil || at.Before(before) {
		t.Errorf("the mark is %q, %v", first, err)
	}
	for deadline := time.Now().Add(time.Minute); marked() == first; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was marked only once")
		}
	}
	stop()
	last := s.ResourceVersion
	time.Sleep(1500 * time.Millisecond) // longer than between two marks
	if marked(); s.ResourceVersion != last {
		t.Error("it is marked after the end")
	}

	without, err := servers.Create(ctx, "without", spec)
	if err != nil {
		t.Fatal(err)
	}
	without.KeepActive(ctx)()
	if err := without.Refresh(ctx); err != nil || len(without.Annotations) > 0 {
		t.Errorf("without an idle timeout: %v, %v", without.Annotations, err)
	}
}
