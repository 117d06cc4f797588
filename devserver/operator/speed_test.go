package operator_test

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	speedRounds = 3
	// overhead is what a DevServer may take longer than a bare pod of the same image, on a machine with time to spare: that is
	// one on which the bare pod takes a second.
	overhead = 1500 * time.Millisecond
)

// TestCreateToRunning measures a DevServer beside what kubectl run makes: a pod with one container. The two take turns, and
// the median counts. It is left out of short runs, as it wants the machine for itself.
func TestCreateToRunning(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	n := node(t) // not parallel: tests that are wait for this one
	small := n.small()
	pods := kubesdk.For[*corev1.Pod](n.Client).Namespace(n.namespace)
	bare := func() time.Duration {
		start := time.Now()
		p, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "bare-"}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers:                    []corev1.Container{{Name: "main", Image: busybox}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range pods.Watch(t.Context(), kubesdk.Fields("metadata.name="+p.Name)) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Object != nil && slices.ContainsFunc(e.Object.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			}) {
				break
			}
		}
		took := time.Since(start)
		if err := pods.Delete(t.Context(), p.Name); err != nil {
			t.Fatal(err)
		}
		return took
	}
	server := func() time.Duration {
		start := time.Now()
		s, err := n.servers.Create(t.Context(), &v1.DevServer{ObjectMeta: metav1.ObjectMeta{GenerateName: "server-"}, Spec: v1.DevServerSpec{Flavor: small, Image: busybox}})
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range n.servers.Watch(t.Context(), kubesdk.Fields("metadata.name="+s.Name)) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Object != nil && e.Object.Status.Phase == v1.PhaseRunning {
				break
			}
		}
		took := time.Since(start)
		n.remove(s.Name)
		return took
	}
	var bares, servers, more []time.Duration
	for range speedRounds {
		b, s := bare(), server()
		bares, servers, more = append(bares, b), append(servers, s), append(more, s-b)
	}
	t.Logf("bare pod %v, DevServer %v, difference %v (medians of %d)", median(bares), median(servers), median(more), speedRounds)
	allowed := max(overhead, time.Duration(float64(overhead)*median(bares).Seconds()))
	if got := median(more); got > allowed {
		t.Errorf("a DevServer takes %v longer than a bare pod, want at most %v", got, allowed)
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2].Round(time.Millisecond)
}
