package headline

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	typedappsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubesdk/kubesdk"
)

// Client does the four things on the Deployments of one namespace.
type Client interface {
	Create(ctx context.Context, d *appsv1.Deployment) error
	Get(ctx context.Context, name string) error
	// Watch returns when it was told of n Deployments.
	Watch(ctx context.Context, n int) error
	Delete(ctx context.Context, name string) error
}

// Clients are the names that [New] knows.
var Clients = []string{"kubesdk", "client-go", "controller-runtime"}

// New makes a client of one of the libraries.
func New(name string, config *rest.Config, namespace string) (Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // no limit on this side, as kubesdk has none
	switch name {
	case "kubesdk":
		c, err := kubesdk.New(config)
		if err != nil {
			return nil, err
		}
		return sdk{kubesdk.For[*appsv1.Deployment](c).Namespace(namespace)}, nil
	case "client-go":
		c, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		return typed{c.AppsV1().Deployments(namespace)}, nil
	case "controller-runtime":
		scheme := runtime.NewScheme()
		if err := appsv1.AddToScheme(scheme); err != nil {
			return nil, err
		}
		c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
		if err != nil {
			return nil, err
		}
		return controllerRuntime{c, namespace}, nil
	default:
		return nil, fmt.Errorf("no client is called %q, only %q", name, Clients)
	}
}

type sdk struct {
	r kubesdk.Resource[*appsv1.Deployment]
}

func (c sdk) Create(ctx context.Context, d *appsv1.Deployment) error {
	_, err := c.r.Create(ctx, d)
	return err
}

func (c sdk) Get(ctx context.Context, name string) error {
	_, err := c.r.Get(ctx, name)
	return err
}

func (c sdk) Watch(ctx context.Context, n int) error {
	for ev, err := range c.r.Watch(ctx) {
		if err != nil {
			return err
		}
		if ev.Type == kubesdk.Added {
			n--
		}
		if n == 0 {
			return nil
		}
	}
	return errWatchEnded
}

func (c sdk) Delete(ctx context.Context, name string) error { return c.r.Delete(ctx, name) }

type typed struct {
	d typedappsv1.DeploymentInterface
}

func (c typed) Create(ctx context.Context, d *appsv1.Deployment) error {
	_, err := c.d.Create(ctx, d, metav1.CreateOptions{})
	return err
}

func (c typed) Get(ctx context.Context, name string) error {
	_, err := c.d.Get(ctx, name, metav1.GetOptions{})
	return err
}

func (c typed) Watch(ctx context.Context, n int) error {
	w, err := c.d.Watch(ctx, metav1.ListOptions{AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	return count(w, n)
}

func (c typed) Delete(ctx context.Context, name string) error {
	return c.d.Delete(ctx, name, metav1.DeleteOptions{})
}

type controllerRuntime struct {
	c         client.WithWatch
	namespace string
}

func (c controllerRuntime) Create(ctx context.Context, d *appsv1.Deployment) error {
	return c.c.Create(ctx, d)
}

func (c controllerRuntime) Get(ctx context.Context, name string) error {
	return c.c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &appsv1.Deployment{})
}

func (c controllerRuntime) Watch(ctx context.Context, n int) error {
	w, err := c.c.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace(c.namespace), &client.ListOptions{Raw: &metav1.ListOptions{AllowWatchBookmarks: true}})
	if err != nil {
		return err
	}
	return count(w, n)
}

func (c controllerRuntime) Delete(ctx context.Context, name string) error {
	return c.c.Delete(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}})
}

var errWatchEnded = errors.New("the watch ended before all objects were told of")

func count(w watch.Interface, n int) error {
	defer w.Stop()
	for ev := range w.ResultChan() {
		if ev.Type == watch.Added {
			n--
		}
		if n == 0 {
			return nil
		}
	}
	return errWatchEnded
}
