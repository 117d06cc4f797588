package flavor

import (
	"fmt"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// fit says whether one of the nodes would take a server of a flavor if nothing else ran there, and if none does, why.
func fit(f *devserverv1.DevServerFlavor, nodes []corev1.Node, autoscaled bool) (schedulable devserverv1.Schedulable, why string) {
	reasons := map[string]int{}
	for i := range nodes {
		reason := obstacle(f, &nodes[i])
		if reason == "" {
			return devserverv1.SchedulableYes, "node " + nodes[i].Name + " fits"
		}
		reasons[reason]++
	}
	why = "there is no node"
	for _, reason := range []string{notReady, notSelected, notTolerated, tooSmall} {
		if n := reasons[reason]; n > 0 {
			why = fmt.Sprintf("%d of %d nodes %s", n, len(nodes), reason) // the reason that came closest is said last
		}
	}
	if autoscaled {
		return devserverv1.SchedulableAutoscaled, why + ", but one may be made"
	}
	return devserverv1.SchedulableNo, why
}

const (
	notReady     = "are not ready"
	notSelected  = "do not match spec.nodeSelector"
	notTolerated = "have a taint that spec.tolerations does not tolerate"
	tooSmall     = "are smaller than spec.resources.requests"
)

// obstacle is why a node does not fit, or empty.
func obstacle(f *devserverv1.DevServerFlavor, n *corev1.Node) string {
	switch {
	case n.Spec.Unschedulable || !isReady(n):
		return notReady
	case !labels.SelectorFromSet(f.Spec.NodeSelector).Matches(labels.Set(n.Labels)):
		return notSelected
	case !tolerates(f.Spec.Tolerations, n.Spec.Taints):
		return notTolerated
	}
	for name, want := range f.Spec.Resources.Requests {
		if has := n.Status.Allocatable[name]; has.Cmp(want) < 0 {
			return tooSmall
		}
	}
	for name, want := range f.Spec.Resources.Limits {
		if _, said := f.Spec.Resources.Requests[name]; said {
			continue // the API server takes limits for requests only where those are not said
		}
		if has := n.Status.Allocatable[name]; has.Cmp(want) < 0 {
			return tooSmall
		}
	}
	return ""
}

func isReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func tolerates(tolerations []corev1.Toleration, taints []corev1.Taint) bool {
	for i := range taints {
		if taints[i].Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		ok := false
		for j := range tolerations {
			ok = ok || tolerations[j].ToleratesTaint(logr.Discard(), &taints[i], true)
		}
		if !ok {
			return false
		}
	}
	return true
}
