package kubetest_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	user, err := cluster.Client.WhoAmI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if user.Username == "" {
		t.Error("the server does not know who this is")
	}
	if again := kubetest.Start(t); again != cluster {
		t.Error("the second Start gives another cluster")
	}
	if other := cluster.Login(t); other.Server() != cluster.Config().Host {
		t.Errorf("the kubeconfig is for %s, the client for %s", other.Server(), cluster.Config().Host)
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	namespaces := kubesdk.For[*corev1.Namespace](cluster.Client)
	var name string
	t.Run("With a/Strange_NAME and one that is much longer than what fits into a label of the DNS", func(t *testing.T) {
		name = kubetest.Namespace(t, cluster.Client)
		if !strings.HasPrefix(name, "t-namespace-with-a-strange-name") {
			t.Errorf("the namespace is called %q", name)
		}
		accounts := kubesdk.For[*corev1.ServiceAccount](cluster.Client).Namespace(name)
		if _, err := accounts.Get(t.Context(), "default"); err != nil {
			t.Errorf("no service account for pods: %v", err)
		}
		if other := kubetest.Namespace(t, cluster.Client); other == name {
			t.Error("two calls give the same namespace")
		}
	})
	ns, err := namespaces.Get(t.Context(), name)
	if err == nil && ns.DeletionTimestamp == nil || err != nil && !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("the namespace was not deleted at the end of the test: %v", err)
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Node(t)
	nodes, err := kubesdk.For[*corev1.Node](cluster.Client).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) == 0 {
		t.Error("the cluster has no node")
	}
	if plain := kubetest.Start(t); plain.Client.Server() == cluster.Client.Server() && os.Getenv("KUBESDK_TEST_KUBECONFIG") == "" {
		t.Error("it is the cluster without a node")
	}
}
