package addons_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk/cluster/internal/addons"
	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/storage"
)

// The manifests name what the plan and the provisioner define.
func TestObjectsAgreeWithThePlan(t *testing.T) {
	t.Parallel()
	var class storagev1.StorageClass
	find(t, false, "StorageClass", &class)
	if class.Provisioner != storage.Provisioner {
		t.Errorf("the provisioner is %s", class.Provisioner)
	}
	if class.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" {
		t.Error("the class is not the default")
	}
	var dns corev1.Service
	find(t, true, "Service", &dns)
	if dns.Spec.ClusterIP != plan.DNSServiceIP {
		t.Errorf("the DNS server's address is %s", dns.Spec.ClusterIP)
	}
	var slice discoveryv1.EndpointSlice
	find(t, true, "EndpointSlice", &slice)
	if slice.Endpoints[0].Addresses[0] != plan.NodeIP || slice.Labels[discoveryv1.LabelServiceName] != dns.Name {
		t.Errorf("the DNS server's endpoint is %+v", slice)
	}
}

func TestWithoutANodeNothingIsSaidOfIt(t *testing.T) {
	t.Parallel()
	objects, err := addons.Objects(state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetKind() == "Service" {
			t.Errorf("there is the Service %s", o.GetName())
		}
	}
}

func find(t *testing.T, node bool, kind string, into any) {
	t.Helper()
	objects, err := addons.Objects(state.Config{Node: node})
	if err != nil {
		t.Fatal(err)
	}
	var found *unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == kind {
			found = o
		}
	}
	if found == nil {
		t.Fatalf("there is no %s", kind)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(found.Object, into, true); err != nil {
		t.Fatal(err)
	}
}
