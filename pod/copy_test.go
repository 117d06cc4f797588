package pod_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/pod"
)

// helperPath is where the helper is built, and removed when the tests have ended.
var helperPath = filepath.Join(os.TempDir(), fmt.Sprintf("podhelper-test-%d", os.Getpid()))

// helperBinary is built once.
var helperBinary = sync.OnceValues(func() (string, error) {
	path := helperPath
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./podhelper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func helper(t *testing.T) pod.HelperOptions {
	t.Helper()
	image(t, node(t), busybox) // what pushes it
	path, err := helperBinary()
	if err != nil {
		t.Fatal(err)
	}
	return pod.HelperOptions{Binary: path, Image: busybox}
}

// TestEveryKind takes a tree with every kind of entry up and down again, the second time over itself.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	source := everyKind(t)
	each(t, []string{busybox, debian, distroless}, func(t *testing.T, target pod.Target) {
		o := pod.CopyOptions{Helper: helper(t)}
		down := filepath.Join(t.TempDir(), "down")
		for again := range 2 {
			if _, err := pod.CopyTo(t.Context(), target, source, "/tmp/every/kind", o); err != nil {
				t.Fatal(err)
			}
			report, err := pod.CopyFrom(t.Context(), target, "/tmp/every/kind", down, o)
			if err != nil {
				t.Fatal(err)
			}
			sameTree(t, source, down, precision(target), again > 0)
			if report.Files == 0 || report.Bytes == 0 || len(report.Changes) == 0 {
				t.Errorf("report %+v", report)
			}
		}
		// Nothing is left to do.
		for name, sync := range map[string]func() (*pod.Report, error){
			"to": func() (*pod.Report, error) {
				return pod.Sync(t.Context(), target, source, "/tmp/every/kind", pod.SyncOptions{CopyOptions: o, Delete: true, Checksum: true})
			},
			"from": func() (*pod.Report, error) {
				return pod.SyncFrom(t.Context(), target, "/tmp/every/kind", down, pod.SyncOptions{CopyOptions: o, Delete: true, Checksum: true})
			},
		} {
			report, err := sync()
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Changes) > 0 {
				t.Errorf("sync %s after a copy: %v", name, report.Changes)
			}
		}
	})
}

func TestCopyFile(t *testing.T) {
	t.Parallel()
	each(t, withShell, func(t *testing.T, target pod.Target) {
		dir := t.TempDir()
		local := filepath.Join(dir, "local file")
		if err := os.WriteFile(local, []byte("contents"), 0o640); err != nil {
			t.Fatal(err)
		}
		output(t, target, "rm -rf /tmp/one; mkdir -p /tmp/one/dir")
		if _, err := pod.CopyTo(t.Context(), target, local, "/tmp/one/new/-name", pod.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := output(t, target, "cat /tmp/one/new/-name; stat -c %a /tmp/one/new/-name; ls -A /tmp/one/new"); got != "contents640\n-name\n" {
			t.Errorf("got %q", got)
		}
		if _, err := pod.CopyFrom(t.Context(), target, "/tmp/one/new/-name", filepath.Join(dir, "a/b"), pod.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "a/b")); err != nil || string(got) != "contents" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := pod.CopyTo(t.Context(), target, local, "/tmp/one/dir", pod.CopyOptions{}); err == nil || !strings.Contains(err.Error(), "folder") {
			t.Errorf("a file over a folder: %v", err)
		}
		if _, err := pod.CopyFrom(t.Context(), target, "/tmp/one/new/-name", dir, pod.CopyOptions{}); err == nil || !strings.Contains(err.Error(), "folder") {
			t.Errorf("a file over a local folder: %v", err)
		}
		if _, err := pod.CopyFrom(t.Context(), target, "/tmp/one/missing", dir, pod.CopyOptions{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: %v", err)
		}
		if got := output(t, target, "ls -A /tmp/one /tmp/one/dir | grep kubesdk || true"); got != "" {
			t.Errorf("left over: %s", got)
		}
	})
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, busybox)
	source := t.TempDir()
	for _, f := range []string{"a.go", "a.log", "keep.log", "build/x", "sub/.kubeignore", "sub/b.go", "sub/c.tmp", "docs/d.md"} {
		p := filepath.Join(source, f)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte("*.tmp\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(source, ".kubeignore"), []byte("*.log\n!keep.log\nbuild/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := pod.CopyOptions{IgnoreFile: ".kubeignore", Ignore: []string{"docs"}}
	if _, err := pod.CopyTo(t.Context(), target, source, "/tmp/patterns/up", o); err != nil {
		t.Fatal(err)
	}
	want := "./.kubeignore\n./a.go\n./keep.log\n./sub/.kubeignore\n./sub/b.go\n"
	if diff := cmp.Diff(want, output(t, target, "cd /tmp/patterns/up; find . -type f | sort")); diff != "" {
		t.Errorf("up, -want +got:\n%s", diff)
	}
	output(t, target, "cd /tmp/patterns/up; touch x.log sub/y.tmp; mkdir -p deep/er; touch deep/er/z.go")
	down := t.TempDir()
	o.Include = []string{"*.go"}
	if _, err := pod.CopyFrom(t.Context(), target, "/tmp/patterns/up", down, o); err != nil {
		t.Fatal(err)
	}
	var got []string
	for p, f := range tree(t, down, time.Second) {
		if f.Mode.IsRegular() {
			got = append(got, p)
		}
	}
	if len(got) != 3 {
		t.Errorf("down: %q", got)
	}
}

// TestInterrupted cancels copies over an older one: all of the old must be there, and nothing else.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	each(t, withShell, func(t *testing.T, target pod.Target) {
		dir := t.TempDir()
		old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "new")
		for d, size := range map[string]int{old: 100, fresh: 20 << 20} {
			if err := errors.Join(os.Mkdir(d, 0o755), os.WriteFile(filepath.Join(d, "f"), make([]byte, size), 0o600), os.WriteFile(filepath.Join(d, "g"), make([]byte, size), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := pod.CopyTo(t.Context(), target, old, "/tmp/interrupted/x", pod.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err := pod.CopyTo(ctx, target, fresh, "/tmp/interrupted/x", pod.CopyOptions{Progress: func(p pod.Progress) {
			if p.Bytes > 5<<20 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if got := output(t, target, "cd /tmp/interrupted/x; ls -A; stat -c %s f g"); got != "f\ng\n100\n100\n" {
			t.Errorf("after an interrupted copy: %q", got)
		}
		output(t, target, "cd /tmp/interrupted; rm -rf big; mkdir big; head -c 20000000 /dev/zero >big/f; cp big/f big/g")
		ctx, cancel = context.WithCancel(t.Context())
		_, err = pod.CopyFrom(ctx, target, "/tmp/interrupted/big", old, pod.CopyOptions{Progress: func(p pod.Progress) {
			if p.Bytes > 5<<20 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if got := tree(t, old, time.Second); len(got) != 3 || got["f"].Size != 100 || got["g"].Size != 100 {
			t.Errorf("after an interrupted copy down: %v", got)
		}
	})
}

// TestCopyErrors: what is wrong is said.
func TestCopyErrors(t *testing.T) {
	t.Parallel()
	each(t, []string{busybox, debian}, func(t *testing.T, _ pod.Target) {
		img := busybox
		if strings.HasSuffix(t.Name(), "debian") {
			img = debian
		}
		p := podOf("errors", img)
		quantity := resource.MustParse("1Mi")
		p.Spec.Volumes = []corev1.Volume{{Name: "small", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &quantity}}}}
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "small", MountPath: "/small"}}
		yes := true
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: &yes}
		target := ownPod(t, p)
		source := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(source, make([]byte, 3<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := pod.CopyTo(t.Context(), target, source, "/small/f", pod.CopyOptions{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("full disk: %v", err)
		} else {
			t.Log(err)
		}
		if got := output(t, target, "ls -A /small"); got != "" {
			t.Errorf("left on the full disk: %s", got)
		}
		if _, err := pod.CopyTo(t.Context(), target, source, "/usr/f", pod.CopyOptions{}); !errors.Is(err, syscall.EROFS) {
			t.Errorf("read-only root: %v", err)
		} else {
			t.Log(err)
		}
		_, err := pod.CopyTo(t.Context(), target, source, "/small/g", pod.CopyOptions{Progress: func(pod.Progress) { _ = os.Truncate(source, 100) }})
		if err == nil || !strings.Contains(err.Error(), "became shorter") || strings.Contains(err.Error(), "standard input") {
			t.Errorf("a source that becomes shorter: %v", err)
		}
		if got := output(t, target, "ls -A /small"); got != "" {
			t.Errorf("left by a source that became shorter: %s", got)
		}
		if _, err := pod.CopyTo(t.Context(), target.Container("other"), source, "/small/f", pod.CopyOptions{}); err == nil || !strings.Contains(err.Error(), `no container "other"`) {
			t.Errorf("missing container: %v", err)
		}
	})
}

// TestRefused: the API server's refusals keep their meaning.
func TestRefused(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, busybox)
	c := node(t)
	ns, name, _ := strings.Cut(strings.Fields(target.String())[0], "/")
	fromServer := func(err error) bool {
		var e *kubesdk.Error
		return errors.As(err, &e) && e.FromServer() && e.Status().Details != nil
	}
	if err := pod.Command(pod.Named(c.Client, ns, "missing"), "true").Run(t.Context()); !errors.Is(err, kubesdk.ErrNotFound) || !strings.Contains(err.Error(), "missing") || !fromServer(err) {
		t.Errorf("missing pod: %v", err)
	}
	if err := pod.Command(pod.Selected(c.Client, ns, "app=nobody").ReadyWithin(0), "true").Run(t.Context()); !errors.Is(err, pod.ErrNotReady) {
		t.Errorf("selector without pods: %v", err)
	}
	if err := pod.Command(target.Container("other"), "true").Run(t.Context()); err == nil || !strings.Contains(err.Error(), `no container "other"`) {
		t.Errorf("missing container: %v", err)
	}
	config := c.Config()
	config.Impersonate.UserName = "somebody"
	other, err := kubesdk.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	if err := pod.Command(pod.Named(other, ns, name), "true").Run(t.Context()); !errors.Is(err, kubesdk.ErrForbidden) || !strings.Contains(err.Error(), "pods/exec") {
		t.Errorf("no permission: %v", err)
	} else {
		t.Log(err)
	}
	for _, err := range pod.Logs(t.Context(), pod.Named(other, ns, name), pod.LogOptions{}) {
		if !errors.Is(err, kubesdk.ErrForbidden) || !fromServer(err) {
			t.Errorf("no permission for logs: %v", err)
		}
	}
	if _, err := pod.Forward(t.Context(), pod.Named(other, ns, name), pod.ForwardOptions{Port: 1}); !errors.Is(err, kubesdk.ErrForbidden) || !fromServer(err) {
		t.Errorf("no permission to forward: %v", err)
	}
	// The verb create on pods/exec is enough, and nothing else.
	grant(t, c.Client, ns, "somebody")
	if out, err := pod.Command(pod.Named(other, ns, name), "echo", "hi").Output(t.Context()); err != nil || string(out) != "hi\n" {
		t.Errorf("with create on pods/exec: %q, %v", out, err)
	}
}

func grant(t *testing.T, c *kubesdk.Client, ns, user string) {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "exec"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create"}}}}
	if _, err := kubesdk.For[*rbacv1.Role](c).Namespace(ns).Create(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "exec"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "exec"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
	if _, err := kubesdk.For[*rbacv1.RoleBinding](c).Namespace(ns).Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // the authorizer learns of it by a watch
}

// TestDownloadCut cuts the connection in the middle of a copy: the rest comes over another, and no file twice. Cut every
// time, it is an error that leaves nothing.
func TestDownloadCut(t *testing.T) {
	t.Parallel()
	through := sharedPod(t, debian)
	cut, config := newCutter(t, node(t).Config())
	client, err := kubesdk.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ns, name, _ := strings.Cut(strings.Fields(through.String())[0], "/")
	target := pod.Named(client, ns, name)
	output(t, through, "rm -rf /tmp/cut; mkdir /tmp/cut; cd /tmp/cut; for i in 1 2 3 4 5 6 7 8; do head -c 2000000 /dev/urandom >$i; done")
	want := output(t, through, "cd /tmp/cut; sha1sum *")
	dir := t.TempDir()

	cut.limit.Store(7_000_000)
	to := filepath.Join(dir, "to")
	var last pod.Progress
	report, err := pod.CopyFrom(t.Context(), target, "/tmp/cut", to, pod.CopyOptions{Progress: func(p pod.Progress) {
		last = p
		if p.Files > 2 {
			cut.limit.Store(0) // for the next connection
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if report.Files != 8 || report.Bytes != 16_000_000 || last.Files != 8 || last.Bytes != last.TotalBytes {
		t.Errorf("report %d files, %d bytes; progress %+v", report.Files, report.Bytes, last)
	}
	sum := exec.CommandContext(t.Context(), "sh", "-c", "sha1sum *")
	sum.Dir = to
	if got, err := sum.Output(); err != nil || string(got) != want {
		t.Errorf("arrived: %s %v, want %s", got, err, want)
	}

	cut.limit.Store(1_000_000)
	if _, err := pod.CopyFrom(t.Context(), target, "/tmp/cut", filepath.Join(dir, "never"), pod.CopyOptions{}); !errors.Is(err, pod.ErrIncomplete) {
		t.Errorf("cut every time: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
