package pod_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk/pod"
)

// TestAttach sends input when it has seen output: the container runtime begins to pass on input before it does so with
// output, so that the answer to what comes too soon is lost.
func TestAttach(t *testing.T) {
	t.Parallel()
	p := scriptPod("attach", `while :; do echo wait; sleep 0.1; done & while read -r x; do kill $! 2>/dev/null; echo "got $x"; [ "$x" != end ] || { sleep 1; exit 7; }; done`, corev1.RestartPolicyNever)
	p.Spec.Containers[0].Stdin = true
	target := ownPod(t, p)
	var out bytes.Buffer
	input, feed := io.Pipe()
	var once sync.Once
	cmd := pod.Attach(target)
	cmd.Stdin = input
	cmd.Stdout = writerFunc(func(b []byte) (int, error) {
		once.Do(func() { go func() { _, _ = io.WriteString(feed, "one\ntwo\nend\n") }() })
		return out.Write(b)
	})
	err := cmd.Run(t.Context())
	check(t, err, 7)
	if got := strings.ReplaceAll(out.String(), "wait\n", ""); got != "got one\ngot two\ngot end\n" {
		t.Errorf("got %q", got)
	}
}

func TestDebug(t *testing.T) {
	t.Parallel()
	target := ownPod(t, podOf("bare", distroless))
	image(t, node(t), busybox)
	debug, err := pod.Debug(t.Context(), target, pod.DebugOptions{Image: busybox})
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, debug, "ls /proc/1/root/; tr '\\0' ' ' </proc/1/cmdline"); !strings.Contains(got, "program") {
		t.Errorf("the debug container does not see the other: %q", got)
	}
}

// TestNotReady: why a container does not run is said, and one that comes is waited for.
func TestNotReady(t *testing.T) {
	t.Parallel()
	missing := podOf("missing-image", "kubesdk.test/nothing:1")
	missing.Spec.Containers[0].ImagePullPolicy = corev1.PullNever
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		says string
	}{
		"image": {missing, "ErrImageNeverPull"},
		"ended": {scriptPod("ended", "echo broken >/dev/termination-log; exit 3", corev1.RestartPolicyNever), "exit code 3"},
		"crash": {scriptPod("crash", "exit 4", corev1.RestartPolicyAlways), "exit code 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := ownPodUnchecked(t, test.pod).ReadyWithin(4 * time.Second)
			var err error
			for range 20 { // the last runs for a moment each time
				if err = pod.Command(target, "sleep", "1000").Run(t.Context()); errors.Is(err, pod.ErrNotReady) {
					break
				}
			}
			if !errors.Is(err, pod.ErrNotReady) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want one that says %s", err, test.says)
			}
		})
	}
}
