package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func TestUpTwiceIsOneCluster(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	first := f.up("lk-a")
	if first.Phase != state.Ready || first.Context != "localkube-lk-a" || first.Node {
		t.Errorf("up says %+v", first)
	}
	second := f.up("lk-a")
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second up found another cluster: %s", diff)
	}

	version, err := f.client("lk-a").Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.37.1" || version.Minor != "37" {
		t.Errorf("the server is %s", version)
	}
	if got := f.must("kubectl", "--name", "lk-a", "get", "namespaces", "-o", "name"); !strings.Contains(got, "namespace/kube-system") {
		t.Errorf("kubectl prints %q", got)
	}
	if r := f.lk(t.Context(), "kubectl", "--name=lk-a", "get", "nonsense"); r.code != 1 {
		t.Errorf("kubectl's failure gives exit code %d", r.code)
	}
	if got := f.must("logs", "kube-apiserver", "--name", "lk-a", "--tail", "2"); strings.Count(got, "\n") != 2 {
		t.Errorf("two lines of the log are %q", got)
	}
	info, err := os.Stat(first.Kubeconfig)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig on disk: %v, %v", info.Mode(), err)
	}
	if got := f.must("status"); !strings.Contains(got, "lk-a") {
		t.Errorf("the list of clusters is %q", got)
	}

	f.must("down", "--name", "lk-a")
	if _, err := os.Stat(first.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if r := f.lk(t.Context(), "status", "--name", "lk-a"); r.code != 3 {
		t.Errorf("status of a cluster that is gone: exit code %d, %s", r.code, r.stderr)
	}
	f.must("down", "--name", "lk-a") // nothing to do is no failure
}

func TestTwoClustersSideBySide(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	var wait sync.WaitGroup
	for _, name := range names {
		wait.Go(func() {
			if r := f.lk(t.Context(), "up", "--name", name); r.code != 0 {
				t.Errorf("up: %s", r.stderr)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	a, b := f.client("lk-a"), f.client("lk-b")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "only-in-a"}}
	if _, err := a.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CoreV1().Namespaces().Get(t.Context(), "only-in-a", metav1.GetOptions{}); err == nil {
		t.Error("both names lead to the same cluster")
	}
	f.must("down", "--name", "lk-a")
	if _, err := b.Discovery().ServerVersion(); err != nil {
		t.Errorf("the end of one cluster disturbed the other: %v", err)
	}
}

func TestConcurrentUpsEndWithOneCluster(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	results := make([]run, 4)
	var wait sync.WaitGroup
	for i := range results {
		wait.Go(func() { results[i] = f.lk(t.Context(), "up", "--name", "lk-a", "-o", "json") })
	}
	wait.Wait()
	for _, r := range results {
		if r.code != 0 {
			t.Fatalf("exit code %d: %s", r.code, r.stderr)
		}
		if diff := cmp.Diff(f.info(results[0].stdout), f.info(r.stdout)); diff != "" {
			t.Errorf("two ups found different clusters: %s", diff)
		}
	}
}

func TestKilledSupervisorTakesAllAlongAndUpStartsAgain(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	first := f.up("lk-a")
	f.kill("lk-a")
	eventually(t, 30*time.Second, func() error {
		if left := f.leftovers(); len(left) > 0 {
			return fmt.Errorf("still there: %v", left)
		}
		return nil
	})
	if got := f.status("lk-a"); got.Phase != state.Dead {
		t.Errorf("a killed cluster is %s", got.Phase)
	}
	if r := f.lk(t.Context(), "status", "--name", "lk-a"); r.code != 4 {
		t.Errorf("status of a killed cluster: exit code %d", r.code)
	}
	if r := f.lk(t.Context(), "kubectl", "--name", "lk-a", "get", "ns"); r.code != 4 || !strings.Contains(r.stderr, "localkube up") {
		t.Errorf("kubectl against a killed cluster: exit code %d, %s", r.code, r.stderr)
	}
	second := f.up("lk-a")
	if second.Phase != state.Ready || second.Created.Equal(first.Created) {
		t.Errorf("up after a kill: %+v", second)
	}
	f.kill("lk-a")
	f.must("down", "--name", "lk-a")
}

// kill ends the supervisor as harshly as can be.
func (f farm) kill(name string) {
	f.t.Helper()
	dir, err := state.In(f.root(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	pid, err := dir.PID()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, 30*time.Second, func() error {
		if dir.Alive() {
			return errors.New("the supervisor is alive")
		}
		return nil
	})
}

func TestDeadComponentIsSeenAndStartedAgainByUp(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	info := f.up("lk-a")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "stays"}}
	if _, err := f.client("lk-a").CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"etcd", "kube-controller-manager"} {
		if err := syscall.Kill(f.pid(info, component), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 30*time.Second, func() error {
		info = f.status("lk-a")
		for _, c := range info.Components {
			if c.Name == "kube-controller-manager" && c.Phase == state.Exited && c.Message == "signal: killed" && c.Log != "" {
				return nil
			}
		}
		return fmt.Errorf("status does not tell: %+v", info)
	})
	if info.Phase != state.Degraded {
		t.Errorf("the phase is %s", info.Phase)
	}
	if again := f.up("lk-a"); again.Phase != state.Ready || again.Server != info.Server {
		t.Errorf("up says %+v", again)
	}
	if _, err := f.client("lk-a").CoreV1().Namespaces().Get(t.Context(), "stays", metav1.GetOptions{}); err != nil {
		t.Errorf("the cluster has lost its data: %v", err)
	}
}

func TestIdleClusterStopsItself(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	info := f.up("lk-a", "--idle-timeout", "6s")
	lease := filepath.Join(info.Dir, "lease")
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if err := os.Chtimes(lease, time.Now(), time.Now()); err != nil {
			t.Fatalf("the cluster stopped though its lease was renewed: %v", err)
		}
	}
	eventually(t, 60*time.Second, func() error {
		if _, err := os.Stat(info.Dir); err == nil {
			return errors.New("the cluster is still there")
		}
		return nil
	})
}

// An up that comes while the cluster stops by itself must not take the end for a running cluster.
func TestUpWhileTheLeaseRunsOut(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	for round := range 3 {
		f.up("lk-a", "--idle-timeout", "2s")
		// The supervisor looks every half a second.
		time.Sleep(2*time.Second + time.Duration(round)*250*time.Millisecond)
		f.up("lk-a", "--idle-timeout", "20s")
		if _, err := f.client("lk-a").Discovery().ServerVersion(); err != nil {
			t.Errorf("round %d: up has succeeded, but %v", round, err)
		}
		f.must("down", "--name", "lk-a")
	}
}

func TestInterruptedUpLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	cmd := f.command(t.Context(), "up", "--name", "lk-a")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() error {
		if info := f.lk(t.Context(), "status", "-o", "json").stdout; !strings.Contains(info, `"Starting"`) {
			return fmt.Errorf("not starting: %s", info)
		}
		return nil
	})
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if left := f.leftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(filepath.Join(f.root(), "lk-a")); err == nil {
		t.Error("the directory is still there")
	}
}

func TestAPIServerArguments(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	r := f.lk(t.Context(), "up", "--name", "lk-a", "--api-server-arg", "no-such-flag=1")
	if r.code != 1 || !strings.Contains(r.stderr, "unknown flag: --no-such-flag") {
		t.Errorf("a wrong argument: exit code %d, %s", r.code, r.stderr)
	}
	if left := f.leftovers(); len(left) > 0 {
		t.Errorf("the failure left behind: %v", left)
	}
	f.up("lk-a", "--api-server-arg", "runtime-config=api/all=true")
	groups, err := f.client("lk-a").Discovery().ServerGroups()
	if err != nil {
		t.Fatal(err)
	}
	alpha := false
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			alpha = alpha || strings.Contains(v.Version, "alpha")
		}
	}
	if !alpha {
		t.Error("the server has no alpha API")
	}
	r = f.lk(t.Context(), "up", "--name", "lk-a", "--api-server-arg", "v=4")
	if r.code != 1 || !strings.Contains(r.stderr, "down") {
		t.Errorf("other arguments than those of the running cluster: exit code %d, %s", r.code, r.stderr)
	}
}

func TestVolumeIsProvisionedAndRemoved(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	info := f.up("lk-a")
	volumes := filepath.Join(info.Dir, "volumes")
	c := f.client("lk-a")
	claims := c.CoreV1().PersistentVolumeClaims("default")
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
	if _, err := claims.Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() error {
		got, err := claims.Get(t.Context(), "data", metav1.GetOptions{})
		if err == nil && got.Status.Phase != corev1.ClaimBound {
			err = fmt.Errorf("the claim is %s", got.Status.Phase)
		}
		return err
	})
	if dirs, err := os.ReadDir(volumes); err != nil || len(dirs) != 1 {
		t.Errorf("the volumes on disk are %v, %v", dirs, err)
	}
	if err := claims.Delete(t.Context(), "data", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() error {
		left, err := c.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("the volume is still there: %+v", left.Items[0].Status)
		}
		return err
	})
	if dirs, err := os.ReadDir(volumes); err != nil || len(dirs) != 0 {
		t.Errorf("the volumes left on disk are %v, %v", dirs, err)
	}
}

func TestControlPlaneNeedsNoPrivileges(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("every other test shows it, since none runs as root")
	}
	f := newFarm(t)
	const nobody = 65534
	// The directory above is root's alone.
	for _, dir := range []string{f.dir, f.root()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, args := range [][]string{{"up", "--name", "lk-a"}, {"kubectl", "--name", "lk-a", "get", "ns"}, {"down", "--name", "lk-a"}} {
		cmd := f.command(ctx, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("localkube %v: %v\n%s", args, err, out)
		}
	}
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"frobnicate"}, 2, `unknown command "frobnicate"`},
		{[]string{"up", "--name", "No/Good"}, 2, `invalid cluster name "No/Good"`},
		{[]string{"up", "extra"}, 2, `unexpected argument "extra"`},
		{[]string{"up", "--nonsense"}, 2, "unknown flag: --nonsense"},
		{[]string{"up", "-o", "xml"}, 2, "neither json nor yaml"},
		{[]string{"up", "--api-server-arg", "v"}, 2, "not NAME=VALUE"},
		{[]string{"logs", "kube-nothing"}, 2, "etcd, kube-apiserver"},
		{[]string{"logs"}, 2, "name one component"},
		{[]string{"status", "--name", "lk-a"}, 3, "no such cluster"},
		{[]string{"kubeconfig", "--name", "lk-a"}, 3, "localkube up"},
		{[]string{"kubectl", "--name", "lk-a", "get", "ns"}, 3, "localkube up"},
		{[]string{"logs", "etcd", "--name", "lk-a"}, 3, "no such cluster"},
		{[]string{"image", "load"}, 2, "name one archive"},
		{[]string{"image", "frobnicate"}, 2, "load or build"},
		{[]string{"image", "build", "--name", "x"}, 2, "--rootfs and --name"},
		{[]string{"down", "--all", "--name", "lk-a"}, 2, "exclude each other"},
	} {
		r := f.lk(t.Context(), tt.args...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.says) || r.stdout != "" {
			t.Errorf("localkube %s: exit code %d, want %d; stdout %q, stderr %q, want %q in it",
				strings.Join(tt.args, " "), r.code, tt.code, r.stdout, r.stderr, tt.says)
		}
	}
}
