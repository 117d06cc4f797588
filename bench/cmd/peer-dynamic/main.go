// Command peer-dynamic measures client-go's dynamic client.
package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

func main() { measure.Main(open) }

func open(_ context.Context, config *rest.Config) (map[string]measure.Work, error) {
	c, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	applications := object.ApplicationKind.GroupVersion().WithResource(object.ApplicationPlural)
	return map[string]measure.Work{
		"get": {Each: func(ctx context.Context, _ int) error {
			_, err := c.Resource(deployments).Namespace("bench").Get(ctx, "shop", metav1.GetOptions{})
			return err
		}},
		"applications": {Whole: func(ctx context.Context, n int) error {
			list, err := c.Resource(applications).Namespace(object.Namespace(n)).List(ctx, metav1.ListOptions{})
			if err == nil && len(list.Items) != n {
				err = fmt.Errorf("got %d applications, want %d", len(list.Items), n)
			}
			return err
		}},
	}, nil
}
