package pod_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

// writer is a pod whose container runs a script and, if asked for, is started again.
func scriptPod(name, script string, restart corev1.RestartPolicy) *corev1.Pod {
	p := podOf(name, busybox)
	p.Spec.RestartPolicy = restart
	p.Spec.Containers[0].Command = []string{"sh", "-c", script}
	return p
}

func texts(t *testing.T, target pod.Target, o pod.LogOptions) []string {
	t.Helper()
	var got []string
	for line, err := range pod.Logs(t.Context(), target, o) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Text)
	}
	return got
}

func TestLogs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 40_000)
	target := ownPod(t, scriptPod("logs", `for i in 1 2 3 4 5; do echo "line $i"; done; head -c 40000 /dev/zero | tr '\0' x; printf '\n\n\377 end'`, corev1.RestartPolicyNever))
	want := []string{"line 1", "line 2", "line 3", "line 4", "line 5", long, "", "\xff end"}
	if diff := cmp.Diff(want, texts(t, target, pod.LogOptions{Follow: true})); diff != "" {
		t.Errorf("followed, -want +got:\n%.500s", diff)
	}
	if diff := cmp.Diff(want, texts(t, target, pod.LogOptions{})); diff != "" {
		t.Errorf("-want +got:\n%.500s", diff)
	}
	if got := texts(t, target, pod.LogOptions{Tail: 1}); len(got) != 1 {
		t.Errorf("tail: %.100q", got)
	}
	if got := texts(t, target, pod.LogOptions{Tail: -1}); len(got) != 0 {
		t.Errorf("no tail: %.100q", got)
	}
	if got := texts(t, target, pod.LogOptions{SinceTime: time.Now().Add(time.Hour)}); len(got) != 0 {
		t.Errorf("since: %.100q", got)
	}
	r := pod.LogReader(t.Context(), target, pod.LogOptions{Names: true, Timestamps: true})
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	if !strings.HasPrefix(first, "[logs main] 20") || !strings.HasSuffix(first, "Z line 1") {
		t.Errorf("first line %q", first)
	}
}

// TestLogsEnded reads what containers have left behind, and waits for one that has not begun.
func TestLogsEnded(t *testing.T) {
	t.Parallel()
	p := scriptPod("ended", "echo first; exit 3", corev1.RestartPolicyNever)
	init := p.Spec.Containers[0].DeepCopy()
	init.Name, init.Command = "init", []string{"sh", "-c", "echo before; sleep 1"}
	p.Spec.InitContainers = []corev1.Container{*init}
	target := ownPod(t, p)
	for range 2 { // the first waits for it, the second comes after its end
		if diff := cmp.Diff([]string{"first"}, texts(t, target, pod.LogOptions{Follow: true})); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if diff := cmp.Diff([]string{"before", "first"}, texts(t, target.ReadyWithin(0), pod.LogOptions{AllContainers: true})); diff != "" {
		t.Errorf("of all containers, -want +got:\n%s", diff)
	}

	again := ownPod(t, scriptPod("again", "cat /proc/sys/kernel/random/uuid; exit 4", corev1.RestartPolicyAlways))
	var previous []string
	for deadline := time.Now().Add(time.Minute); len(previous) == 0 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		for line, err := range pod.Logs(t.Context(), again, pod.LogOptions{Previous: true}) {
			if err != nil && !errors.Is(err, kubesdk.ErrBadRequest) { // there is none yet
				t.Fatal(err)
			}
			if err == nil {
				previous = append(previous, line.Text)
			}
		}
	}
	if len(previous) != 1 || len(previous[0]) != 36 {
		t.Errorf("previous: %q", previous)
	}
	if got := texts(t, again, pod.LogOptions{}); len(got) != 1 || len(got[0]) != 36 {
		t.Errorf("between two starts: %q", got)
	}

	never := podOf("never", "kubesdk.test/nothing:1")
	never.Spec.Containers[0].ImagePullPolicy = corev1.PullNever
	for _, err := range pod.Logs(t.Context(), ownPodUnchecked(t, never).ReadyWithin(3*time.Second), pod.LogOptions{}) {
		if !errors.Is(err, pod.ErrNotReady) || !strings.Contains(err.Error(), "ErrImageNeverPull") {
			t.Errorf("of a container that cannot start: %v", err)
		}
	}
}

// TestLogsCut follows a log through a proxy that cuts the connection again and again: no line may be missing or come twice.
func TestLogsCut(t *testing.T) {
	t.Parallel()
	const lines = 3000
	source := ownPod(t, scriptPod("cut", fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); [ $((i%%300)) != 0 ] || sleep 0.5; done", lines), corev1.RestartPolicyNever))
	c := node(t)
	cut, config := newCutter(t, c.Config())
	client, err := kubesdk.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ns, name, _ := strings.Cut(source.String(), "/")
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(200+i%7*50) * time.Millisecond):
				cut.cutAll()
			}
		}
	}()
	n := 0
	for line, err := range pod.Logs(t.Context(), pod.Named(client, ns, name).ReadyWithin(time.Minute), pod.LogOptions{Follow: true}) {
		if err != nil {
			t.Fatalf("after %d lines: %v", n, err)
		}
		if want := fmt.Sprint("line ", n); line.Text != want {
			t.Fatalf("got %q, want %q", line.Text, want)
		}
		n++
	}
	if n != lines {
		t.Errorf("%d of %d lines", n, lines)
	}
}

// TestLogsRestart follows a container that is started again, and reads what it wrote before.
func TestLogsRestart(t *testing.T) {
	t.Parallel()
	target := ownPod(t, scriptPod("again", `for i in 1 2 3; do echo "$(cat /proc/sys/kernel/random/uuid) $i"; done; sleep 2`, corev1.RestartPolicyAlways))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seen := map[string]bool{}
	n := 0
	for line, err := range pod.Logs(ctx, target, pod.LogOptions{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[line.Text] {
			t.Errorf("%q came twice", line.Text)
		}
		if want := fmt.Sprint(" ", n%3+1); !strings.HasSuffix(line.Text, want) {
			t.Fatalf("line %d is %q", n, line.Text)
		}
		seen[line.Text] = true
		if n++; n == 9 {
			break
		}
	}
	previous := texts(t, target, pod.LogOptions{Previous: true})
	if len(previous) != 3 || !seen[previous[2]] {
		t.Errorf("previous: %q", previous)
	}
}

// TestLogsSelector merges the logs of several containers of several pods, one of which comes later.
func TestLogsSelector(t *testing.T) {
	t.Parallel()
	c := node(t)
	image(t, c, busybox)
	ns := kubetest.Namespace(t, c.Client)
	add := func(name string) {
		p := scriptPod(name, "for i in 1 2 3; do echo $i; sleep 0.2; done; sleep infinity", corev1.RestartPolicyNever)
		p.Labels["group"] = "all"
		other := p.Spec.Containers[0].DeepCopy()
		other.Name = "other"
		p.Spec.Containers = append(p.Spec.Containers, *other)
		create(t, c.Client, ns, p)
	}
	add("one")
	add("two")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	target := pod.Selected(c.Client, ns, "group=all")
	counts := map[string]int{}
	for line, err := range pod.Logs(ctx, target, pod.LogOptions{Follow: true, AllContainers: true}) {
		if err != nil {
			t.Fatal(err)
		}
		counts[line.Pod+" "+line.Container]++
		if line.Text != fmt.Sprint(counts[line.Pod+" "+line.Container]) {
			t.Errorf("line %+v", line)
		}
		total := 0
		for _, n := range counts {
			total += n
		}
		if total == 12 && len(counts) == 4 {
			add("three")
		}
		if total == 18 {
			break
		}
	}
	want := map[string]int{"one main": 3, "one other": 3, "two main": 3, "two other": 3, "three main": 3, "three other": 3}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
	last := time.Time{}
	n := 0
	for line, err := range pod.Logs(t.Context(), target, pod.LogOptions{AllContainers: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; line.Time.Before(last) {
			t.Errorf("%+v comes after %s", line, last)
		}
		last = line.Time
	}
	if n != 18 {
		t.Errorf("%d lines", n)
	}
}
