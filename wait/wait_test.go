package wait_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/wait"
)

var template = corev1.PodTemplateSpec{
	ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
	Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "web", Image: "web"}}},
}

func pod(name string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec = *template.Spec.DeepCopy()
	p.Spec.SchedulerName = "none" // nobody else writes its status
	return p
}

func deployment(name string, replicas, progressDeadline int32) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
	d.Spec.Replicas, d.Spec.ProgressDeadlineSeconds = &replicas, &progressDeadline
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: template.Labels}
	d.Spec.Template = *template.DeepCopy()
	return d
}

func job(name string, completions int32, deadline *int64) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}}
	j.Spec.Completions, j.Spec.ActiveDeadlineSeconds = &completions, deadline
	j.Spec.Template.Spec = *template.Spec.DeepCopy()
	j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return j
}

// create makes an object in a namespace of the test's own.
func create[T kubesdk.Object](t *testing.T, obj T) kubesdk.Resource[T] {
	t.Helper()
	c := kubetest.Start(t)
	r := kubesdk.For[T](c.Client).Namespace(kubetest.Namespace(t, c.Client))
	if _, err := r.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	return r
}

const soon = 20 * time.Second

func TestForReturnsAtOnceWhatIsTrue(t *testing.T) {
	t.Parallel()
	pods := create(t, pod("web"))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	got, err := wait.For(ctx, pods, "web", wait.Exists)
	if err != nil || got.GetName() != "web" || got.Kind != "Pod" {
		t.Errorf("%v, %v", got, err)
	}
	none, err := wait.For(ctx, pods, "other", wait.Deleted[*corev1.Pod](""))
	if err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
}

func TestForSeesAChange(t *testing.T) {
	t.Parallel()
	pods := create(t, pod("web"))
	var change sync.WaitGroup
	defer change.Wait()
	change.Go(func() {
		time.Sleep(300 * time.Millisecond)
		p, err := pods.Get(t.Context(), "web")
		if err != nil {
			t.Error(err)
			return
		}
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		if _, err := pods.Status().Replace(t.Context(), p); err != nil {
			t.Error(err)
		}
	})
	running := func(p *corev1.Pod, exists bool) (bool, error) {
		return exists && p.Status.Phase == corev1.PodRunning, nil
	}
	got, err := wait.For(t.Context(), pods, "web", wait.And(running, wait.HasCondition[*corev1.Pod]("Ready", "True")), wait.Timeout(soon))
	if err != nil || got.Status.Phase != corev1.PodRunning {
		t.Errorf("%v, %v", got, err)
	}
}

// Deleted is about the object, not the name.
func TestForDeletedByUID(t *testing.T) {
	t.Parallel()
	pods := create(t, pod("web"))
	first, err := pods.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := wait.For(t.Context(), pods, "web", wait.Deleted[*corev1.Pod](first.UID), wait.Timeout(soon))
		done <- err
	}()
	if err := pods.Delete(t.Context(), "web", kubesdk.GracePeriod(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := pods.Create(t.Context(), pod("web")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := wait.For(t.Context(), pods, "web", wait.Deleted[*corev1.Pod](first.UID), wait.Timeout(soon)); err != nil {
		t.Errorf("with another one under the name: %v", err)
	}
}

func TestForDeadlineTellsTheLastState(t *testing.T) {
	t.Parallel()
	pods := create(t, pod("web"))
	p, err := pods.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Phase = corev1.PodPending
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", Message: "containers with unready status: [web]"}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}}
	if _, err := pods.Status().Replace(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got, err := wait.For(t.Context(), pods, "web", wait.HasCondition[*corev1.Pod]("Ready", "True"), wait.Timeout(time.Second))
	if !errors.Is(err, context.DeadlineExceeded) || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	for _, want := range []string{
		"wait: watch pods ", "/web: context deadline exceeded: it took longer than 1s; last seen: resourceVersion ",
		"phase Pending", "Ready=False (ContainersNotReady: containers with unready status: [web])", "container web waits (ImagePullBackOff)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if _, err = wait.For(t.Context(), pods, "other", wait.Exists, wait.Timeout(time.Second)); err == nil || !strings.Contains(err.Error(), "there is no such object") {
		t.Errorf("of an object that does not exist: %v", err)
	}
	held := pods.With()
	p.Finalizers = []string{"example.com/hold"}
	p.ResourceVersion = ""
	if _, err := held.Replace(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Finalizers = nil
		_, _ = held.Replace(context.Background(), p) //nolint:usetesting // the test's context is over
	})
	if err := held.Delete(t.Context(), "web", kubesdk.GracePeriod(0)); err != nil {
		t.Fatal(err)
	}
	_, err = wait.For(t.Context(), held, "web", wait.Deleted[*corev1.Pod](p.UID), wait.Timeout(time.Second))
	if err == nil || !strings.Contains(err.Error(), "being deleted since 2") || !strings.Contains(err.Error(), "held by the finalizers example.com/hold") {
		t.Errorf("of an object with a finalizer: %v", err)
	}
}

func TestForJobs(t *testing.T) {
	t.Parallel()
	jobs := create(t, job("nothing-to-do", 0, nil))
	if _, err := wait.For(t.Context(), jobs, "nothing-to-do", wait.JobComplete, wait.Timeout(soon)); err != nil {
		t.Error(err)
	}
	second := int64(1)
	if _, err := jobs.Create(t.Context(), job("late", 1, &second)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err := wait.For(t.Context(), jobs, "late", wait.JobComplete, wait.Timeout(time.Minute))
	if !errors.Is(err, wait.ErrFailed) || !strings.Contains(err.Error(), "Job ") || !strings.Contains(err.Error(), "DeadlineExceeded") || time.Since(start) > soon {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestForDeployments(t *testing.T) {
	t.Parallel()
	deployments := create(t, deployment("none", 0, 600))
	if _, err := wait.For(t.Context(), deployments, "none", wait.DeploymentRolledOut, wait.Timeout(soon)); err != nil {
		t.Error(err)
	}
	if _, err := deployments.Create(t.Context(), deployment("stuck", 1, 1)); err != nil { // no node: its pod never runs
		t.Fatal(err)
	}
	_, err := wait.For(t.Context(), deployments, "stuck", wait.DeploymentRolledOut, wait.Timeout(time.Minute))
	if !errors.Is(err, wait.ErrFailed) || !strings.Contains(err.Error(), "ProgressDeadlineExceeded") || !strings.Contains(err.Error(), "1 wanted") {
		t.Error(err)
	}
}

func TestForUntypedObjects(t *testing.T) {
	t.Parallel()
	deployments := create(t, deployment("web", 0, 600))
	found, err := deployments.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	info := kubesdk.TypeInfo{GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("Deployment")}
	dynamic := kubesdk.For[*unstructured.Unstructured](kubetest.Start(t).Client, kubesdk.Type(info)).Namespace(found.Namespace)
	got, err := wait.For(t.Context(), dynamic, "web", wait.And(wait.DeploymentRolledOut[*unstructured.Unstructured], wait.HasCondition[*unstructured.Unstructured]("Available", "True")), wait.Timeout(soon))
	if err != nil || got.GetKind() != "Deployment" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestForEndsWithWhatCannotHeal(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t)
	start := time.Now()
	_, err := wait.For(t.Context(), kubesdk.For[*corev1.Pod](c.Client), "web", wait.Exists, wait.Timeout(soon))
	if err == nil || !strings.Contains(err.Error(), "needs a namespace") {
		t.Errorf("without a namespace: %v", err)
	}
	config := c.Config()
	config.Impersonate.UserName = "nobody"
	nobody, err := kubesdk.New(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wait.For(t.Context(), kubesdk.For[*corev1.Pod](nobody).Namespace("default"), "web", wait.Exists, wait.Timeout(soon))
	if !errors.Is(err, kubesdk.ErrForbidden) || !strings.Contains(err.Error(), "its state was never seen") {
		t.Errorf("forbidden: %v", err)
	}
	if time.Since(start) > soon/2 {
		t.Errorf("it took %s to give up", time.Since(start))
	}
}

func TestForOutlivesFaults(t *testing.T) {
	t.Parallel()
	pods := create(t, pod("web"))
	found, err := pods.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.Start(t, kubetest.Start(t).Config())
	c, err := kubesdk.New(proxy.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far := kubesdk.For[*corev1.Pod](c).Namespace(found.Namespace)
	proxy.Fail(1, faultproxy.Watches, faultproxy.Answer(500))
	proxy.Fail(1, faultproxy.Watches, faultproxy.Drop)
	proxy.Fail(1, faultproxy.Watches, faultproxy.CutAfter(200))
	if _, err := wait.For(t.Context(), far, "web", wait.Exists, wait.Timeout(soon)); err != nil {
		t.Error(err)
	}
	proxy.Heal()
	proxy.Fail(-1, nil, faultproxy.Answer(503))
	_, err = wait.For(t.Context(), far, "web", wait.Exists, wait.Timeout(time.Second))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "its state was never seen; the watch was failing: list pods") {
		t.Error(err)
	}
}

func TestForCanceled(t *testing.T) {
	t.Parallel()
	pods := create(t, pod("web"))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := wait.For(ctx, pods, "web", wait.Deleted[*corev1.Pod]("")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
