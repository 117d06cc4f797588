package server

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// podThat is a pod of the present template, scheduled and on its way.
func podThat(changes ...func(p *corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            "web-0",
			Labels:          map[string]string{appsv1.StatefulSetRevisionLabel: "new"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "StatefulSet", Name: "web", UID: "set", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "devserver", Resources: corev1.ResourceRequirements{Limits: quantities("memory", "1Gi")}}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"},
		}},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func ready(p *corev1.Pod) { p.Status.Conditions[1].Status = corev1.ConditionTrue }

func container0(s corev1.ContainerStatus) func(p *corev1.Pod) {
	s.Name, s.Image = "devserver", "img:1"
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{s} }
}

func waiting(reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "because"}}}
}

func crashed(last corev1.ContainerStateTerminated) corev1.ContainerStatus {
	s := waiting("CrashLoopBackOff")
	s.LastTerminationState.Terminated, s.RestartCount = &last, 4
	return s
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	const starting, pending, failed, running = devserverv1.PhaseStarting, devserverv1.PhasePending, devserverv1.PhaseFailed, devserverv1.PhaseRunning
	refused := func(message string) *corev1.Event { return &corev1.Event{Message: message} }
	tests := map[string]struct {
		pods    []*corev1.Pod
		refusal *corev1.Event
		behind  bool // the StatefulSet's controller has not seen its spec
		want    int32
		phase   devserverv1.Phase
		reason  string
		says    string
	}{
		"ready":             {pods: []*corev1.Pod{podThat(ready)}, phase: running, reason: "Ready"},
		"ready, behind":     {pods: []*corev1.Pod{podThat(ready)}, behind: true, phase: starting, reason: "Scheduling"},
		"ready, outdated":   {pods: []*corev1.Pod{podThat(ready, func(p *corev1.Pod) { p.Labels[appsv1.StatefulSetRevisionLabel] = "old" })}, phase: starting, reason: "Restarting"},
		"ready, of another": {pods: []*corev1.Pod{podThat(ready, func(p *corev1.Pod) { p.OwnerReferences[0].UID = "else" })}, phase: starting, reason: "Restarting"},
		"ready, ending":     {pods: []*corev1.Pod{podThat(ready, func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) })}, phase: starting, reason: "Restarting"},
		"one of two":        {pods: []*corev1.Pod{podThat(ready), podThat()}, want: 2, phase: starting, reason: "ContainerCreating", says: "1 of 2 workers are ready"},
		"one of two there":  {pods: []*corev1.Pod{podThat(ready)}, want: 2, phase: starting, reason: "Scheduling", says: "1 of 2"},
		"none":              {phase: starting, reason: "Scheduling"},
		"quota":             {refusal: refused(`create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: exceeded quota: few, requested: pods=1`), phase: pending, reason: "QuotaExceeded", says: "exceeded quota: few"},
		"refused":           {refusal: refused(`create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: violates PodSecurity`), phase: failed, reason: "PodRefused", says: "violates PodSecurity"},
		"ending elsewhere":  {refusal: refused(`create Pod web-0 in StatefulSet web failed error: object is being deleted: pods "web-0" already exists`), phase: starting, reason: "Restarting"},
		"unscheduled":       {pods: []*corev1.Pod{podThat(func(p *corev1.Pod) { p.Status.Conditions = nil })}, phase: starting, reason: "Scheduling"},
		"unschedulable": {pods: []*corev1.Pod{podThat(func(p *corev1.Pod) {
			p.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodScheduled, Status: "False", Message: "0/1 nodes are available"}
		})}, phase: pending, reason: "Unschedulable", says: "0/1 nodes"},
		"creating":           {pods: []*corev1.Pod{podThat(container0(waiting("ContainerCreating")))}, phase: starting, reason: "ContainerCreating"},
		"pull fails":         {pods: []*corev1.Pod{podThat(container0(waiting("ErrImagePull")))}, phase: starting, reason: "ImagePullFailed", says: `"img:1" cannot be pulled: because`},
		"pull fails again":   {pods: []*corev1.Pod{podThat(container0(waiting("ImagePullBackOff")))}, phase: failed, reason: "ImagePullFailed", says: "because"},
		"no such secret":     {pods: []*corev1.Pod{podThat(container0(waiting("CreateContainerConfigError")))}, phase: failed, reason: "ContainerRefused", says: "because"},
		"crash":              {pods: []*corev1.Pod{podThat(container0(crashed(corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "no such file\n"})))}, phase: failed, reason: "CrashLoop", says: "exit status 2 (Error), 4 times so far; its last lines:\nno such file"},
		"script":             {pods: []*corev1.Pod{podThat(container0(crashed(corev1.ContainerStateTerminated{ExitCode: 1, Message: "the init script failed with exit status 3; its last lines:\nboo"})))}, phase: failed, reason: "InitScriptFailed", says: "spec.initScript: the init script failed with exit status 3"},
		"memory":             {pods: []*corev1.Pod{podThat(container0(crashed(corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"})))}, phase: failed, reason: "OutOfMemory", says: "limit of 1Gi"},
		"running, not ready": {pods: []*corev1.Pod{podThat(container0(corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}))}, phase: starting, reason: "NotReady"},
		"evicted": {pods: []*corev1.Pod{podThat(func(p *corev1.Pod) {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "low on memory"
		})}, phase: starting, reason: "Evicted", says: "low on memory"},
		"ended":     {pods: []*corev1.Pod{podThat(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })}, phase: starting, reason: "Restarting"},
		"the worst": {pods: []*corev1.Pod{podThat(ready), podThat(container0(waiting("ImagePullBackOff"))), podThat()}, want: 3, phase: failed, reason: "ImagePullFailed", says: "1 of 3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "set", Generation: 2}, Status: appsv1.StatefulSetStatus{ObservedGeneration: 2, UpdateRevision: "new"}}
			if test.behind {
				set.Generation = 3
			}
			f, _ := diagnose(&observed{workload: set, pods: test.pods, refusal: test.refusal}, max(test.want, 1))
			if f.phase != test.phase || f.reason != test.reason || !strings.Contains(f.message, test.says) {
				t.Errorf("got %+v, want %s, %s, %q", f, test.phase, test.reason, test.says)
			}
			if f.message == "" {
				t.Error("it says nothing")
			}
		})
	}
}
