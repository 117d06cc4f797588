// Package devtest gives tests a cluster that knows the custom resources of devserver.io.
package devtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/devserver/deploy"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/wait"
)

var installed sync.Map // of kubeconfig paths: func() error

// Start is kubetest.Start with the custom resources. No operator runs there but those that tests start, each in their own
// process: tests keep to names of their own.
func Start(t testing.TB) *kubetest.Cluster {
	t.Helper()
	c := kubetest.Start(t)
	Install(t, c)
	return c
}

// Install puts the definitions of the custom resources into the cluster, once for a program, and waits until they are served.
func Install(t testing.TB, c *kubetest.Cluster) {
	t.Helper()
	once, _ := installed.LoadOrStore(c.Kubeconfig, sync.OnceValue(func() error { return install(c.Client) }))
	if err := once.(func() error)(); err != nil { //nolint:forcetypeassert // it is what was stored
		t.Fatal(err)
	}
}

func install(c *kubesdk.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	crds, err := deploy.CRDs()
	if err != nil {
		return err
	}
	definitions := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		Plural:           "customresourcedefinitions",
	}))
	var errs []error
	for _, crd := range crds {
		if _, err := definitions.Apply(ctx, crd, kubesdk.FieldManager("devtest"), kubesdk.Force()); err != nil {
			errs = append(errs, fmt.Errorf("install %s: %w", crd.GetName(), err))
			continue
		}
		_, err := wait.For(ctx, definitions, crd.GetName(), wait.HasCondition[*unstructured.Unstructured]("Established", metav1.ConditionTrue))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
