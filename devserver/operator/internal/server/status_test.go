package server

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// there is what the cluster has of a server with these pods.
func there(pods ...*corev1.Pod) *observed {
	return &observed{
		flavor: &devserverv1.DevServerFlavor{}, pods: pods,
		home: &corev1.PersistentVolumeClaim{}, service: &corev1.Service{},
		workload: &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "set", Labels: labels(serverWith(devserverv1.DevServerSpec{}))},
			Spec:       appsv1.StatefulSetSpec{Replicas: new(int32(1))},
			Status:     appsv1.StatefulSetStatus{UpdateRevision: "new"},
		},
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	before := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }
	nothing := there()
	nothing.workload = &appsv1.StatefulSet{}
	noFlavor := []problem{{devserverv1.ReasonFlavorNotFound, "spec.flavor: there is none"}}
	tests := map[string]struct {
		spec     devserverv1.DevServerSpec
		before   devserverv1.DevServerStatus
		observed *observed
		problems []problem
		phase    devserverv1.Phase
		reason   string
		says     string
		valid    metav1.ConditionStatus
		check    func(s *devserverv1.DevServerStatus) bool
	}{
		"new":                      {observed: nothing, phase: "Starting", reason: "Scheduling", valid: "True", check: func(s *devserverv1.DevServerStatus) bool { return s.StartedAt == nil && s.ResumedAt == nil }},
		"invalid":                  {observed: nothing, problems: noFlavor, phase: "Pending", reason: "FlavorNotFound", says: "spec.flavor", valid: "False"},
		"waiting for the previous": {observed: nothing, problems: []problem{{devserverv1.ReasonPreviousServer, "ending"}}, phase: "Starting", reason: "PreviousServer", valid: "Unknown"},
		"refused":                  {observed: nothing, problems: []problem{{devserverv1.ReasonRefused, "StatefulSet web: no"}}, phase: "Failed", reason: "Refused", valid: "False"},
		"ready": {observed: there(podThat(ready)), phase: "Running", reason: "Ready", valid: "True", check: func(s *devserverv1.DevServerStatus) bool {
			return s.StartedAt.Time.Equal(now) && s.LastActivityTime.Time.Equal(now) && s.PodName == "web-0" && s.Connection != nil && s.ReadyWorkers == 1
		}},
		"ready for long": {observed: there(podThat(ready)), before: devserverv1.DevServerStatus{Phase: "Running", StartedAt: before(time.Hour)}, phase: "Running", reason: "Ready", valid: "True",
			check: func(s *devserverv1.DevServerStatus) bool { return s.StartedAt.Equal(before(time.Hour)) }},
		"ready, flavor gone": {observed: there(podThat(ready)), problems: noFlavor, phase: "Running", reason: "FlavorNotFound", says: "not as its spec says: spec.flavor", valid: "False"},
		"stopping":           {spec: devserverv1.DevServerSpec{Running: new(false)}, observed: there(podThat(ready)), before: devserverv1.DevServerStatus{Phase: "Running"}, phase: "Stopping", reason: "Stopped", valid: "True", check: func(s *devserverv1.DevServerStatus) bool { return s.PodName == "" && s.StartedAt == nil }},
		"stopped":            {spec: devserverv1.DevServerSpec{Running: new(false)}, observed: there(), before: devserverv1.DevServerStatus{Phase: "Stopping"}, phase: "Stopped", reason: "Stopped", says: "stopped, as spec.running is false; set", valid: "True"},
		"stopped when its time was over": {spec: devserverv1.DevServerSpec{Running: new(false)}, observed: there(),
			before: devserverv1.DevServerStatus{Phase: "Stopping", Reason: "Expired", Message: "1 of its pods have not ended yet, as its time to live is 1h0m0s"},
			phase:  "Stopped", reason: "Expired", says: "stopped, as its time to live is 1h0m0s; set", valid: "True"},
		"stopped for long": {spec: devserverv1.DevServerSpec{Running: new(false)}, observed: there(),
			before: devserverv1.DevServerStatus{Phase: "Stopped", Reason: "Expired", Message: "stopped, as its time to live is 1h0m0s; set spec.running to true to resume"},
			phase:  "Stopped", reason: "Expired", says: "stopped, as its time to live is 1h0m0s; set", valid: "True"},
		"resumed": {observed: there(), before: devserverv1.DevServerStatus{Phase: "Stopped", Reason: "Idle", ResumedAt: before(9 * time.Hour)}, phase: "Starting", reason: "Scheduling", valid: "True",
			check: func(s *devserverv1.DevServerStatus) bool {
				return s.ResumedAt.Time.Equal(now) && s.ExpiresAt.Sub(now) == time.Hour
			}},
		"about to expire": {observed: there(podThat(ready)), before: devserverv1.DevServerStatus{Phase: "Running", ResumedAt: before(58 * time.Minute), StartedAt: before(58 * time.Minute)}, phase: "Running", reason: "Ready", valid: "True",
			check: func(s *devserverv1.DevServerStatus) bool {
				c := meta.FindStatusCondition(s.Conditions, "Expiring")
				return c != nil && c.Reason == "Expired" && c.Message == "will be deleted at 2026-01-02T03:02:00Z, as its time to live is 1h0m0s"
			}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverWith(test.spec)
			s.Status, s.CreationTimestamp = test.before, metav1.Time{Time: now}
			got := statusOf(s, resume(s, now), test.observed, test.problems, time.Hour, now)
			if got.Phase != test.phase || got.Reason != test.reason || !strings.Contains(got.Message, test.says) || got.ObservedGeneration != 3 {
				t.Errorf("got %+v", got)
			}
			if c := meta.FindStatusCondition(got.Conditions, "Valid"); c.Status != test.valid {
				t.Errorf("Valid is %+v", c)
			}
			if r := meta.IsStatusConditionTrue(got.Conditions, "Ready"); r != (test.phase == "Running") {
				t.Errorf("Ready is %v", r)
			}
			if test.check != nil && !test.check(got) {
				t.Errorf("got %+v", got)
			}
			again := serverWith(test.spec)
			again.Status, again.CreationTimestamp = *got, s.CreationTimestamp
			if next := statusOf(again, resume(again, now), test.observed, test.problems, time.Hour, now); next.Message != got.Message || next.Phase != got.Phase || !next.ResumedAt.Equal(got.ResumedAt) {
				t.Errorf("the second time it is %+v, at first %+v", next, got)
			}
		})
	}
}
