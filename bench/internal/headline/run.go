package headline

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

// Phase is what one of the four things took.
type Phase struct {
	Name    string // POST, GET, watch or DELETE
	Objects int
	Wall    time.Duration
	CPU     time.Duration // of this process
}

// Rate is objects per second.
func (p Phase) Rate() float64 { return float64(p.Objects) / p.Wall.Seconds() }

// PhaseNames are the phases in their order.
var PhaseNames = []string{"POST", "GET", "watch", "DELETE"}

// Run does the workload in a namespace of its own, which it deletes at the end.
func Run(ctx context.Context, config *rest.Config, name string, n, concurrency int) (_ []Phase, err error) {
	namespace := fmt.Sprintf("headline-%d", time.Now().UnixNano())
	remove, err := makeNamespace(ctx, config, namespace)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c, err := New(name, config, namespace)
	if err != nil {
		return nil, err
	}
	objects := make([]*appsv1.Deployment, n)
	for i := range objects {
		objects[i] = object.Deployment(namespace, fmt.Sprintf("shop-%06d", i))
	}
	each := func(f func(i int) error) func() error {
		return func() error { return measure.Parallel(n, concurrency, f) }
	}
	var phases []Phase
	for i, do := range []func() error{
		each(func(i int) error { return c.Create(ctx, objects[i]) }),
		each(func(i int) error { return c.Get(ctx, objects[i].Name) }),
		func() error { return c.Watch(ctx, n) },
		each(func(i int) error { return c.Delete(ctx, objects[i].Name) }),
	} {
		cpu, start := measure.CPU(), time.Now()
		if err := do(); err != nil {
			return nil, fmt.Errorf("%s with %s: %w", PhaseNames[i], name, err)
		}
		phases = append(phases, Phase{Name: PhaseNames[i], Objects: n, Wall: time.Since(start), CPU: measure.CPU() - cpu})
	}
	return phases, nil
}

// makeNamespace uses a client of its own, so that none of the measured ones is warm.
func makeNamespace(ctx context.Context, config *rest.Config, name string) (remove func() error, err error) {
	c, err := kubesdk.New(config)
	if err != nil {
		return nil, err
	}
	namespaces := kubesdk.For[*corev1.Namespace](c)
	if _, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		c.Close()
		return nil, err
	}
	return func() error {
		defer c.Close()
		return namespaces.Delete(context.WithoutCancel(ctx), name)
	}, nil
}
