// Command peer-controller-runtime measures controller-runtime's client, without a cache, as client.New makes it.
package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

func main() { measure.Main(open) }

func open(_ context.Context, config *rest.Config) (map[string]measure.Work, error) {
	scheme := clientgoscheme.Scheme
	scheme.AddKnownTypes(object.ApplicationKind.GroupVersion(), &object.Application{}, &object.ApplicationList{})
	metav1.AddToGroupVersion(scheme, object.ApplicationKind.GroupVersion())
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	d := object.Deployment("bench", "shop")
	return map[string]measure.Work{
		"get": {Each: func(ctx context.Context, _ int) error {
			return c.Get(ctx, client.ObjectKey{Namespace: "bench", Name: "shop"}, &appsv1.Deployment{})
		}},
		"create": {Each: func(ctx context.Context, _ int) error {
			obj := *d // Create puts the answer into its argument
			return c.Create(ctx, &obj)
		}},
		"pods": {Whole: func(ctx context.Context, n int) error {
			var list corev1.PodList
			err := c.List(ctx, &list, client.InNamespace(object.Namespace(n)))
			if err == nil && len(list.Items) != n {
				err = fmt.Errorf("got %d pods, want %d", len(list.Items), n)
			}
			return err
		}},
		"applications": {Whole: func(ctx context.Context, n int) error {
			var list object.ApplicationList
			err := c.List(ctx, &list, client.InNamespace(object.Namespace(n)))
			if err == nil && len(list.Items) != n {
				err = fmt.Errorf("got %d applications, want %d", len(list.Items), n)
			}
			return err
		}},
		"watch": {Whole: func(ctx context.Context, n int) error {
			w, err := c.Watch(ctx, &corev1.PodList{}, client.InNamespace(object.Namespace(n)), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: object.Version, AllowWatchBookmarks: true}})
			if err != nil {
				return err
			}
			defer w.Stop()
			for range n {
				if _, ok := <-w.ResultChan(); !ok {
					return fmt.Errorf("the watch ended before %d events", n)
				}
			}
			return nil
		}},
	}, nil
}
