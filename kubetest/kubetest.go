package kubetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk"
)

// Cluster is a running Kubernetes. It is shared: nothing of a test ends or changes it but what the test does to its objects.
type Cluster struct {
	// Client may do everything on the cluster. It is safe for concurrent use and must not be closed.
	Client *kubesdk.Client
	// Kubeconfig is the path of a file whose current context is the same user on the same cluster.
	Kubeconfig string
}

// Config is a copy of the client's configuration.
func (c *Cluster) Config() *rest.Config { return c.Client.Config() }

// Login makes another client of the cluster, which is closed when the test ends.
func (c *Cluster) Login(t testing.TB, opts ...kubesdk.LoginOption) *kubesdk.Client {
	t.Helper()
	client, err := kubesdk.Login(t.Context(), append([]kubesdk.LoginOption{kubesdk.Kubeconfig(c.Kubeconfig)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

const (
	kubeconfigEnv = "KUBESDK_TEST_KUBECONFIG"
	idleTimeout   = 5 * time.Minute
)

// Start returns a cluster with a control plane: objects are real, but pods do not run. It starts one if none is running.
// The test fails if that is impossible.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return start(t, "kubetest", false)
}

// StartNamed is Start for a cluster of its own, which localkube knows by name: for tests that change a cluster as a whole
// or need two. The flags are of localkube up, such as --api-server-arg=runtime-config=api/all=true, and are always the
// same for one name. It skips the test where $KUBESDK_TEST_KUBECONFIG is set.
func StartNamed(t testing.TB, name string, flags ...string) *Cluster {
	t.Helper()
	if os.Getenv(kubeconfigEnv) != "" {
		t.Skipf("the test needs a cluster of its own, but %s names one", kubeconfigEnv)
	}
	return start(t, name, false, flags...)
}

// Node returns a cluster with a node, on which pods run. It is another one than Start's. Where this machine lacks what a
// node needs (root, containerd and others), the test is skipped with a line that names it; with CI=true in the environment
// it fails.
func Node(t testing.TB) *Cluster {
	t.Helper()
	return node(t, "kubetest-node")
}

// NodeNamed is Node for a cluster of its own, as StartNamed is Start for one.
func NodeNamed(t testing.TB, name string) *Cluster {
	t.Helper()
	if os.Getenv(kubeconfigEnv) != "" {
		t.Skipf("the test needs a cluster of its own, but %s names one", kubeconfigEnv)
	}
	return node(t, name)
}

func node(t testing.TB, name string) *Cluster {
	t.Helper()
	c := start(t, name, true, "--node")
	if os.Getenv(kubeconfigEnv) != "" {
		if err := hasNode(c.Client); err != nil {
			unavailable(t, err)
		}
	}
	return c
}

// Localkube is the path of the localkube that Start uses, for tests of what starts clusters by itself.
func Localkube(t testing.TB) string {
	t.Helper()
	path, err := localkube(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	mu      sync.Mutex
	started = map[string]*result{}
)

// result is what came of starting a cluster: the tests of one program share it, an error too.
type result struct {
	cluster *Cluster
	err     error
}

func start(t testing.TB, name string, node bool, flags ...string) *Cluster {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	r, ok := started[name]
	if !ok {
		r = &result{}
		r.cluster, r.err = find(name, flags)
		started[name] = r
	}
	switch {
	case node && errors.Is(r.err, errNoNode):
		unavailable(t, r.err)
	case r.err != nil:
		t.Fatal(r.err)
	}
	return r.cluster
}

func find(name string, flags []string) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), upTimeout+time.Minute)
	defer cancel()
	path := os.Getenv(kubeconfigEnv)
	if path == "" {
		binary, err := localkube(context.Background()) // building it takes as long as it takes
		if err != nil {
			return nil, fmt.Errorf("kubetest: %w", err)
		}
		if path, err = up(ctx, binary, name, flags); err != nil {
			return nil, fmt.Errorf("kubetest: %w", err)
		}
	}
	client, err := kubesdk.Login(ctx, kubesdk.Kubeconfig(path))
	if err != nil {
		return nil, fmt.Errorf("kubetest: %w", err)
	}
	if _, err := client.WhoAmI(ctx); err != nil {
		return nil, fmt.Errorf("kubetest: the cluster of kubeconfig %s does not answer: %w", path, err)
	}
	return &Cluster{Client: client, Kubeconfig: path}, nil
}

func hasNode(c *kubesdk.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes, err := kubesdk.For[*corev1.Node](c).List(ctx, kubesdk.Limit(1))
	if err != nil {
		return err
	}
	if len(nodes.Items) == 0 {
		return fmt.Errorf("the cluster of %s has no node", kubeconfigEnv)
	}
	return nil
}

func unavailable(t testing.TB, reason error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("no node, and CI=true wants one: %v", reason)
	}
	t.Skipf("no node: %v", reason)
}

// Namespace makes a namespace for this test alone and deletes it when the test ends, without waiting for what is in it to
// be gone. What the control plane puts into each namespace, and pods need, is there when Namespace returns: the default
// service account and the ConfigMap kube-root-ca.crt.
func Namespace(t testing.TB, c *kubesdk.Client) string {
	t.Helper()
	namespaces := kubesdk.For[*corev1.Namespace](c)
	ns, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: nameOf(t)}})
	if err != nil {
		t.Fatalf("make a namespace for the test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := namespaces.Delete(ctx, ns.Name); err != nil && !errors.Is(err, kubesdk.ErrNotFound) {
			t.Errorf("delete the test's namespace: %v", err)
		}
	})
	await(t, kubesdk.For[*corev1.ServiceAccount](c).Namespace(ns.Name), "default")
	await(t, kubesdk.For[*corev1.ConfigMap](c).Namespace(ns.Name), "kube-root-ca.crt")
	return ns.Name
}

// await waits for what kube-controller-manager makes in a new namespace.
func await[T kubesdk.Object](t testing.TB, handle kubesdk.Resource[T], name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, ok, err := handle.Lookup(t.Context(), name)
		switch {
		case err != nil:
			t.Fatalf("wait for %s in the test's namespace: %v", name, err)
		case ok:
			return
		case time.Now().After(deadline):
			t.Fatalf("after a minute there is no %s in namespace %s: is kube-controller-manager running?", name, handle.CurrentNamespace())
		}
	}
}

// nameOf makes a prefix for a namespace of the test's name.
func nameOf(t testing.TB) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, strings.TrimPrefix(t.Name(), "Test"))
	clean = strings.Trim(clean[:min(len(clean), 40)], "-")
	return "t-" + clean + "-"
}
