package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk/cluster/internal/node"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

const image = "example.com/busybox:1"

// needNode skips the test where no node can run.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := node.Check(); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("SKIPPED: busybox is missing; on Debian: apt-get install busybox-static")
	}
}

// rootfs makes a root file system of busybox and the program inpod.
func rootfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"bin", "tmp", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, applet := range []string{"sh", "sleep", "httpd", "nslookup", "mkdir", "echo", "cat", "ls", "touch", "grep"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin/inpod"), "./inpod")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build inpod: %v\n%s", err, out)
	}
	return dir
}

// onlyPrograms is a PATH with nothing but the programs that a node says it needs.
func onlyPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range node.Programs() {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// kubectl runs kubectl against the cluster; it must end with the code.
func (f farm) kubectl(code int, args ...string) string {
	f.t.Helper()
	r := f.lk(f.t.Context(), append([]string{"kubectl", "--name", "lk-a"}, args...)...)
	if r.code != code {
		f.t.Fatalf("kubectl %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r.stdout
}

func (f farm) startPods(root string) {
	f.t.Helper()
	manifest, err := filepath.Abs("testdata/pods.yaml")
	if err != nil {
		f.t.Fatal(err)
	}
	f.must("image", "build", "--rootfs", root, "--name", image, "--cmd", "sleep", "--cmd", "infinity", "--cluster", "lk-a")
	f.kubectl(0, "apply", "-f", manifest)
	f.kubectl(0, "wait", "--for=condition=Ready", "pod/user", "--timeout=120s")
	f.kubectl(0, "wait", "--for=condition=Available", "deployment/web", "--timeout=120s")
}

func TestNode(t *testing.T) {
	t.Parallel()
	needNode(t)
	f := newFarm(t)
	f.path = onlyPrograms(t)
	root := rootfs(t)
	before, err := network()
	if err != nil {
		t.Fatal(err)
	}
	if info := f.up("lk-a", "--node"); info.Phase != state.Ready || !info.Node {
		t.Fatalf("up says %+v", info)
	}
	f.startPods(root)
	service := "http://" + f.kubectl(0, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}") + "/"

	for _, tt := range []struct {
		name string
		code int
		args []string
		want string
	}{
		{"exec returns the exit code", 3, []string{"exec", "user", "--", "sh", "-c", "exit 3"}, ""},
		{"volume is writable for a group", 0, []string{"exec", "user", "--", "sh", "-c", "touch /data/x /scratch/y && ls /data"}, "x\n"},
		{"service address leads to pods", 0, []string{"exec", "user", "--", "inpod", service}, "hello\n"},
		{"service name resolves", 0, []string{"exec", "user", "--", "nslookup", "web.default.svc.cluster.local"}, "Name:\tweb.default.svc.cluster.local"},
		{"short name resolves", 0, []string{"exec", "user", "--", "nslookup", "kubernetes.default"}, "10.96.0.1"},
		{"unknown name does not", 1, []string{"exec", "user", "--", "nslookup", "example.org"}, "NXDOMAIN"},
		{"pod reaches the API server as its service account", 0, []string{"exec", "user", "--", "inpod", "http://web/"}, "system:serviceaccount:default:default"},
		{"pod reaches itself by its service", 0, []string{"exec", "deploy/web", "--", "sh", "-c",
			"for i in 1 2 3 4 5 6; do inpod " + service + " || exit 1; done"}, "hello\n"},
		{"orphans are reaped", 0, []string{"exec", "user", "--", "sh", "-c", "(sleep 0.1 &) ; sleep 0.5; cat /proc/[0-9]*/stat | grep -c ' Z '; true"}, "0\n"},
		{"logs", 0, []string{"logs", "user"}, ""},
	} {
		if got := f.kubectl(tt.code, tt.args...); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q in it", tt.name, got, tt.want)
		}
	}
	f.testPortForward()
	f.testVolumeGoes()

	f.must("down", "--name", "lk-a")
	after, err := network()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the machine's network has changed: %s", diff)
	}
	if left := f.leftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func (f farm) testPortForward() {
	f.t.Helper()
	cmd := f.command(f.t.Context(), "kubectl", "--name", "lk-a", "port-forward", "deploy/web", ":8080")
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var port int
	if _, err := fmt.Fscanf(out, "Forwarding from 127.0.0.1:%d", &port); err != nil {
		f.t.Fatalf("kubectl port-forward does not say the port: %v", err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		f.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.t.Errorf("by port-forward: %s", resp.Status)
	}
}

func (f farm) testVolumeGoes() {
	f.t.Helper()
	f.kubectl(0, "delete", "pod/user", "persistentvolumeclaim/data", "--now")
	c := f.client("lk-a")
	eventually(f.t, 60*time.Second, func() error {
		left, err := c.CoreV1().PersistentVolumes().List(f.t.Context(), metav1.ListOptions{})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("volume is %s", left.Items[0].Status.Phase)
		}
		return err
	})
	dirs, err := os.ReadDir(filepath.Join(f.root(), "lk-a", "volumes"))
	if err != nil || len(dirs) > 0 {
		f.t.Errorf("volumes left on disk: %v, %v", dirs, err)
	}
}

func TestTwoNodesSideBySideAndKilled(t *testing.T) {
	t.Parallel()
	needNode(t)
	f := newFarm(t)
	root := rootfs(t)
	var wait sync.WaitGroup
	for _, name := range names {
		wait.Go(func() {
			if r := f.lk(t.Context(), "up", "--node", "--name", name); r.code != 0 {
				t.Errorf("up: %s", r.stderr)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	f.startPods(root)
	f.kill("lk-a")
	eventually(t, 30*time.Second, func() error {
		out, _ := exec.Command("ps", "axo", "args").Output()
		if strings.Contains(string(out), filepath.Join(f.root(), "lk-a")) {
			return errors.New("there are processes left")
		}
		return nil
	})
	// The other cluster has not noticed.
	nodes, err := f.client("lk-b").CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 1 {
		t.Errorf("the other cluster: %v, %v", nodes, err)
	}
	// What was killed comes back, without its pods.
	f.up("lk-a", "--node")
	if got := f.kubectl(0, "get", "pods", "-A", "-o", "name"); got != "" {
		t.Errorf("a new cluster has pods: %s", got)
	}
	f.startPods(root)
	f.kill("lk-a")
	f.must("down", "--name", "lk-a")
}

func TestIdleNodeStopsItself(t *testing.T) {
	t.Parallel()
	needNode(t)
	f := newFarm(t)
	root := rootfs(t)
	info := f.up("lk-a", "--node", "--idle-timeout", "20s")
	f.startPods(root)
	eventually(t, 120*time.Second, func() error {
		if _, err := os.Stat(info.Dir); err == nil {
			return errors.New("the cluster is still there")
		}
		return nil
	})
}

func TestImagesNeedANode(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	f.up("lk-a")
	r := f.lk(t.Context(), "image", "load", "/dev/null", "--name", "lk-a")
	if r.code != 1 || !strings.Contains(r.stderr, "localkube up --node") {
		t.Errorf("load: exit code %d, %s", r.code, r.stderr)
	}
	r = f.lk(t.Context(), "up", "--node", "--name", "lk-a")
	if r.code == 0 {
		t.Error("up --node found a cluster without a node good enough")
	}
}
