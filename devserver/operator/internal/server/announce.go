package server

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// maxNote is what the API takes of an event's text.
const maxNote = 1024

// announce makes events of what differs between a server's status and the next.
func (r *Reconciler) announce(s *devserverv1.DevServer, next *devserverv1.DevServerStatus) {
	before := &s.Status
	if next.ResumedAt != nil && !next.ResumedAt.Equal(before.ResumedAt) {
		r.event(s, corev1.EventTypeNormal, "Resumed", "resumed; its time to live counts from now")
	}
	if before.Phase != next.Phase || before.Reason != next.Reason {
		switch {
		case next.Phase == devserverv1.PhaseRunning && before.Phase != devserverv1.PhaseRunning:
			r.event(s, corev1.EventTypeNormal, devserverv1.ReasonReady, "ready to use on node "+next.NodeName)
		case next.Phase == devserverv1.PhaseStopped:
			r.event(s, corev1.EventTypeNormal, devserverv1.ReasonStopped, next.Message)
		case isTrouble(next.Reason):
			r.event(s, corev1.EventTypeWarning, next.Reason, next.Message)
		}
	}
	expiring := meta.FindStatusCondition(next.Conditions, devserverv1.ConditionExpiring)
	if expiring != nil && !meta.IsStatusConditionTrue(before.Conditions, devserverv1.ConditionExpiring) {
		r.event(s, corev1.EventTypeWarning, devserverv1.ConditionExpiring, expiring.Message)
	}
}

// isTrouble says whether a reason is one that somebody should do something about.
func isTrouble(reason string) bool {
	switch reason {
	case devserverv1.ReasonReady, devserverv1.ReasonScheduling, devserverv1.ReasonContainerCreating, devserverv1.ReasonNotReady,
		devserverv1.ReasonRestarting, devserverv1.ReasonPreviousServer, devserverv1.ReasonStopped, devserverv1.ReasonExpired, devserverv1.ReasonIdle:
		return false
	}
	return true
}

func (r *Reconciler) event(s *devserverv1.DevServer, kind, reason, note string) {
	if len(note) > maxNote {
		note = strings.ToValidUTF8(note[:maxNote-3], "") + "..."
	}
	r.recorder.Eventf(s, nil, kind, reason, "Reconcile", "%s", note)
}

// isQuota says whether the API server refused something because a quota is used up.
func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}
