package operator_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/devserver/operator"
	buildroot "github.com/kubesdk/kubesdk/internal/busybox"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

// The tests on a node share a cluster, in which one operator runs, in this process.
const nodeCluster = "kubetest-operator"

// Images are made here: none comes from a registry.
const (
	busybox    = "kubesdk.test/busybox:3"
	distroless = "kubesdk.test/distroless:3"
)

// patience is for what a loaded machine may take.
const patience = 2 * time.Minute

var built = filepath.Join(os.TempDir(), fmt.Sprintf("devserver-operator-test-%d", os.Getpid()))

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "10"); err != nil { // tests wait for the cluster most of the time
		panic(err)
	}
	code := m.Run()
	stopOperator()
	if unlock != nil {
		unlock()
	}
	_ = os.RemoveAll(built) // there if a test built something
	os.Exit(code)
}

var (
	operatorRun  = sync.OnceValue(startOperator)
	stopOperator = func() {}
	unlock       func()    // kept, as the lock ends when the file is collected
	choose       sync.Once // of what operatorRun needs
	theCluster   *kubetest.Cluster
	localkube    string
)

// onNode is the cluster with a node and an operator, and a namespace of the test's own.
type onNode struct {
	*kubetest.Cluster
	t         testing.TB
	namespace string
	servers   kubesdk.Resource[*v1.DevServer]
}

func node(t testing.TB) *onNode {
	t.Helper()
	c := kubetest.NodeNamed(t, nodeCluster)
	devtest.Install(t, c)
	choose.Do(func() { theCluster, localkube = c, kubetest.Localkube(t) })
	if err := operatorRun(); err != nil {
		if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	ns := kubetest.Namespace(t, c.Client)
	return &onNode{Cluster: c, t: t, namespace: ns, servers: kubesdk.For[*v1.DevServer](c.Client).Namespace(ns)}
}

// startOperator makes the images and starts the operator.
func startOperator() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if unlock, err = alone(nodeCluster); err != nil { // as long as this program runs
		return err
	}
	settings := operator.DefaultSettings()
	if settings.StaticDependenciesImage, err = agentImage(ctx); err != nil {
		return err
	}
	if err := busyboxImage(ctx); err != nil {
		return err
	}
	settings.DefaultDevserverImage = busybox
	settings.DefaultPersistentHomeSize = resource.MustParse("32Mi")
	settings.LeaderElection, settings.MetricsAddress, settings.HealthAddress = false, "0", "0"
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- operator.Run(ctx, theCluster.Config(), settings, slog.New(slog.NewTextHandler(logTo(), nil)))
	}()
	stopOperator = func() {
		stop()
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	return nil
}

// logTo is the file that $OPERATOR_LOG names, for those who want to see.
func logTo() io.Writer {
	if path := os.Getenv("OPERATOR_LOG"); path != "" {
		if f, err := os.Create(path); err == nil {
			return f
		}
	}
	return io.Discard
}

// build compiles a program of this module without cgo, once.
func build(ctx context.Context, pkg string) (string, error) {
	target := filepath.Join(built, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", target, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return target, nil
}

// agentImage is named by its content: the cluster may have that of an earlier run.
func agentImage(ctx context.Context) (string, error) {
	binary, err := build(ctx, "github.com/kubesdk/kubesdk/devserver/cmd/devserver-agent")
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	name := "kubesdk.test/devserver-agent:" + hex.EncodeToString(sum[:6])
	root := filepath.Join(built, "root-agent")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	if err := os.Link(binary, filepath.Join(root, "devserver-agent")); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if err := load(ctx, name, root); err != nil {
		return "", err
	}
	return name, load(ctx, distroless, root) // it has no shell, and nothing else
}

func busyboxImage(ctx context.Context) error {
	root := filepath.Join(built, "root-busybox")
	if err := buildroot.Root(ctx, root); err != nil {
		return err
	}
	worker, err := build(ctx, "./testdata/worker")
	if err != nil {
		return err
	}
	if err := os.Link(worker, filepath.Join(root, "bin/worker")); err != nil {
		return err
	}
	return load(ctx, busybox, root)
}

// load builds an image and puts it on the node, unless it is there.
func load(ctx context.Context, name, root string) error {
	nodes, err := kubesdk.For[*corev1.Node](theCluster.Client).List(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes.Items {
		for _, i := range n.Status.Images {
			if slices.ContainsFunc(i.Names, func(n string) bool { return strings.HasSuffix(n, name) }) {
				return nil
			}
		}
	}
	out, err := exec.CommandContext(ctx, localkube, "image", "build", "--rootfs", root, "--name", name, "--cluster", nodeCluster, "--cmd", "sleep", "--cmd", "infinity").CombinedOutput()
	if err != nil {
		return fmt.Errorf("image %s: %w: %s", name, err, out)
	}
	return nil
}

// restrict holds the namespace to the restricted Pod Security Standard.
func (n *onNode) restrict() {
	n.t.Helper()
	_, err := kubesdk.For[*corev1.Namespace](n.Client).Mutate(n.t.Context(), n.namespace, func(ns *corev1.Namespace) error {
		ns.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// flavor makes a flavor that the test's end deletes, and returns its name.
func (n *onNode) flavor(spec v1.DevServerFlavorSpec) string {
	n.t.Helper()
	flavors := kubesdk.For[*v1.DevServerFlavor](n.Client)
	f, err := flavors.Create(n.t.Context(), &v1.DevServerFlavor{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}, Spec: spec})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = flavors.Delete(context.Background(), f.Name) }) // a name of its own: it is in nobody's way
	return f.Name
}

// small is a flavor that many fit beside each other.
func (n *onNode) small() string {
	n.t.Helper()
	return n.flavor(v1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("8Mi")},
	}})
}

// create makes a server. The namespace's end deletes it.
func (n *onNode) create(name string, spec v1.DevServerSpec) *v1.DevServer {
	n.t.Helper()
	s, err := n.servers.Create(n.t.Context(), &v1.DevServer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// change changes a server.
func (n *onNode) change(name string, change func(s *v1.DevServer)) {
	n.t.Helper()
	if _, err := n.servers.Mutate(n.t.Context(), name, func(s *v1.DevServer) error { change(s); return nil }); err != nil {
		n.t.Fatal(err)
	}
}

// remove deletes a server and waits until its pods and what it owns are gone.
func (n *onNode) remove(name string) {
	n.t.Helper()
	if err := n.servers.Delete(n.t.Context(), name); err != nil {
		n.t.Fatal(err)
	}
	eventually(n.t, func() string {
		pods, err := kubesdk.For[*corev1.Pod](n.Client).Namespace(n.namespace).List(n.t.Context(), kubesdk.Labels(v1.LabelServer+"="+name))
		if err != nil || len(pods.Items) > 0 {
			return fmt.Sprintf("pods of %s are left, %v", name, err)
		}
		return ""
	})
}

// await waits until a server's status is as wanted, for its present spec.
func (n *onNode) await(name string, want func(s *v1.DevServerStatus) bool) *v1.DevServer {
	n.t.Helper()
	var found *v1.DevServer
	eventually(n.t, func() string {
		s, err := n.servers.Get(n.t.Context(), name)
		if err != nil {
			return err.Error()
		}
		if found = s; s.Status.ObservedGeneration != s.Generation || !want(&s.Status) {
			return fmt.Sprintf("the status of %s is %+v", name, s.Status)
		}
		return ""
	})
	return found
}

func (n *onNode) awaitPhase(name string, phase v1.Phase) *v1.DevServer {
	n.t.Helper()
	return n.await(name, func(s *v1.DevServerStatus) bool { return s.Phase == phase })
}

// says waits until a server's status has a reason, and a message with all of these words.
func (n *onNode) says(name, reason string, words ...string) *v1.DevServer {
	n.t.Helper()
	return n.await(name, func(s *v1.DevServerStatus) bool {
		return s.Reason == reason && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(s.Message, w) })
	})
}

// sh runs a script in the first pod of a server.
func (n *onNode) sh(name, script string) string {
	n.t.Helper()
	return n.shIn(name+"-0", script)
}

func (n *onNode) shIn(podName, script string) string {
	n.t.Helper()
	out, err := pod.Shell(pod.Named(n.Client, n.namespace, podName).Container("devserver"), script).CombinedOutput(n.t.Context())
	if err != nil {
		n.t.Fatalf("%s: %s: %v: %s", podName, script, err, out)
	}
	return strings.TrimSpace(string(out))
}

// awaitEvent waits for an event of a server, with these words.
func (n *onNode) awaitEvent(name, kind, reason string, words ...string) {
	n.t.Helper()
	eventually(n.t, func() string {
		events, err := kubesdk.For[*corev1.Event](n.Client).Namespace(n.namespace).List(n.t.Context(), kubesdk.Fields("involvedObject.name="+name))
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, e := range events.Items {
			if e.Type == kind && e.Reason == reason && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(e.Message, w) }) {
				return ""
			}
			all = append(all, e.Type+" "+e.Reason+" "+e.Message)
		}
		return fmt.Sprintf("no event %s %s %q of %s, but\n%s", kind, reason, words, name, strings.Join(all, "\n"))
	})
}

// claim makes a claim of the user's own.
func (n *onNode) claim(name string) {
	n.t.Helper()
	_, err := kubesdk.For[*corev1.PersistentVolumeClaim](n.Client).Namespace(n.namespace).Create(n.t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}},
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// hasClaim says whether a claim is there and stays.
func (n *onNode) hasClaim(name string) bool {
	n.t.Helper()
	c, ok, err := kubesdk.For[*corev1.PersistentVolumeClaim](n.Client).Namespace(n.namespace).Lookup(n.t.Context(), name)
	if err != nil {
		n.t.Fatal(err)
	}
	return ok && c.DeletionTimestamp == nil
}

// eventually asks until nothing is wrong any more.
func eventually(t testing.TB, wrong func() string) {
	t.Helper()
	within(t, patience, wrong)
}

func within(t testing.TB, limit time.Duration, wrong func() string) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		problem := wrong()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", limit, problem)
		}
	}
}
