package wait_test

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/wait"
)

// untyped is obj as a dynamic client would see it.
func untyped(t *testing.T, obj runtime.Object) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}

// holds asks a condition about a typed object and about the same one untyped, which must not differ.
func holds[T kubesdk.Object](t *testing.T, obj T, typed wait.Condition[T], dynamic wait.Condition[*unstructured.Unstructured]) (bool, error) {
	t.Helper()
	met, err := typed(obj, true)
	met2, err2 := dynamic(untyped(t, obj), true)
	if met != met2 || (err == nil) != (err2 == nil) {
		t.Errorf("typed: %v, %v; untyped: %v, %v", met, err, met2, err2)
	}
	return met, err
}

func TestDeploymentRolledOut(t *testing.T) {
	t.Parallel()
	status := func(observed int64, replicas, updated, available int32) appsv1.DeploymentStatus {
		return appsv1.DeploymentStatus{ObservedGeneration: observed, Replicas: replicas, UpdatedReplicas: updated, AvailableReplicas: available}
	}
	stuck := status(2, 1, 1, 0)
	stuck.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "no progress"}}
	three, none := int32(3), int32(0)
	tests := []struct {
		name     string
		replicas *int32
		status   appsv1.DeploymentStatus
		want     bool
		err      string
	}{
		{"done", &three, status(2, 3, 3, 3), true, ""},
		{"not observed", &three, status(1, 3, 3, 3), false, ""},
		{"not all updated", &three, status(2, 3, 2, 3), false, ""},
		{"old ones there", &three, status(2, 4, 3, 3), false, ""},
		{"not available", &three, status(2, 3, 3, 2), false, ""},
		{"one by default", nil, status(2, 1, 1, 1), true, ""},
		{"nothing yet of one by default", nil, status(2, 0, 0, 0), false, ""},
		{"scaled to nothing", &none, status(2, 0, 0, 0), true, ""},
		{"scaling to nothing", &none, status(2, 1, 0, 0), false, ""},
		{"stuck", &three, stuck, false, "the rollout failed: ProgressDeadlineExceeded: no progress"},
	}
	for _, test := range tests {
		d := &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}}
		d.Generation, d.Spec.Replicas, d.Status = 2, test.replicas, test.status
		got, err := holds(t, d, wait.DeploymentRolledOut, wait.DeploymentRolledOut)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && (err.Error() != test.err || !errors.Is(err, wait.ErrFailed)) {
			t.Errorf("%s: %v, %v; want %v, %q", test.name, got, err, test.want, test.err)
		}
	}
	if _, err := wait.DeploymentRolledOut(&corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod"}}, true); err == nil || !strings.Contains(err.Error(), "Deployment") {
		t.Errorf("of a pod: %v", err)
	}
}

func TestJobComplete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		condition batchv1.JobCondition
		want      bool
		err       string
	}{
		{batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}, true, ""},
		{batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionFalse}, false, ""},
		{batchv1.JobCondition{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}, false, ""},
		{batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionFalse}, false, ""},
		{batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"}, false, "the job failed: BackoffLimitExceeded"},
	}
	for _, test := range tests {
		job := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}}
		job.Status.Conditions = []batchv1.JobCondition{test.condition}
		got, err := holds(t, job, wait.JobComplete, wait.JobComplete)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && (err.Error() != test.err || !errors.Is(err, wait.ErrFailed)) {
			t.Errorf("%s=%s: %v, %v; want %v, %q", test.condition.Type, test.condition.Status, got, err, test.want, test.err)
		}
	}
	if met, err := wait.JobComplete(&batchv1.Job{}, true); met || err != nil {
		t.Errorf("of a new job: %v, %v", met, err)
	}
}

func TestHasCondition(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.Generation = 3
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue},
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, ObservedGeneration: 2},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, ObservedGeneration: 3},
	}
	for _, test := range []struct {
		conditionType string
		status        metav1.ConditionStatus
		want          bool
	}{
		{"Ready", "True", true},
		{"ready", "true", true},
		{"Ready", "False", false},
		{"PodScheduled", "True", false}, // of an older generation
		{"Initialized", "True", true},
		{"Other", "True", false},
		{"Other", "", false},
	} {
		got, err := holds(t, pod, wait.HasCondition[*corev1.Pod](test.conditionType, test.status), wait.HasCondition[*unstructured.Unstructured](test.conditionType, test.status))
		if got != test.want || err != nil {
			t.Errorf("%s=%s: %v, %v; want %v", test.conditionType, test.status, got, err, test.want)
		}
	}
	pod.Status.ObservedGeneration = 2
	if got, _ := wait.HasCondition[*corev1.Pod]("Ready", "True")(pod, true); got {
		t.Error("holds although the status is of an older generation")
	}
}

// Custom resources have statuses of every shape.
func TestConditionsReadOddStatuses(t *testing.T) {
	t.Parallel()
	for _, status := range []any{
		nil, "up", []any{}, map[string]any{"phase": map[string]any{}, "conditions": "none"},
		map[string]any{"phase": 3.5, "conditions": []any{"x", nil, map[string]any{"type": 1}}, "containerStatuses": map[string]any{}},
	} {
		obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Odd", "status": status}}
		if met, err := wait.HasCondition[*unstructured.Unstructured]("Ready", "True")(obj, true); met || err != nil {
			t.Errorf("status %v: %v, %v", status, met, err)
		}
	}
}

func TestCombinedConditions(t *testing.T) {
	t.Parallel()
	type cond = wait.Condition[*corev1.Pod]
	broken := errors.New("broken")
	yes := cond(func(*corev1.Pod, bool) (bool, error) { return true, nil })
	no := cond(func(*corev1.Pod, bool) (bool, error) { return false, nil })
	bad := cond(func(*corev1.Pod, bool) (bool, error) { return false, broken })
	tests := []struct {
		name   string
		c      cond
		want   bool
		failed bool
	}{
		{"and", wait.And(yes, yes), true, false},
		{"and no", wait.And(yes, no, bad), false, false},
		{"and bad", wait.And(yes, bad), false, true},
		{"and of none", wait.And[*corev1.Pod](), true, false},
		{"or", wait.Or(no, yes), true, false},
		{"or no", wait.Or(no, no), false, false},
		{"or bad", wait.Or(bad, no), false, true},
		{"or bad but true", wait.Or(bad, yes), true, false},
		{"not", wait.Not(no), true, false},
		{"not yes", wait.Not(yes), false, false},
		{"not bad", wait.Not(bad), false, true},
		{"nested", wait.And(wait.Or(no, yes), wait.Not(wait.And(yes, no))), true, false},
	}
	for _, test := range tests {
		got, err := test.c(&corev1.Pod{}, true)
		if got != test.want || errors.Is(err, broken) != test.failed {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}

func TestExistsAndDeleted(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "u1"}}
	tests := []struct {
		name  string
		c     wait.Condition[*corev1.Pod]
		there bool
		gone  bool
	}{
		{"exists", wait.Exists[*corev1.Pod], true, false},
		{"deleted", wait.Deleted[*corev1.Pod]("u1"), false, true},
		{"deleted, another of the name", wait.Deleted[*corev1.Pod]("u0"), true, true},
		{"deleted, whatever the UID", wait.Deleted[*corev1.Pod](""), false, true},
		{"ready", wait.HasCondition[*corev1.Pod]("Ready", "True"), false, false},
		{"complete", wait.JobComplete[*corev1.Pod], false, false},
		{"rolled out", wait.DeploymentRolledOut[*corev1.Pod], false, false},
	}
	for _, test := range tests {
		there, _ := test.c(pod, true)
		gone, err := test.c(nil, false)
		if there != test.there || gone != test.gone || err != nil {
			t.Errorf("%s: %v and without an object %v, %v; want %v, %v", test.name, there, gone, err, test.there, test.gone)
		}
	}
}
