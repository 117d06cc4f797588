package server

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

func TestLifetime(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: created.Add(d)} }
	tests := map[string]struct {
		spec     devserverv1.LifecycleSpec
		stopped  bool
		status   devserverv1.DevServerStatus
		activity string
		default0 bool // the operator's default is for ever
		now      time.Duration
		end      time.Duration // after creation; 0: none
		action   devserverv1.EndAction
		reason   string
		warn     time.Duration
		wake     time.Duration // after now
	}{
		"default":          {end: 24 * time.Hour, action: "Delete", reason: "Expired", warn: 24*time.Hour - 5*time.Minute, wake: 24*time.Hour - 5*time.Minute},
		"for ever":         {default0: true},
		"own":              {spec: devserverv1.LifecycleSpec{TimeToLive: "10m", OnExpiry: "Stop"}, end: 10 * time.Minute, action: "Stop", reason: "Expired", warn: 9 * time.Minute, wake: 9 * time.Minute},
		"warned":           {spec: devserverv1.LifecycleSpec{TimeToLive: "10m"}, now: 9*time.Minute + time.Second, end: 10 * time.Minute, action: "Delete", reason: "Expired", warn: 9 * time.Minute, wake: 59 * time.Second},
		"resumed":          {spec: devserverv1.LifecycleSpec{TimeToLive: "10m"}, status: devserverv1.DevServerStatus{ResumedAt: at(time.Hour)}, end: 70 * time.Minute, action: "Delete", reason: "Expired", warn: 69 * time.Minute, wake: 69 * time.Minute},
		"at a time":        {spec: devserverv1.LifecycleSpec{TimeToLive: "10m", ExpiresAt: at(time.Hour)}, end: time.Hour, action: "Delete", reason: "Expired", warn: 55 * time.Minute, wake: 55 * time.Minute},
		"stopped":          {spec: devserverv1.LifecycleSpec{TimeToLive: "10m"}, stopped: true},
		"stopped, at time": {spec: devserverv1.LifecycleSpec{ExpiresAt: at(time.Hour)}, stopped: true, end: time.Hour, action: "Delete", reason: "Expired", warn: 55 * time.Minute, wake: 55 * time.Minute},
		"stopped, to stop": {spec: devserverv1.LifecycleSpec{ExpiresAt: at(time.Hour), OnExpiry: "Stop"}, stopped: true},
		"idle, not ready":  {spec: devserverv1.LifecycleSpec{IdleTimeout: "10m"}, end: 24 * time.Hour, action: "Delete", reason: "Expired", warn: 24*time.Hour - 5*time.Minute, wake: 24*time.Hour - 5*time.Minute},
		"idle":             {spec: devserverv1.LifecycleSpec{IdleTimeout: "10m"}, status: devserverv1.DevServerStatus{StartedAt: at(time.Minute)}, now: time.Minute, end: 11 * time.Minute, action: "Stop", reason: "Idle", warn: 10 * time.Minute, wake: 9 * time.Minute},
		"used":             {spec: devserverv1.LifecycleSpec{IdleTimeout: "10m", OnIdle: "Delete"}, status: devserverv1.DevServerStatus{StartedAt: at(0)}, activity: "2026-01-02T03:30:00Z", now: 30 * time.Minute, end: 40 * time.Minute, action: "Delete", reason: "Idle", warn: 39 * time.Minute, wake: 9 * time.Minute},
		"used in future":   {spec: devserverv1.LifecycleSpec{IdleTimeout: "10m"}, status: devserverv1.DevServerStatus{StartedAt: at(0)}, activity: "2036-01-02T03:30:00Z", now: 5 * time.Minute, end: 15 * time.Minute, action: "Stop", reason: "Idle", warn: 14 * time.Minute, wake: 9 * time.Minute},
		"used somehow":     {spec: devserverv1.LifecycleSpec{IdleTimeout: "10m"}, status: devserverv1.DevServerStatus{StartedAt: at(0)}, activity: "yesterday", end: 10 * time.Minute, action: "Stop", reason: "Idle", warn: 9 * time.Minute, wake: 9 * time.Minute},
		"expires first":    {spec: devserverv1.LifecycleSpec{TimeToLive: "5m", IdleTimeout: "10m"}, status: devserverv1.DevServerStatus{StartedAt: at(0)}, end: 5 * time.Minute, action: "Delete", reason: "Expired", warn: 4*time.Minute + 30*time.Second, wake: 4*time.Minute + 30*time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverWith(devserverv1.DevServerSpec{Lifecycle: &test.spec, Running: new(!test.stopped)})
			s.CreationTimestamp = metav1.Time{Time: created}
			s.Annotations = map[string]string{devserverv1.AnnotationLastActivity: test.activity}
			ttl := 24 * time.Hour
			if test.default0 {
				ttl = 0
			}
			now := created.Add(test.now)
			l := lifetimeOf(s, &test.status, ttl, now)
			e := l.next()
			if test.end == 0 {
				if e.isSet() || l.wake(now) != 0 {
					t.Fatalf("it ends: %+v", e)
				}
				return
			}
			if e.at.Sub(created) != test.end || e.action != test.action || e.reason != test.reason || e.warnAt.Sub(created) != test.warn {
				t.Errorf("it ends after %v (%s, %s), warned after %v; want %v (%s, %s), %v",
					e.at.Sub(created), e.action, e.reason, e.warnAt.Sub(created), test.end, test.action, test.reason, test.warn)
			}
			if got := l.wake(now); got != test.wake {
				t.Errorf("wakes after %v, want %v", got, test.wake)
			}
		})
	}
}
