// Command customresource works with a custom resource by a Go type that is written by hand: CloudNativePG's Cluster. It
// installs a small version of the CustomResourceDefinition first, and removes it at the end; the operator is not needed.
//
//	go run ./examples/customresource
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/wait"
)

//go:embed crd.json
var definition []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) error {
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	remove, err := install(ctx, c)
	if err != nil {
		return err
	}
	defer remove()

	// From here on it is as with any other kind.
	clusters := kubesdk.For[*Cluster](c).Namespace(c.Namespace())
	created, err := clusters.Create(ctx, &Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: "example-pg"},
		Spec:       ClusterSpec{Instances: 1, Storage: Storage{Size: "1Gi"}},
	})
	if err != nil {
		return err
	}
	fmt.Println("Created:", created.Name)

	fetched, err := clusters.Get(ctx, "example-pg")
	if err != nil {
		return err
	}
	fmt.Printf("Fetched: %s, instances=%d\n", fetched.Name, fetched.Spec.Instances)

	changed := *fetched
	changed.Spec.Instances = 2
	updated, err := clusters.Update(ctx, &changed, kubesdk.From(fetched))
	if err != nil {
		return err
	}
	fmt.Printf("Updated: instances=%d, storage=%s\n", updated.Spec.Instances, updated.Spec.Storage.Size)

	// The definition's rules hold.
	changed.Spec.Instances = 0
	_, err = clusters.Update(ctx, &changed, kubesdk.From(updated))
	fmt.Println("Without instances it is invalid:", errors.Is(err, kubesdk.ErrInvalid))

	if err := clusters.Delete(ctx, "example-pg"); err != nil {
		return err
	}
	fmt.Println("Deleted")
	return nil
}

// install creates the CustomResourceDefinition, by a dynamic handle, and waits until the server serves the kind.
func install(ctx context.Context, c *kubesdk.Client) (remove func(), err error) {
	crds := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		Plural:           "customresourcedefinitions",
	}))
	crd := &unstructured.Unstructured{}
	if err := json.Unmarshal(definition, &crd.Object); err != nil {
		return nil, err
	}
	if _, err := crds.Create(ctx, crd); err != nil {
		return nil, fmt.Errorf("install the definition: %w", err)
	}
	remove = func() {
		if err := crds.Delete(context.WithoutCancel(ctx), crd.GetName()); err != nil {
			log.Print(err)
		}
	}
	established := wait.HasCondition[*unstructured.Unstructured]("Established", metav1.ConditionTrue)
	if _, err := wait.For(ctx, crds, crd.GetName(), established, wait.Timeout(time.Minute)); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}
