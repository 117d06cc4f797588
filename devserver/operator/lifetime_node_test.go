package operator_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

func (n *onNode) awaitGone(name string) {
	n.t.Helper()
	eventually(n.t, func() string {
		s, ok, err := n.servers.Lookup(n.t.Context(), name)
		if ok || err != nil {
			return fmt.Sprintf("%s is still there: %v, %+v", name, err, s)
		}
		return ""
	})
}

// TestExpiry ends servers at their time, by each of the ways to say when.
func TestExpiry(t *testing.T) {
	t.Parallel()
	n := node(t)
	small := n.small()
	lifecycle := func(l v1.LifecycleSpec) v1.DevServerSpec {
		return v1.DevServerSpec{Flavor: small, Lifecycle: &l, PersistentHome: &v1.PersistentHomeSpec{Enabled: true}}
	}
	n.create("delete", lifecycle(v1.LifecycleSpec{TimeToLive: "15s"}))
	n.create("at", lifecycle(v1.LifecycleSpec{TimeToLive: "9h", ExpiresAt: &metav1.Time{Time: time.Now().Add(15 * time.Second)}}))
	created := n.create("stop", lifecycle(v1.LifecycleSpec{TimeToLive: "20s", OnExpiry: v1.EndActionStop}))
	n.create("never-runs", v1.DevServerSpec{Flavor: "absent", Lifecycle: &v1.LifecycleSpec{TimeToLive: "5s"}})

	n.awaitGone("never-runs")
	n.awaitGone("delete")
	n.awaitGone("at")
	n.awaitEvent("delete", corev1.EventTypeWarning, v1.ConditionExpiring, "will be deleted at", "its time to live is 15s")
	n.awaitEvent("delete", corev1.EventTypeWarning, v1.ReasonExpired, "deleted, as its time to live is 15s")
	n.awaitEvent("at", corev1.EventTypeWarning, v1.ReasonExpired, "spec.lifecycle.expiresAt")

	s := n.awaitPhase("stop", v1.PhaseStopped)
	if s.Status.Reason != v1.ReasonExpired || *s.Spec.Running || s.Status.ExpiresAt != nil {
		t.Errorf("an expired server is %+v, running %v", s.Status, *s.Spec.Running)
	}
	if early := time.Until(created.CreationTimestamp.Add(20 * time.Second)); early > 0 {
		t.Errorf("it was stopped %v too early", early)
	}
	n.awaitEvent("stop", corev1.EventTypeWarning, v1.ReasonExpired, "stopped, as its time to live is 20s")
	n.change("stop", func(s *v1.DevServer) { s.Spec.Running = new(true); s.Spec.Lifecycle.TimeToLive = "1h" })
	s = n.awaitPhase("stop", v1.PhaseRunning)
	if got := s.Status.ExpiresAt.Sub(s.Status.ResumedAt.Time); got != time.Hour {
		t.Errorf("a resumed server expires %v after it was resumed, want 1h", got)
	}
	n.awaitEvent("stop", corev1.EventTypeNormal, "Resumed")
}

// TestIdle stops a server that nobody uses, and none that somebody does.
func TestIdle(t *testing.T) {
	t.Parallel()
	n := node(t)
	small := n.small()
	spec := v1.DevServerSpec{Flavor: small, Lifecycle: &v1.LifecycleSpec{IdleTimeout: "10s"}}
	n.create("idle", spec)
	n.create("busy", spec)
	n.awaitPhase("busy", v1.PhaseRunning)
	use := func() {
		n.change("busy", func(s *v1.DevServer) {
			s.Annotations = map[string]string{v1.AnnotationLastActivity: time.Now().UTC().Format(time.RFC3339)}
		})
	}
	use()
	eventually(t, func() string {
		use()
		s, err := n.servers.Get(t.Context(), "idle")
		if err != nil || s.Status.Phase != v1.PhaseStopped {
			return fmt.Sprintf("idle is %v, %+v", err, s)
		}
		return ""
	})
	s := n.says("idle", v1.ReasonIdle, "its idle timeout is 10s", "set spec.running to true")
	if s.Status.Phase != v1.PhaseStopped {
		t.Errorf("an idle server is %+v", s.Status)
	}
	n.awaitEvent("idle", corev1.EventTypeWarning, v1.ConditionExpiring, "will be stopped at")
	n.awaitEvent("idle", corev1.EventTypeWarning, v1.ReasonIdle, "stopped, as its idle timeout is 10s")
	busy, err := n.servers.Get(t.Context(), "busy")
	if err != nil || busy.Status.Phase != v1.PhaseRunning || busy.Status.LastActivityTime == nil || !busy.Status.LastActivityTime.After(busy.Status.StartedAt.Time) {
		t.Errorf("a server in use is %v, %+v", err, busy.Status)
	}
	if c := meta.FindStatusCondition(busy.Status.Conditions, v1.ConditionExpiring); c != nil && c.Reason == v1.ReasonIdle && time.Since(busy.Status.LastActivityTime.Time) < 5*time.Second {
		t.Errorf("a server in use is about to be stopped: %+v", c)
	}
	n.change("idle", func(s *v1.DevServer) { s.Spec.Running = new(true) })
	n.awaitPhase("idle", v1.PhaseRunning) // the idle time counts anew
	n.awaitPhase("busy", v1.PhaseStopped) // and nobody uses this one any more
}
