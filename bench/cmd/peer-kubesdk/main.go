// Command peer-kubesdk measures this SDK.
package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

func main() { measure.Main(open) }

func open(_ context.Context, config *rest.Config) (map[string]measure.Work, error) {
	c, err := kubesdk.New(config)
	if err != nil {
		return nil, err
	}
	deployments := kubesdk.For[*appsv1.Deployment](c).Namespace("bench")
	pods := kubesdk.For[*corev1.Pod](c)
	applications := kubesdk.For[*object.Application](c)
	untyped := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: object.ApplicationKind, Plural: object.ApplicationPlural, Namespaced: true,
	}))
	d := object.Deployment("bench", "shop")
	return map[string]measure.Work{
		"get": {Each: func(ctx context.Context, _ int) error {
			_, err := deployments.Get(ctx, "shop")
			return err
		}},
		"create": {Each: func(ctx context.Context, _ int) error {
			_, err := deployments.Create(ctx, d)
			return err
		}},
		"pods":                 {Whole: func(ctx context.Context, n int) error { return list(ctx, pods, n) }},
		"pods-all":             {Whole: func(ctx context.Context, n int) error { return all(ctx, pods, n) }},
		"applications":         {Whole: func(ctx context.Context, n int) error { return list(ctx, applications, n) }},
		"applications-all":     {Whole: func(ctx context.Context, n int) error { return all(ctx, applications, n) }},
		"applications-untyped": {Whole: func(ctx context.Context, n int) error { return all(ctx, untyped, n) }},
		"watch":                {Whole: func(ctx context.Context, n int) error { return watch(ctx, pods, n) }},
		"watch-from": {Whole: func(ctx context.Context, n int) error {
			return watch(ctx, pods, n, kubesdk.ResourceVersion(object.Version))
		}},
	}, nil
}

func list[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], n int) error {
	got, err := r.Namespace(object.Namespace(n)).List(ctx)
	if err == nil && len(got.Items) != n {
		err = fmt.Errorf("got %d objects, want %d", len(got.Items), n)
	}
	return err
}

func all[T kubesdk.Object](ctx context.Context, r kubesdk.Resource[T], n int) error {
	seen := 0
	for _, err := range r.Namespace(object.Namespace(n)).All(ctx) {
		if err != nil {
			return err
		}
		seen++
	}
	if seen != n {
		return fmt.Errorf("got %d objects, want %d", seen, n)
	}
	return nil
}

func watch(ctx context.Context, pods kubesdk.Resource[*corev1.Pod], n int, opts ...kubesdk.WatchOption) error {
	seen := 0
	for ev, err := range pods.Namespace(object.Namespace(n)).Watch(ctx, opts...) {
		if err != nil {
			return err
		}
		if ev.Object != nil {
			seen++
		}
		if seen == n {
			return nil
		}
	}
	return fmt.Errorf("the watch ended after %d of %d events", seen, n)
}
