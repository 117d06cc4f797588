package kubesdk

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk/internal/request"
)

// discover asks the server for the plural and the scope of a kind. What it learns is kept as long as the client.
func (c *Client) discover(ctx context.Context, gvk schema.GroupVersionKind) (TypeInfo, error) {
	if known, ok := c.kinds.Load(gvk); ok {
		return known.(TypeInfo), nil //nolint:forcetypeassert // nothing else is stored
	}
	one := &call{client: c, settings: c.defaults, kind: gvk, body: metav1.SchemeGroupVersion.WithKind("APIResourceList")}
	one.spec = request.Spec{Verb: request.List, Resource: request.Resource{GroupVersionResource: gvk.GroupVersion().WithResource("")}}
	var list metav1.APIResourceList
	if err := one.object(ctx, nil, &list); err != nil {
		return TypeInfo{GroupVersionKind: gvk}, fmt.Errorf("ask the server for the resource of %s: %w", gvk, err)
	}
	info := TypeInfo{GroupVersionKind: gvk}
	for _, r := range list.APIResources {
		if r.Kind == gvk.Kind && !strings.Contains(r.Name, "/") {
			info.Plural, info.Namespaced = r.Name, r.Namespaced
			c.kinds.Store(gvk, info)
			return info, nil
		}
	}
	return info, fmt.Errorf("the server serves %s, but has no kind %q in it", gvk.GroupVersion(), gvk.Kind)
}
