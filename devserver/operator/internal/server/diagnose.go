package server

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk/devserver/agent"
	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// finding is what a pod's state means for its server.
type finding struct {
	phase   devserverv1.Phase
	reason  string
	message string
}

// badness orders phases: the server is as its worst pod.
var badness = map[devserverv1.Phase]int{
	devserverv1.PhaseRunning: 0, devserverv1.PhaseStarting: 1, devserverv1.PhasePending: 2, devserverv1.PhaseFailed: 3,
}

// diagnose says what the pods of a server that is meant to run mean, and how many are ready. Pods that are about to be
// replaced say nothing about the present spec.
func diagnose(o *observed, want int32) (worst finding, ready int32) {
	if o.workload.Status.ObservedGeneration < o.workload.Generation {
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonScheduling, "its pod is being made"}, 0
	}
	worst = finding{phase: devserverv1.PhaseRunning, reason: devserverv1.ReasonReady, message: "ready to use"}
	old := outdated(o.workload, o.pods)
	for _, p := range o.pods {
		f := diagnosePod(p)
		if slices.Contains(old, p) || controllerUID(p) != o.workload.UID {
			f = replacing(p)
		}
		if f.phase == devserverv1.PhaseRunning {
			ready++
		}
		if badness[f.phase] > badness[worst.phase] {
			worst = f
		}
	}
	if missing := want - int32(len(o.pods)); missing > 0 && badness[worst.phase] <= badness[devserverv1.PhaseStarting] {
		worst = diagnoseMissing(o)
	}
	if worst.reason == devserverv1.ReasonUnschedulable && len(o.unbound) > 0 {
		worst.message += "; claims that wait for a volume: " + strings.Join(o.unbound, ", ") + ": kubectl describe pvc says why"
	}
	if worst.phase != devserverv1.PhaseRunning && want > 1 {
		worst.message = fmt.Sprintf("%d of %d workers are ready; %s", ready, want, worst.message)
	}
	return worst, ready
}

// diagnoseMissing says why a pod is not there.
func diagnoseMissing(o *observed) finding {
	if o.refusal == nil {
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonScheduling, "its pod is being made"}
	}
	message := o.refusal.Message
	if _, why, ok := strings.Cut(message, " error: "); ok {
		message = why
	}
	switch {
	case strings.Contains(message, "exceeded quota"), strings.Contains(message, "failed quota"):
		return finding{devserverv1.PhasePending, devserverv1.ReasonQuotaExceeded, "the namespace's quota does not allow the pod: " + message}
	case strings.Contains(message, "already exists"):
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonRestarting, "its pod is being replaced"}
	}
	return finding{devserverv1.PhaseFailed, devserverv1.ReasonPodRefused, "the cluster does not take the pod: " + message}
}

func diagnosePod(p *corev1.Pod) finding {
	if p.DeletionTimestamp != nil {
		return replacing(p)
	}
	if p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
		return diagnoseOver(p)
	}
	if condition(p, corev1.PodReady).Status == corev1.ConditionTrue {
		return finding{phase: devserverv1.PhaseRunning}
	}
	switch scheduled := condition(p, corev1.PodScheduled); scheduled.Status {
	case corev1.ConditionFalse:
		return finding{devserverv1.PhasePending, devserverv1.ReasonUnschedulable, "no node takes the pod: " + scheduled.Message}
	case corev1.ConditionTrue:
	default:
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonScheduling, "a node is being chosen"}
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if f, ok := diagnoseContainer(p, c); ok {
			return f
		}
	}
	if condition(p, corev1.PodReady).Reason == "" || !started(p) {
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonContainerCreating, "its containers are being created"}
	}
	if hasScript(p) {
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonNotReady, "the init script is running"}
	}
	return finding{devserverv1.PhaseStarting, devserverv1.ReasonNotReady, "its container is not ready"}
}

func replacing(p *corev1.Pod) finding {
	return finding{devserverv1.PhaseStarting, devserverv1.ReasonRestarting, fmt.Sprintf("pod %s is ending, and a new one will follow", p.Name)}
}

// diagnoseOver is for a pod that ended for good: its StatefulSet makes another.
func diagnoseOver(p *corev1.Pod) finding {
	if p.Status.Reason == "" {
		return finding{devserverv1.PhaseStarting, devserverv1.ReasonRestarting, fmt.Sprintf("pod %s has ended, and a new one will follow", p.Name)}
	}
	reason := devserverv1.ReasonRestarting
	if p.Status.Reason == devserverv1.ReasonEvicted {
		reason = devserverv1.ReasonEvicted
	}
	return finding{devserverv1.PhaseStarting, reason,
		fmt.Sprintf("pod %s has ended (%s: %s), and a new one will follow", p.Name, p.Status.Reason, p.Status.Message)}
}

// diagnoseContainer is not ok for a container that gives no reason for concern.
func diagnoseContainer(p *corev1.Pod, c corev1.ContainerStatus) (finding, bool) {
	if w := c.State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImagePull":
			return finding{devserverv1.PhaseStarting, devserverv1.ReasonImagePullFailed, fmt.Sprintf("image %q cannot be pulled: %s", c.Image, w.Message)}, true
		case "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable":
			return finding{devserverv1.PhaseFailed, devserverv1.ReasonImagePullFailed, fmt.Sprintf("image %q cannot be pulled: %s", c.Image, w.Message)}, true
		case "CrashLoopBackOff":
			return diagnoseCrash(p, c, c.LastTerminationState.Terminated), true
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return finding{devserverv1.PhaseFailed, devserverv1.ReasonContainerRefused, fmt.Sprintf("container %s cannot be started: %s", c.Name, w.Message)}, true
		}
	}
	if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
		return diagnoseCrash(p, c, t), true
	}
	if t := c.LastTerminationState.Terminated; t != nil && !c.Ready && t.ExitCode != 0 {
		return diagnoseCrash(p, c, t), true
	}
	return finding{}, false
}

// diagnoseCrash is for a container that ended though it should not. What it wrote last is in the termination message.
func diagnoseCrash(p *corev1.Pod, c corev1.ContainerStatus, t *corev1.ContainerStateTerminated) finding {
	f := finding{phase: devserverv1.PhaseFailed, reason: devserverv1.ReasonCrashLoop}
	switch {
	case t == nil:
		f.message = fmt.Sprintf("container %s ends again and again", c.Name)
	case t.Reason == "OOMKilled":
		f.reason = devserverv1.ReasonOutOfMemory
		f.message = fmt.Sprintf("container %s was killed, as it needed more memory than its limit%s", c.Name, memoryLimit(p, c.Name))
	case strings.HasPrefix(t.Message, agent.InitScriptFailed):
		f.reason, f.message = devserverv1.ReasonInitScriptFailed, "spec.initScript: "+t.Message
	default:
		f.message = fmt.Sprintf("container %s ended with exit status %d (%s), %d times so far", c.Name, t.ExitCode, t.Reason, max(c.RestartCount, 1))
		if last := strings.TrimSpace(t.Message); last != "" {
			f.message += "; its last lines:\n" + last
		}
	}
	return f
}

func memoryLimit(p *corev1.Pod, name string) string {
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == name {
			return " of " + limit.String()
		}
	}
	return ""
}

func hasScript(p *corev1.Pod) bool {
	return len(p.Spec.Containers) > 0 && p.Spec.Containers[0].StartupProbe != nil
}

// started says whether the main container runs.
func started(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.Name == container && c.State.Running != nil
	})
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}
