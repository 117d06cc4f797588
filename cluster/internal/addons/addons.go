// Package addons creates the objects that every cluster of localkube has besides those that Kubernetes itself creates: the
// default StorageClass, the rights of its own components and, with a node, the Service of the cluster's DNS server.
package addons

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

//go:embed storage.yaml node.yaml
var manifests embed.FS

// FieldManager owns the fields of the objects that Apply applies.
const FieldManager = "localkube"

// Apply creates the objects that a cluster of this configuration has, or brings them back to what they should be.
func Apply(ctx context.Context, c dynamic.Interface, cfg state.Config) error {
	objects, err := Objects(cfg)
	if err != nil {
		return err
	}
	for _, o := range objects {
		gvr, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		_, err := c.Resource(gvr).Namespace(o.GetNamespace()).Apply(ctx, o.GetName(), o,
			metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// Objects are those that Apply applies.
func Objects(cfg state.Config) ([]*unstructured.Unstructured, error) {
	names := []string{"storage.yaml"}
	if cfg.Node {
		names = append(names, "node.yaml")
	}
	var objects []*unstructured.Unstructured
	for _, name := range names {
		data, err := manifests.ReadFile(name)
		if err != nil {
			return nil, err
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			var o unstructured.Unstructured
			err := decoder.Decode(&o.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
			objects = append(objects, &o)
		}
	}
	return objects, nil
}
