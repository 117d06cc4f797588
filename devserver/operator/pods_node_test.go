package operator_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/pod"
)

// TestDistributed has workers find each other, with what torchrun reads from the environment.
func TestDistributed(t *testing.T) {
	t.Parallel()
	n := node(t)
	n.create("team", v1.DevServerSpec{
		Flavor: n.small(), Mode: v1.ModeDistributed,
		Distributed: &v1.DistributedSpec{WorldSize: 2, NprocsPerNode: 4, Backend: "gloo", NCCLSettings: map[string]string{"NCCL_DEBUG": "INFO $(HOME)"}},
		Env:         []corev1.EnvVar{{Name: "LOGNAME", Value: "team"}},
		InitScript:  "worker > ~/heard", // the first hears the second, before either is ready
	})
	s := n.awaitPhase("team", v1.PhaseRunning)
	if s.Status.ReadyWorkers != 2 || s.Status.PodName != "team-0" {
		t.Errorf("the status is %+v", s.Status)
	}
	for rank, podName := range []string{"team-0", "team-1"} {
		want := fmt.Sprintf("8 2 4 %d %d team-0.team-workers 29500|2 4 %d team-0.team-workers 29500|gloo INFO $(HOME) team", rank, rank, rank)
		got := n.shIn(podName, `echo "$WORLD_SIZE $NNODES $NPROC_PER_NODE $RANK $NODE_RANK $MASTER_ADDR $MASTER_PORT|$PET_NNODES $PET_NPROC_PER_NODE $PET_NODE_RANK $PET_MASTER_ADDR $PET_MASTER_PORT|$DISTRIBUTED_BACKEND $NCCL_DEBUG $LOGNAME"`)
		if got != want {
			t.Errorf("%s has\n%s, want\n%s", podName, got, want)
		}
	}
	if got := n.shIn("team-0", "cat ~/heard"); got != "hello of 1" {
		t.Errorf("the first worker heard %q", got)
	}
	n.change("team", func(s *v1.DevServer) { s.Spec.Distributed.WorldSize, s.Spec.InitScript = 1, "" })
	n.await("team", func(s *v1.DevServerStatus) bool { return s.Phase == v1.PhaseRunning && s.ReadyWorkers == 1 })
}

// TestReasons has servers that cannot run, and what they say about it.
func TestReasons(t *testing.T) {
	t.Parallel()
	n := node(t)
	small := n.small()
	ctx := t.Context()
	n.create("huge", v1.DevServerSpec{Flavor: n.flavor(v1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("900")},
	}})})
	n.create("image", v1.DevServerSpec{Flavor: small, Image: "registry.invalid/nothing:1"})
	n.create("script", v1.DevServerSpec{Flavor: small, InitScript: "echo before\necho \"$HOME $$\" >/dev/null\necho cannot find the $(echo thing) >&2\nexit 3"})
	n.create("secret", v1.DevServerSpec{Flavor: small, Env: []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "absent"}, Key: "token"},
	}}}})
	n.create("shell", v1.DevServerSpec{Flavor: small, Image: distroless, InitScript: "echo"})

	n.create("class", v1.DevServerSpec{Flavor: small, PersistentHome: &v1.PersistentHomeSpec{Enabled: true, StorageClassName: new("absent")}})
	n.says("class", v1.ReasonUnschedulable, "class-home (of storage class absent)")
	n.says("huge", v1.ReasonUnschedulable, "Insufficient cpu")
	n.says("image", v1.ReasonImagePullFailed, `"registry.invalid/nothing:1"`)
	s := n.says("script", v1.ReasonInitScriptFailed, "spec.initScript", "exit status 3", "before", "cannot find the thing")
	if s.Status.Phase != v1.PhaseFailed {
		t.Errorf("the status is %+v", s.Status)
	}
	n.says("secret", v1.ReasonContainerRefused, `"absent"`)
	n.says("shell", v1.ReasonInitScriptFailed, "/bin/sh")
	n.awaitEvent("huge", corev1.EventTypeWarning, v1.ReasonUnschedulable, "Insufficient cpu")
	n.awaitEvent("script", corev1.EventTypeWarning, v1.ReasonInitScriptFailed, "cannot find the thing")

	// They heal when their cause goes.
	n.change("image", func(s *v1.DevServer) { s.Spec.Image = busybox })
	n.change("script", func(s *v1.DevServer) { s.Spec.InitScript = "true" })
	n.change("huge", func(s *v1.DevServer) { s.Spec.Flavor = small })
	for _, name := range []string{"image", "script", "huge"} {
		n.awaitPhase(name, v1.PhaseRunning)
	}

	quotas := kubesdk.For[*corev1.ResourceQuota](n.Client).Namespace(n.namespace)
	if _, err := quotas.Create(ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("1Mi")},
	}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { // a new quota counts when its controller has seen it
		q, err := quotas.Get(ctx, "few")
		if err != nil || q.Status.Hard == nil {
			return fmt.Sprintf("no quota yet: %v", err)
		}
		return ""
	})
	n.create("quota", v1.DevServerSpec{Flavor: small})
	n.says("quota", v1.ReasonQuotaExceeded, "quota", "requests.memory")
	n.awaitEvent("quota", corev1.EventTypeWarning, v1.ReasonQuotaExceeded, "requests.memory")
	if err := quotas.Delete(ctx, "few"); err != nil {
		t.Fatal(err)
	}
	n.awaitPhase("quota", v1.PhaseRunning)
}

// TestAgent looks at what the first process does.
func TestAgent(t *testing.T) {
	t.Parallel()
	n := node(t)
	small := n.small()
	n.create("bare", v1.DevServerSpec{Flavor: small, Image: distroless})
	n.create("scripted", v1.DevServerSpec{Flavor: small, PersistentHome: &v1.PersistentHomeSpec{Enabled: true},
		InitScript: "sleep 2; echo \"$(id -u) $PWD\" > ~/ran\nsleep 3000 &\n(trap 'sleep 0.3; echo ended > ~/trapped; exit' TERM; while :; do sleep 0.1; done) &"})

	n.awaitPhase("bare", v1.PhaseRunning)
	out, err := pod.Command(pod.Named(n.Client, n.namespace, "bare-0"), "/devserver-agent", "help").Output(t.Context())
	if err != nil || !strings.Contains(string(out), "usage") {
		t.Errorf("a command in an image without shell: %v, %s", err, out)
	}

	// Not Running before the script has ended.
	for e, err := range n.servers.Watch(t.Context(), kubesdk.Fields("metadata.name=scripted")) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Object != nil && e.Object.Status.Phase == v1.PhaseRunning {
			break
		}
	}
	if got := n.sh("scripted", "cat ~/ran; ps -o args | grep -c '^sleep 3000'"); got != "1000 /home/dev\n1" {
		t.Errorf("the script left %s", got)
	}
	// Orphans are reaped: their parents are gone when they end.
	n.sh("scripted", "for i in 1 2 3 4 5; do (sleep 0.1 &); done")
	eventually(t, func() string {
		if got := n.sh("scripted", "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l"); got != "0" {
			return got + " zombies"
		}
		return ""
	})
	// Processes get to end when the server stops.
	n.change("scripted", func(s *v1.DevServer) { s.Spec.Running = new(false) })
	n.awaitPhase("scripted", v1.PhaseStopped)
	n.change("scripted", func(s *v1.DevServer) { s.Spec.Running = new(true); s.Spec.InitScript = "" })
	n.awaitPhase("scripted", v1.PhaseRunning)
	if got := n.sh("scripted", "cat ~/trapped"); got != "ended" {
		t.Errorf("the process left %s", got)
	}
}
