package operator_test

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/kubetest"
)

var scale = flag.String("scale", "15,60", "numbers of DevServers for TestScale, smallest first; 100,1000 is the full measurement")

// growth is what the API calls of a server may grow by from the smallest number of servers to the largest: batches of
// events fall differently, and that is all.
const growth = 1.25

// TestScale measures what servers cost the operator, and that it does not grow with their number. -v shows the numbers.
func TestScale(t *testing.T) {
	t.Parallel()
	var sizes []int
	for part := range strings.SplitSeq(*scale, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			t.Fatalf("-scale %s: %v", *scale, err)
		}
		sizes = append(sizes, n)
	}
	c := simulated(t, max(3, sizes[len(sizes)-1]/100))
	var costs []cost
	for _, n := range sizes {
		costs = append(costs, measure(t, c, n))
	}
	t.Logf("%-8s %-9s %14s %12s %12s %14s %10s", "servers", "step", "converged in", "calls/server", "CPU/server", "memory", "idle CPU")
	for _, c := range costs {
		for _, s := range c.steps {
			t.Logf("%-8d %-9s %14v %12.2f %12v %11.0f MB %10s", c.servers, s.name, s.took.Round(10*time.Millisecond),
				s.calls/float64(c.servers), (s.cpu / time.Duration(c.servers)).Round(10*time.Microsecond), s.memory/1e6, s.idle)
		}
	}
	first, last := costs[0], costs[len(costs)-1]
	for i := range first.steps {
		few, many := first.steps[i].calls/float64(first.servers), last.steps[i].calls/float64(last.servers)
		if many > few*growth+0.5 {
			t.Errorf("%s: %.2f API calls for each of %d servers, %.2f for each of %d", first.steps[i].name, few, first.servers, many, last.servers)
		}
	}
}

// cost of so many servers.
type cost struct {
	servers int
	steps   []step
}

type step struct {
	name   string
	took   time.Duration
	calls  float64
	cpu    time.Duration
	memory float64
	idle   string
}

// measure creates servers, changes their flavor, stops, resumes and deletes them, and restarts the operator between.
func measure(t *testing.T, c *kubetest.Cluster, n int) cost {
	t.Helper()
	ctx := t.Context()
	ns := kubetest.Namespace(t, c.Client)
	flavors := kubesdk.For[*v1.DevServerFlavor](c.Client)
	f, err := flavors.Create(ctx, &v1.DevServerFlavor{ObjectMeta: metav1.ObjectMeta{GenerateName: "scale-"}})
	if err != nil {
		t.Fatal(err)
	}
	servers := kubesdk.For[*v1.DevServer](c.Client).Namespace(ns)
	p := launch(t, c, "--leader-election=false")
	eventually(t, func() string { _, err := p.get(p.health, "/readyz"); return message(err) })
	result := cost{servers: n}
	record := func(name string, act func(), converged func(s *v1.DevServer) bool) {
		t.Helper()
		before, start := p.usage(), time.Now()
		act()
		within(t, patience+time.Duration(n)*500*time.Millisecond, func() string {
			if converged == nil {
				return message(p.quiet())
			}
			done := 0
			for s, err := range servers.All(ctx) {
				if err != nil {
					return err.Error()
				}
				if s.Status.ObservedGeneration == s.Generation && converged(s) {
					done++
				}
			}
			if done < n {
				time.Sleep(time.Duration(n) * time.Millisecond) // so that looking costs little beside what is looked at
				return fmt.Sprintf("%s: %d of %d", name, done, n)
			}
			return ""
		})
		took := time.Since(start)
		eventually(t, func() string { return message(p.quiet()) })
		after := p.usage()
		result.steps = append(result.steps, step{name: name, took: took, calls: after.writes + after.reads - before.writes - before.reads, cpu: after.cpu - before.cpu, memory: after.memory})
	}
	all := func(act func(name string) error) func() {
		return func() {
			t.Helper()
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					for j := i; j < n; j += 8 {
						if err := act(fmt.Sprintf("server-%d", j)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		}
	}
	running := func(s *v1.DevServer) bool { return s.Status.Phase == v1.PhaseRunning }
	record("create", all(func(name string) error {
		_, err := servers.Create(ctx, &v1.DevServer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1.DevServerSpec{Flavor: f.Name}})
		return err
	}), running)
	before, start := p.usage(), time.Now()
	time.Sleep(2 * time.Second)
	result.steps[0].idle = fmt.Sprintf("%.2f%%", 100*(p.usage().cpu-before.cpu).Seconds()/time.Since(start).Seconds())

	record("flavor", func() {
		if _, err := flavors.Mutate(ctx, f.Name, func(f *v1.DevServerFlavor) error {
			f.Spec.NodeSelector = map[string]string{corev1.LabelOSStable: "linux"}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		within(t, patience+time.Duration(n)*500*time.Millisecond, func() string {
			replaced := 0
			for set, err := range kubesdk.For[*appsv1.StatefulSet](c.Client).Namespace(ns).All(ctx) {
				if err != nil {
					return err.Error()
				}
				if st := set.Status; set.Spec.Template.Spec.NodeSelector != nil && st.ObservedGeneration == set.Generation && st.UpdatedReplicas == 1 && st.ReadyReplicas == 1 {
					replaced++
				}
			}
			if replaced < n {
				time.Sleep(time.Duration(n) * time.Millisecond)
				return fmt.Sprintf("%d of %d pods were replaced", replaced, n)
			}
			return ""
		})
	}, running)
	set := func(running bool) func(name string) error {
		return func(name string) error {
			_, err := servers.Mutate(ctx, name, func(s *v1.DevServer) error { s.Spec.Running = &running; return nil })
			return err
		}
	}
	record("stop", all(set(false)), func(s *v1.DevServer) bool { return s.Status.Phase == v1.PhaseStopped })
	record("resume", all(set(true)), running)
	p.stop()
	p = launch(t, c, "--leader-election=false")
	eventually(t, func() string { return message(p.busy(float64(n))) })
	eventually(t, func() string { return message(p.quiet()) })
	u := p.usage()
	result.steps = append(result.steps, step{name: "restart", calls: u.writes, cpu: u.cpu, memory: u.memory})
	record("delete", all(func(name string) error { return servers.Delete(ctx, name) }), nil)
	p.stop()
	if err := flavors.Delete(ctx, f.Name); err != nil {
		t.Fatal(err)
	}
	return result
}
