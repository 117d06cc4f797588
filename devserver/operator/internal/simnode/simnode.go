// Package simnode stands in for nodes in tests of many pods: it makes Node objects, keeps them ready, and says of the pods
// that the scheduler puts there that they run. Everything else is real: API server, scheduler, controllers.
package simnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/patch"
)

const (
	prefix = "simulated-"
	// hostname is the one that localkube binds its volumes to.
	hostname = "localkube"
	// renewal of a node's lease: the node lifecycle controller waits 40 s.
	renewal = 10 * time.Second
	// atOnce is how many pods are worked on at a time.
	atOnce = 16
)

// Run makes n nodes and is their kubelet until the context is done. It returns once the nodes are there; the function that
// it returns waits for the end, and deletes them.
func Run(ctx context.Context, c *kubesdk.Client, n int) (end func(), err error) {
	s := &nodes{client: c, n: n}
	for i := range n {
		if err := s.join(ctx, i); err != nil {
			return nil, fmt.Errorf("simulate a node: %w", err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.renew(ctx) })
	wg.Go(func() { s.work(ctx) })
	return func() {
		wg.Wait()
		s.leave()
	}, nil
}

type nodes struct {
	client *kubesdk.Client
	n      int
}

func name(i int) string { return fmt.Sprintf("%s%d", prefix, i) }

func (s *nodes) join(ctx context.Context, i int) error {
	list := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("4Ti"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name(i), Labels: map[string]string{corev1.LabelHostname: hostname, corev1.LabelOSStable: "linux"}},
		Status: corev1.NodeStatus{
			Capacity: list, Allocatable: list,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Simulated", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}},
		},
	}
	if err := s.lease(ctx, i); err != nil {
		return err
	}
	_, err := kubesdk.For[*corev1.Node](s.client).CreateOrUpdate(ctx, node)
	return err
}

func (s *nodes) lease(ctx context.Context, i int) error {
	leases := kubesdk.For[*coordinationv1.Lease](s.client).Namespace(corev1.NamespaceNodeLease)
	_, err := leases.CreateOrUpdate(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name(i)},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new(name(i)), LeaseDurationSeconds: new(int32(40)), RenewTime: new(metav1.NowMicro())},
	})
	return err
}

func (s *nodes) renew(ctx context.Context) {
	ticker := time.NewTicker(renewal)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for i := range s.n {
				_ = s.lease(ctx, i) // the next one may succeed
			}
		}
	}
}

// work runs and ends pods.
func (s *nodes) work(ctx context.Context) {
	queue := make(chan *corev1.Pod)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for p := range queue {
				s.sync(ctx, p)
			}
		})
	}
	pods := kubesdk.For[*corev1.Pod](s.client).AllNamespaces()
	for e, err := range pods.Watch(ctx) {
		if err != nil || e.Object == nil || e.Type == kubesdk.Deleted {
			continue
		}
		if p := e.Object; len(p.Spec.NodeName) > len(prefix) && p.Spec.NodeName[:len(prefix)] == prefix {
			queue <- p
		}
	}
	close(queue)
	wg.Wait()
}

// sync does what a kubelet would with a pod, at once.
func (s *nodes) sync(ctx context.Context, p *corev1.Pod) {
	pods := kubesdk.For[*corev1.Pod](s.client).Namespace(p.Namespace)
	switch {
	case p.DeletionTimestamp != nil:
		err := pods.Delete(ctx, p.Name, kubesdk.GracePeriod(0), kubesdk.Preconditions(metav1.Preconditions{UID: new(p.UID)}))
		if err != nil && !errors.Is(err, kubesdk.ErrNotFound) && !errors.Is(err, kubesdk.ErrConflict) && ctx.Err() == nil {
			fmt.Printf("simnode: end pod %s: %v\n", p.Name, err)
		}
	case p.Status.Phase == corev1.PodPending:
		_, err := pods.Status().Patch(ctx, p.Name, patch.Merge(map[string]any{"metadata": map[string]any{"uid": p.UID}, "status": running(p)}))
		if err != nil && !errors.Is(err, kubesdk.ErrNotFound) && !errors.Is(err, kubesdk.ErrConflict) && ctx.Err() == nil {
			fmt.Printf("simnode: run pod %s: %v\n", p.Name, err)
		}
	}
}

// running is the status of a pod whose containers run.
func running(p *corev1.Pod) corev1.PodStatus {
	now := metav1.Now()
	status := corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range p.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

func (s *nodes) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range s.n {
		_ = kubesdk.For[*corev1.Node](s.client).Delete(ctx, name(i)) // the cluster is the tests' own
		_ = kubesdk.For[*coordinationv1.Lease](s.client).Namespace(corev1.NamespaceNodeLease).Delete(ctx, name(i))
	}
}
