package server

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	// warnBefore is how long before the end of a server people are told, or a tenth of its time where that is shorter.
	warnBefore = 5 * time.Minute
	warnPart   = 10
)

// lifetime is when and how a server ends by itself.
type lifetime struct {
	expiresAt    time.Time // zero: never
	expiry       ending
	idle         ending // as long as nobody uses it
	lastActivity time.Time
}

// ending is one way to end. Its zero value never happens.
type ending struct {
	at     time.Time
	warnAt time.Time
	action devserverv1.EndAction
	reason string // Expired or Idle
	why    string
}

func (e ending) isSet() bool { return !e.at.IsZero() }

// lifetimeOf is the lifetime of a server that has the given status, before the status says anything of now.
func lifetimeOf(s *devserverv1.DevServer, status *devserverv1.DevServerStatus, defaultTTL time.Duration, now time.Time) lifetime {
	spec := s.Spec.Lifecycle
	if spec == nil {
		spec = &devserverv1.LifecycleSpec{}
	}
	l := lifetime{lastActivity: lastActivity(s, status, now)}
	base := s.CreationTimestamp.Time
	if status.ResumedAt != nil {
		base = status.ResumedAt.Time
	}
	ttl, said := duration(spec.TimeToLive)
	if !said {
		ttl = defaultTTL
	}
	action := spec.OnExpiry
	if action == "" {
		action = devserverv1.EndActionDelete
	}
	switch {
	case spec.ExpiresAt != nil:
		at := spec.ExpiresAt.Time
		l.expiry = ending{at: at, warnAt: at.Add(-lead(at.Sub(base))), action: action, reason: devserverv1.ReasonExpired,
			why: "spec.lifecycle.expiresAt is " + at.UTC().Format(time.RFC3339)}
	case ttl > 0 && isRunning(s):
		at := base.Add(ttl)
		l.expiry = ending{at: at, warnAt: at.Add(-lead(ttl)), action: action, reason: devserverv1.ReasonExpired,
			why: fmt.Sprintf("its time to live is %v", ttl)}
	}
	if !isRunning(s) && action == devserverv1.EndActionStop {
		l.expiry = ending{} // it is stopped
	}
	l.expiresAt = l.expiry.at

	if idle, ok := duration(spec.IdleTimeout); ok && isRunning(s) && status.StartedAt != nil {
		action := spec.OnIdle
		if action == "" {
			action = devserverv1.EndActionStop
		}
		at := l.lastActivity.Add(idle)
		l.idle = ending{at: at, warnAt: at.Add(-lead(idle)), action: action, reason: devserverv1.ReasonIdle,
			why: fmt.Sprintf("its idle timeout is %v, and it was last used at %s", idle, l.lastActivity.UTC().Format(time.RFC3339))}
	}
	return l
}

// next is the ending that comes first.
func (l lifetime) next() ending {
	if !l.expiry.isSet() || l.idle.isSet() && l.idle.at.Before(l.expiry.at) {
		return l.idle
	}
	return l.expiry
}

// wake is how long after now something about the lifetime changes; zero: never.
func (l lifetime) wake(now time.Time) time.Duration {
	var least time.Duration
	for _, e := range []ending{l.expiry, l.idle} {
		if !e.isSet() {
			continue
		}
		for _, at := range []time.Time{e.warnAt, e.at} {
			if wait := at.Sub(now); wait > 0 && (least == 0 || wait < least) {
				least = wait
			}
		}
	}
	return least
}

// lead is how long before the end of a time people are told.
func lead(whole time.Duration) time.Duration { return max(0, min(warnBefore, whole/warnPart)) }

// lastActivity is the latest of what is known: the annotation that clients keep, unless it is in the future, and the start.
func lastActivity(s *devserverv1.DevServer, status *devserverv1.DevServerStatus, now time.Time) time.Time {
	var last time.Time
	if status.StartedAt != nil {
		last = status.StartedAt.Time
	}
	if said, err := time.Parse(time.RFC3339, s.Annotations[devserverv1.AnnotationLastActivity]); err == nil && said.After(last) {
		last = said
		if said.After(now) {
			last = now
		}
	}
	return last
}

// duration of the API, which has checked it; false where it says nothing.
func duration(d devserverv1.Duration) (time.Duration, bool) {
	parsed, err := time.ParseDuration(string(d))
	if err != nil {
		return 0, false
	}
	return parsed, true
}

// optionalTime is nil for the zero time.
func optionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}
