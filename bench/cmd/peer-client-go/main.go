// Command peer-client-go measures client-go's typed client.
package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

func main() { measure.Main(open) }

func open(_ context.Context, config *rest.Config) (map[string]measure.Work, error) {
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	d := object.Deployment("bench", "shop")
	return map[string]measure.Work{
		"get": {Each: func(ctx context.Context, _ int) error {
			_, err := c.AppsV1().Deployments("bench").Get(ctx, "shop", metav1.GetOptions{})
			return err
		}},
		"create": {Each: func(ctx context.Context, _ int) error {
			_, err := c.AppsV1().Deployments("bench").Create(ctx, d, metav1.CreateOptions{})
			return err
		}},
		"pods": {Whole: func(ctx context.Context, n int) error {
			list, err := c.CoreV1().Pods(object.Namespace(n)).List(ctx, metav1.ListOptions{})
			if err == nil && len(list.Items) != n {
				err = fmt.Errorf("got %d pods, want %d", len(list.Items), n)
			}
			return err
		}},
		"watch": {Whole: func(ctx context.Context, n int) error {
			w, err := c.CoreV1().Pods(object.Namespace(n)).Watch(ctx, metav1.ListOptions{ResourceVersion: object.Version, AllowWatchBookmarks: true})
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
