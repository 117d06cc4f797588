package wait

import (
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk"
)

// ErrFailed is wrapped by the error of a condition that cannot come true any more: a job that failed, a rollout that
// passed its deadline.
var ErrFailed = errors.New("failed")

// And holds when all conditions hold. They are asked in order, up to the first that does not.
func And[T kubesdk.Object](all ...Condition[T]) Condition[T] {
	return func(obj T, exists bool) (bool, error) {
		for _, c := range all {
			if met, err := c(obj, exists); err != nil || !met {
				return false, err
			}
		}
		return true, nil
	}
}

// Or holds when one of the conditions holds, even if another has an error.
func Or[T kubesdk.Object](either ...Condition[T]) Condition[T] {
	return func(obj T, exists bool) (bool, error) {
		var errs []error
		for _, c := range either {
			met, err := c(obj, exists)
			if err == nil && met {
				return true, nil
			}
			errs = append(errs, err)
		}
		return false, errors.Join(errs...)
	}
}

// Not holds when the condition does not. Its error stays one.
func Not[T kubesdk.Object](c Condition[T]) Condition[T] {
	return func(obj T, exists bool) (bool, error) {
		met, err := c(obj, exists)
		return !met && err == nil, err
	}
}

// Exists holds when there is such an object.
func Exists[T kubesdk.Object](_ T, exists bool) (bool, error) { return exists, nil }

// Deleted holds when the object with this UID is gone, even if there is another one of its name by now. With an empty UID
// it holds when there is none of the name.
func Deleted[T kubesdk.Object](uid types.UID) Condition[T] {
	return func(obj T, exists bool) (bool, error) {
		return !exists || uid != "" && obj.GetUID() != uid, nil
	}
}

// HasCondition holds when status.conditions has one of this type with this status, "True" in most cases. One that was
// reported for an older generation of the object does not count, where the object says for which one it was.
func HasCondition[T kubesdk.Object](conditionType string, status metav1.ConditionStatus) Condition[T] {
	return func(obj T, exists bool) (bool, error) {
		if !exists {
			return false, nil
		}
		v, err := viewOf(obj)
		if err != nil {
			return false, err
		}
		c := v.condition(conditionType)
		observed := c.number("observedGeneration")
		if observed == 0 {
			observed = v.number("status.observedGeneration")
		}
		current := observed == 0 || observed >= obj.GetGeneration()
		return c != nil && current && strings.EqualFold(c.text("status"), string(status)), nil
	}
}

// JobComplete holds when a Job of group batch has completed. A Job that has failed is an error, which wraps [ErrFailed].
func JobComplete[T kubesdk.Object](job T, exists bool) (bool, error) {
	if !exists {
		return false, nil
	}
	v, err := viewOfKind(job, "Job")
	if err != nil {
		return false, err
	}
	if c := v.condition("Failed"); c.text("status") == "True" {
		return false, fmt.Errorf("the job %w: %s", ErrFailed, c.why())
	}
	return v.condition("Complete").text("status") == "True", nil
}

// DeploymentRolledOut holds when all replicas of a Deployment of group apps are of its present template and available, and
// those of older templates are gone. A rollout that made no progress within the Deployment's progressDeadlineSeconds is an
// error, which wraps [ErrFailed].
func DeploymentRolledOut[T kubesdk.Object](deployment T, exists bool) (bool, error) {
	if !exists {
		return false, nil
	}
	v, err := viewOfKind(deployment, "Deployment")
	if err != nil {
		return false, err
	}
	if v.number("status.observedGeneration") < deployment.GetGeneration() {
		return false, nil // the controller has not seen this template yet
	}
	if c := v.condition("Progressing"); c.text("reason") == "ProgressDeadlineExceeded" {
		return false, fmt.Errorf("the rollout %w: %s", ErrFailed, c.why())
	}
	wanted := int64(1)
	if n, ok := v.at("spec.replicas").(int64); ok {
		wanted = n
	}
	there, updated, available := v.number("status.replicas"), v.number("status.updatedReplicas"), v.number("status.availableReplicas")
	return updated >= wanted && there <= updated && available >= updated, nil
}
