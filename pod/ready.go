package pod

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const defaultContainerAnnotation = "kubectl.kubernetes.io/default-container"

// errTooLong is poll's: it is replaced by what was waited for.
var errTooLong = errors.New("waited long enough")

// poll calls done until it says so, at growing intervals, for at most limit.
func poll(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Until(deadline) <= 0 {
			return errTooLong
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(wait, time.Until(deadline)+time.Millisecond)):
		}
	}
}

func notReady(err error, why string) error {
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("%s: %w", why, ErrNotReady)
	}
	return err
}

// defaultContainer is the container that a command runs in where none is named.
func defaultContainer(p *corev1.Pod) string {
	if name := p.Annotations[defaultContainerAnnotation]; name != "" {
		return name
	}
	return p.Spec.Containers[0].Name
}

// prospect is what can be expected of a container.
type prospect int

const (
	running prospect = iota
	coming           // it may run yet
	never            // it will not run again
)

// condition says whether a container runs, and if not, why.
func condition(p *corev1.Pod, container string) (prospect, string) {
	status, there := statusOf(p, container)
	switch {
	case !there && !declared(p, container):
		return never, fmt.Sprintf("the pod has no container %q, only %s", container, strings.Join(names(p), ", "))
	case there && status.State.Running != nil:
		return running, ""
	case p.DeletionTimestamp != nil:
		return never, "the pod is being deleted"
	case p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed:
		return never, fmt.Sprintf("the pod has ended (%s)%s", p.Status.Phase, ending(status))
	case there && status.State.Terminated != nil:
		if p.Spec.RestartPolicy == corev1.RestartPolicyNever || ephemeral(p, container) {
			return never, "the container has ended" + ending(status)
		}
		return coming, "the container has ended and is not started again yet" + ending(status)
	case there && status.State.Waiting != nil && status.State.Waiting.Reason != "ContainerCreating" && status.State.Waiting.Reason != "PodInitializing":
		w := status.State.Waiting
		return coming, strings.TrimSuffix(fmt.Sprintf("the container waits: %s: %s", w.Reason, w.Message), ": ") + ending(status)
	}
	for _, c := range p.Status.Conditions {
		if c.Status == corev1.ConditionFalse && (c.Type == corev1.PodScheduled || c.Type == corev1.PodInitialized) {
			return coming, strings.TrimSuffix(fmt.Sprintf("%s is false: %s: %s", c.Type, c.Reason, c.Message), ": ")
		}
	}
	return coming, fmt.Sprintf("the container is not started yet (pod phase %s)", p.Status.Phase)
}

// ending tells how a container last ended.
func ending(s corev1.ContainerStatus) string {
	t := s.State.Terminated
	if t == nil {
		t = s.LastTerminationState.Terminated
	}
	if t == nil {
		return ""
	}
	text := fmt.Sprintf("; it ended with exit code %d (%s)", t.ExitCode, t.Reason)
	if t.Message != "" {
		text += ": " + strings.TrimSpace(t.Message)
	}
	return text
}

// restless is the error of a container that seemed to run and was not there, again and again, with how it last ended.
func (t Target) restless(ctx context.Context, refused error) error {
	how := ""
	if p, err := t.pods().Get(ctx, t.name); err == nil {
		status, _ := statusOf(p, t.container)
		how = ending(status)
	}
	return fmt.Errorf("%w: %w%s", ErrNotReady, refused, how)
}

func statusOf(p *corev1.Pod, container string) (corev1.ContainerStatus, bool) {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			if s.Name == container {
				return s, true
			}
		}
	}
	return corev1.ContainerStatus{}, false
}

func names(p *corev1.Pod) []string {
	var all []string
	for _, c := range p.Spec.Containers {
		all = append(all, c.Name)
	}
	for _, c := range p.Spec.InitContainers {
		all = append(all, c.Name)
	}
	for _, c := range p.Spec.EphemeralContainers {
		all = append(all, c.Name)
	}
	return all
}

func declared(p *corev1.Pod, container string) bool {
	for _, name := range names(p) {
		if name == container {
			return true
		}
	}
	return false
}

func ephemeral(p *corev1.Pod, container string) bool {
	for _, c := range p.Spec.EphemeralContainers {
		if c.Name == container {
			return true
		}
	}
	return false
}

// hasStarted says whether a container has run at all, now or before.
func hasStarted(s corev1.ContainerStatus) bool {
	return s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil
}

// await waits until the target's container runs, and returns the target with the container named.
func (t Target) await(ctx context.Context) (Target, error) {
	var why string
	err := poll(ctx, t.ready, func() (bool, error) {
		p, err := t.pods().Get(ctx, t.name)
		if err != nil {
			return false, err
		}
		if t.container == "" {
			t.container = defaultContainer(p)
			t.known.mu.Lock()
			t.known.defaults[t.name] = t.container
			t.known.mu.Unlock()
		}
		var is prospect
		if is, why = condition(p, t.container); is == never {
			return false, fmt.Errorf("%s: %w", why, ErrNotReady)
		}
		return is == running, nil
	})
	return t, notReady(err, why)
}
