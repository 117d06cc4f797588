package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// resume carries a status over to now: a server that was stopped and is meant to run again starts anew.
func resume(s *devserverv1.DevServer, now time.Time) *devserverv1.DevServerStatus {
	status := s.Status.DeepCopy()
	stopped := status.Phase == devserverv1.PhaseStopped || status.Phase == devserverv1.PhaseStopping
	switch {
	case stopped && isRunning(s):
		status.ResumedAt = optionalTime(now)
		status.StartedAt, status.LastActivityTime = nil, nil
	case !isRunning(s):
		status.StartedAt = nil
	}
	return status
}

// statusOf is what became of a server's spec. It starts from status, the one before as resume made it, and keeps what
// that remembers.
func statusOf(s *devserverv1.DevServer, status *devserverv1.DevServerStatus, o *observed, problems []problem, defaultTTL time.Duration, now time.Time) *devserverv1.DevServerStatus {
	next := status.DeepCopy()
	next.ObservedGeneration = s.Generation
	f, ready := summarize(s, status, o, problems)
	next.Phase, next.Reason, next.Message, next.ReadyWorkers = f.phase, f.reason, f.message, ready

	next.PodName, next.NodeName, next.Connection = "", "", nil
	if len(o.pods) > 0 && isRunning(s) {
		next.PodName, next.NodeName = o.pods[0].Name, o.pods[0].Spec.NodeName
	}
	if f.phase == devserverv1.PhaseRunning {
		if next.StartedAt == nil {
			next.StartedAt = optionalTime(now)
		}
		next.Connection = &devserverv1.Connection{Shell: fmt.Sprintf("kubectl exec -it -n %s %s -c %s -- /bin/sh", s.Namespace, next.PodName, container)}
	}
	life := lifetimeOf(s, next, defaultTTL, now)
	next.ExpiresAt = optionalTime(life.expiresAt)
	if isRunning(s) {
		next.LastActivityTime = optionalTime(life.lastActivity)
	}
	setConditions(s, next, o, problems, life, now)
	return next
}

// summarize is the phase of a server.
func summarize(s *devserverv1.DevServer, before *devserverv1.DevServerStatus, o *observed, problems []problem) (f finding, ready int32) {
	if !isRunning(s) {
		return summarizeStopped(before, o), 0
	}
	if o.workload.Name == "" || belongs(s, o.workload) != own {
		f = finding{phase: devserverv1.PhaseStarting, reason: devserverv1.ReasonScheduling, message: "its pod is being made"}
	} else {
		f, ready = diagnose(o, workers(s))
	}
	if len(problems) == 0 {
		return f, ready
	}
	first := problems[0]
	switch {
	case f.phase == devserverv1.PhaseRunning:
		return finding{f.phase, first.reason, "ready to use, but not as its spec says: " + join(problems)}, ready
	case first.reason == devserverv1.ReasonRefused:
		return finding{devserverv1.PhaseFailed, first.reason, join(problems)}, ready
	case first.reason == devserverv1.ReasonPreviousServer:
		return finding{devserverv1.PhaseStarting, first.reason, join(problems)}, ready
	}
	return finding{devserverv1.PhasePending, first.reason, join(problems)}, ready
}

func summarizeStopped(before *devserverv1.DevServerStatus, o *observed) finding {
	reason, why := devserverv1.ReasonStopped, "spec.running is false"
	switch before.Reason {
	case devserverv1.ReasonExpired, devserverv1.ReasonIdle:
		reason = before.Reason
		_, why, _ = strings.Cut(before.Message, ", as ")
		why, _, _ = strings.Cut(why, "; ")
	}
	if len(o.pods) > 0 {
		// The reason stays that of the stop, so that it is known when the pods are gone.
		return finding{devserverv1.PhaseStopping, reason, fmt.Sprintf("%d of its pods have not ended yet, as %s", len(o.pods), why)}
	}
	return finding{devserverv1.PhaseStopped, reason, fmt.Sprintf("stopped, as %s; set spec.running to true to resume", why)}
}

func join(problems []problem) string {
	messages := make([]string, len(problems))
	for i, p := range problems {
		messages[i] = p.message
	}
	return strings.Join(messages, "; ")
}

func setConditions(s *devserverv1.DevServer, next *devserverv1.DevServerStatus, o *observed, problems []problem, life lifetime, now time.Time) {
	set := func(kind string, status metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&next.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: s.Generation,
		})
	}
	if len(problems) > 0 {
		status := metav1.ConditionFalse
		if !slices.ContainsFunc(problems, func(p problem) bool { return !mayPass(p.reason) }) {
			status = metav1.ConditionUnknown // nothing is wrong with the spec
		}
		set(devserverv1.ConditionValid, status, problems[0].reason, join(problems))
	} else {
		set(devserverv1.ConditionValid, metav1.ConditionTrue, devserverv1.ReasonValid, "all that the spec names is there")
	}
	if next.Phase == devserverv1.PhaseRunning {
		set(devserverv1.ConditionReady, metav1.ConditionTrue, devserverv1.ReasonReady, "ready to use")
	} else {
		set(devserverv1.ConditionReady, metav1.ConditionFalse, next.Reason, next.Message)
	}
	status, reason, message := scheduled(s, o)
	set(devserverv1.ConditionScheduled, status, reason, message)
	if e := life.next(); e.isSet() && !now.Before(e.warnAt) {
		set(devserverv1.ConditionExpiring, metav1.ConditionTrue, e.reason, announcement(e))
	} else {
		meta.RemoveStatusCondition(&next.Conditions, devserverv1.ConditionExpiring)
	}
}

// mayPass says whether a problem may go away without anybody changing something.
func mayPass(reason string) bool {
	return reason == devserverv1.ReasonPreviousServer || reason == devserverv1.ReasonQuotaExceeded
}

// announcement tells people what is about to happen to a server.
func announcement(e ending) string {
	verb := "deleted"
	if e.action == devserverv1.EndActionStop {
		verb = "stopped"
	}
	return fmt.Sprintf("will be %s at %s, as %s", verb, e.at.UTC().Format(time.RFC3339), e.why)
}

func scheduled(s *devserverv1.DevServer, o *observed) (status metav1.ConditionStatus, reason, message string) {
	if !isRunning(s) {
		return metav1.ConditionFalse, devserverv1.ReasonStopped, "the server is stopped"
	}
	for _, p := range o.pods {
		if c := condition(p, corev1.PodScheduled); c.Status == corev1.ConditionFalse {
			return metav1.ConditionFalse, devserverv1.ReasonUnschedulable, c.Message
		} else if c.Status != corev1.ConditionTrue {
			return metav1.ConditionUnknown, devserverv1.ReasonScheduling, "a node is being chosen"
		}
	}
	if len(o.pods) < int(workers(s)) {
		return metav1.ConditionUnknown, devserverv1.ReasonScheduling, "not all pods are there"
	}
	return metav1.ConditionTrue, devserverv1.ReasonScheduled, "a node was found"
}
