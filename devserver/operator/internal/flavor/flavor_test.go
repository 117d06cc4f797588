package flavor

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

func nodeThat(change func(n *corev1.Node)) corev1.Node {
	n := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"disk": "fast"}},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	change(&n)
	return n
}

func TestFit(t *testing.T) {
	t.Parallel()
	cpu := func(s string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(s)}
	}
	taint := func(effect corev1.TaintEffect) func(n *corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: effect}} }
	}
	as := func(n *corev1.Node) {}
	tests := map[string]struct {
		spec   devserverv1.DevServerFlavorSpec
		node   func(n *corev1.Node)
		scaled bool
		want   devserverv1.Schedulable
		why    string
	}{
		"fits":        {spec: devserverv1.DevServerFlavorSpec{NodeSelector: map[string]string{"disk": "fast"}, Resources: corev1.ResourceRequirements{Requests: cpu("4")}}, node: as, want: "Yes"},
		"too small":   {spec: devserverv1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{Requests: cpu("5")}}, node: as, want: "No", why: tooSmall},
		"limit only":  {spec: devserverv1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{Limits: cpu("5")}}, node: as, want: "No", why: tooSmall},
		"limit above": {spec: devserverv1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{Requests: cpu("1"), Limits: cpu("5")}}, node: as, want: "Yes"},
		"no GPU":      {spec: devserverv1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}}}, node: as, want: "No", why: tooSmall},
		"selector":    {spec: devserverv1.DevServerFlavorSpec{NodeSelector: map[string]string{"disk": "slow"}}, node: as, want: "No", why: notSelected},
		"taint":       {node: taint(corev1.TaintEffectNoSchedule), want: "No", why: notTolerated},
		"soft taint":  {node: taint(corev1.TaintEffectPreferNoSchedule), want: "Yes"},
		"tolerated":   {spec: devserverv1.DevServerFlavorSpec{Tolerations: []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}}, node: taint(corev1.TaintEffectNoSchedule), want: "Yes"},
		"cordoned":    {node: func(n *corev1.Node) { n.Spec.Unschedulable = true }, want: "No", why: notReady},
		"not ready":   {node: func(n *corev1.Node) { n.Status.Conditions = nil }, want: "No", why: notReady},
		"autoscaled":  {spec: devserverv1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{Requests: cpu("5")}}, node: as, scaled: true, want: "AUTOSCALED", why: "one may be made"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, why := fit(&devserverv1.DevServerFlavor{Spec: test.spec}, []corev1.Node{nodeThat(test.node)}, test.scaled)
			if got != test.want || !strings.Contains(why, test.why) {
				t.Errorf("got %s (%s), want %s (%s)", got, why, test.want, test.why)
			}
		})
	}
	if got, why := fit(&devserverv1.DevServerFlavor{}, nil, false); got != devserverv1.SchedulableNo || why != "there is no node" {
		t.Errorf("without nodes: %s, %s", got, why)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	flavor := func(name string, isDefault bool) devserverv1.DevServerFlavor {
		return devserverv1.DevServerFlavor{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: devserverv1.DevServerFlavorSpec{Default: isDefault}}
	}
	all := []devserverv1.DevServerFlavor{flavor("c", true), flavor("a", true), flavor("b", false), flavor("d", true)}
	for i, want := range []string{"a, d", "c, d", "", "a, c"} {
		c := meta.FindStatusCondition(statusOf(&all[i], all, nil, false).Conditions, devserverv1.ConditionValid)
		if valid := c.Status == metav1.ConditionTrue; valid != (want == "") || !strings.Contains(c.Message, want) || !valid && !strings.HasPrefix(c.Message, "spec.default: ") {
			t.Errorf("%s: %+v, want %q", all[i].Name, c, want)
		}
	}
}
