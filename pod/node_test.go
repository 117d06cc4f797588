package pod_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	buildroot "github.com/kubesdk/kubesdk/internal/busybox"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

// The tests run in containers of three kinds: BusyBox, Debian, and one with a single static program and nothing else.
const (
	busybox    = "kubesdk.test/busybox:1"
	debian     = "kubesdk.test/debian:1"
	distroless = "kubesdk.test/distroless:2"
)

// nodeCluster is these tests' own: they break every stream to its containers.
const nodeCluster = "kubetest-pod"

func node(t testing.TB) *kubetest.Cluster {
	t.Helper()
	return kubetest.NodeNamed(t, nodeCluster)
}

var images = map[string]func(ctx context.Context, dir string) (rootfs string, err error){
	busybox: busyboxRoot, debian: debianRoot, distroless: distrolessRoot,
}

// image makes sure that the node has an image. None comes from a registry.
var image = func() func(t testing.TB, c *kubetest.Cluster, name string) {
	var (
		mu   sync.Mutex
		done = map[string]error{}
	)
	return func(t testing.TB, c *kubetest.Cluster, name string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		err, ok := done[name]
		if !ok {
			err = load(t, c, name)
			done[name] = err
		}
		if err != nil {
			if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
				t.Skipf("no image %s: %v", name, err)
			}
			t.Fatalf("image %s: %v", name, err)
		}
	}
}()

func load(t testing.TB, c *kubetest.Cluster, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	nodes, err := kubesdk.For[*corev1.Node](c.Client).List(ctx)
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
	dir, err := os.MkdirTemp("", "pod-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the temporary folder
	rootfs, err := images[name](ctx, dir)
	if err != nil {
		return err
	}
	args := []string{"image", "build", "--rootfs", rootfs, "--name", name, "--cluster", nodeCluster, "--cmd", "sleep", "--cmd", "infinity"}
	if name == distroless {
		args = append(args[:len(args)-4], "--cmd", "/program")
	}
	return command(ctx, kubetest.Localkube(t), args...)
}

// kubectl is a command of the cluster's own kubectl in a namespace.
func kubectl(t testing.TB, namespace string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), kubetest.Localkube(t), append([]string{"kubectl", "--name", nodeCluster, "-n", namespace}, args...)...)
}

func command(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

func busyboxRoot(ctx context.Context, dir string) (string, error) {
	return dir, buildroot.Root(ctx, dir)
}

// debianRoot is a minimal Debian, made once for a user and kept in the cache.
func debianRoot(ctx context.Context, dir string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	kept := filepath.Join(cache, "kubesdk-test", "debian-bookworm-minbase.tar")
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return "", err
	}
	sources, err := os.ReadFile("/etc/apt/sources.list.d/debian.sources")
	if err != nil {
		return "", err
	}
	mirror := regexp.MustCompile(`(?m)^URIs:\s*(\S+)`).FindSubmatch(sources)
	if mirror == nil {
		return "", errors.New("debian.sources names no mirror")
	}
	if err := command(ctx, "debootstrap", "--variant=minbase", "bookworm", dir, string(mirror[1])); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", err
	}
	fresh := kept + ".new"
	if err := command(ctx, "tar", "-C", dir, "--exclude=./var/cache/apt/archives/*.deb", "-cf", fresh, "."); err != nil {
		return "", err
	}
	return kept, os.Rename(fresh, kept)
}

func distrolessRoot(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "program"), "./testdata/distroless")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return dir, nil
}

// shared is the namespace of pods that tests share: one for each image.
var shared struct {
	sync.Mutex
	client    *kubesdk.Client
	namespace string
	pods      map[string]bool
}

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "5"); err != nil { // they wait for containers more than they compute
		panic(err)
	}
	code := m.Run()
	_ = os.Remove(helperPath) // it is there if a test has built it
	if shared.namespace != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		if err := kubesdk.For[*corev1.Namespace](shared.client).Delete(ctx, shared.namespace); err != nil {
			fmt.Fprintln(os.Stderr, "delete the namespace of the tests:", err)
		}
		cancel()
	}
	os.Exit(code)
}

// sharedPod is the pod of an image that all tests may use, each in folders of its own.
func sharedPod(t testing.TB, img string) pod.Target {
	t.Helper()
	c := node(t)
	image(t, c, img)
	shared.Lock()
	defer shared.Unlock()
	if shared.namespace == "" {
		ns, err := kubesdk.For[*corev1.Namespace](c.Client).Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "pod-tests-"}})
		if err != nil {
			t.Fatal(err)
		}
		shared.client, shared.namespace, shared.pods = c.Client, ns.Name, map[string]bool{}
	}
	name := short(img)
	if !shared.pods[name] {
		create(t, c.Client, shared.namespace, podOf(name, img))
		shared.pods[name] = true
	}
	return pod.Named(c.Client, shared.namespace, name).ReadyWithin(time.Minute)
}

// short is an image's name without registry and tag.
func short(img string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(img, "kubesdk.test/"), ":")
	return name
}

// podOf is a pod with one container, main.
func podOf(name, img string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers:                    []corev1.Container{{Name: "main", Image: img, ImagePullPolicy: corev1.PullNever}},
		},
	}
}

// create makes a pod; a namespace that is new has no service account for a moment.
func create(t testing.TB, c *kubesdk.Client, namespace string, p *corev1.Pod) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := kubesdk.For[*corev1.Pod](c).Namespace(namespace).Create(t.Context(), p)
		if err == nil {
			return
		}
		if !errors.Is(err, kubesdk.ErrForbidden) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// ownPod is a pod for one test.
func ownPod(t testing.TB, p *corev1.Pod) pod.Target {
	t.Helper()
	image(t, node(t), p.Spec.Containers[0].Image)
	return ownPodUnchecked(t, p)
}

// ownPodUnchecked is ownPod for an image that may not be there.
func ownPodUnchecked(t testing.TB, p *corev1.Pod) pod.Target {
	t.Helper()
	c := node(t)
	ns := kubetest.Namespace(t, c.Client)
	create(t, c.Client, ns, p)
	return pod.Named(c.Client, ns, p.Name).ReadyWithin(time.Minute)
}

// output runs a script and returns what it writes.
func output(t testing.TB, target pod.Target, script string) string {
	t.Helper()
	out, err := pod.Shell(target, script).CombinedOutput(t.Context())
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	return string(out)
}

// each runs a test on pods with different tools.
func each(t *testing.T, imgs []string, test func(t *testing.T, target pod.Target)) {
	for _, img := range imgs {
		t.Run(short(img), func(t *testing.T) {
			t.Parallel()
			test(t, sharedPod(t, img))
		})
	}
}
