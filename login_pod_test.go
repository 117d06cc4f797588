package kubesdk_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

// In a pod, Login needs nothing but the service account that is mounted.
func TestLoginInPod(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Node(t)
	if os.Getenv("KUBESDK_TEST_KUBECONFIG") != "" {
		t.Skip("the image of the test program can only be loaded into a node of localkube")
	}
	const image = "kubesdk.test/inpod:1"
	root := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(root, "inpod"), "./testdata/inpod")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	load := exec.CommandContext(t.Context(), kubetest.Localkube(t), "image", "build", "--cluster", "kubetest-node", "--rootfs", root, "--name", image, "--entrypoint", "/inpod")
	for _, cmd := range []*exec.Cmd{build, load} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	ns := kubetest.Namespace(t, cluster.Client)
	pods := kubesdk.For[*corev1.Pod](cluster.Client).Namespace(ns)
	must[*corev1.Pod](t)(pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "main", Image: image, ImagePullPolicy: corev1.PullNever}},
	}}))
	var pod *corev1.Pod
	eventually(t, "the program has ended", func(ctx context.Context) (bool, error) {
		var err error
		pod, err = pods.Get(ctx, "a")
		return err == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed), err
	})
	ended := pod.Status.ContainerStatuses[0].State.Terminated
	if want := "system:serviceaccount:" + ns + ":default in " + ns; ended == nil || ended.ExitCode != 0 || ended.Message != want {
		t.Errorf("the container ended with %+v, want the message %q", ended, want)
	}
}
