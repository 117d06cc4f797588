package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesdk/kubesdk/cluster/internal/cluster"
)

// binary is the path of localkube.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		path, err := findBinary()
		if err != nil {
			fmt.Fprintln(os.Stderr, "localkube:", err)
			return 1
		}
		binary = path
		return m.Run()
	}())
}

func findBinary() (string, error) {
	if path := os.Getenv("LOCALKUBE"); path != "" {
		return filepath.Abs(path)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "kubesdk", "localkube-test")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/kubesdk/kubesdk/cluster/cmd/localkube")
	// The flags of "make build", whose results are used again.
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build it: %w\n%s", err, out)
	}
	return path, nil
}

// run is one run of localkube.
type run struct {
	stdout, stderr string
	code           int
}

// farm is a directory of clusters that the test has to itself.
type farm struct {
	t   *testing.T
	dir string
	// path is the PATH for localkube, "" for that of the test.
	path string
}

// farms bounds how many tests have clusters at the same time: each needs memory, and the kernel grants a user by default 128
// inotify instances, of which a cluster with a node takes 20.
var farms = make(chan struct{}, 2)

// newFarm makes one, when there is room. Whatever is left in it when the test ends is stopped, and anything that outlives even that is an error.
func newFarm(t *testing.T) farm {
	t.Helper()
	farms <- struct{}{}
	t.Cleanup(func() { <-farms })
	dir, err := os.MkdirTemp("", "lk-test-")
	if err != nil {
		t.Fatal(err)
	}
	f := farm{t: t, dir: dir}
	t.Cleanup(func() {
		f.lk(context.Background(), "down", "--all")
		for _, left := range f.leftovers() {
			t.Error("left behind:", left)
		}
		entries, _ := os.ReadDir(f.root())
		for _, e := range entries {
			t.Error("left behind: file", e.Name())
		}
		os.RemoveAll(dir)
	})
	return f
}

// lk runs localkube for the farm.
func (f farm) lk(ctx context.Context, args ...string) run {
	f.t.Helper()
	cmd := f.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Errorf("localkube %s: %v", strings.Join(args, " "), err)
	}
	return run{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func (f farm) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+f.dir)
	if f.path != "" {
		cmd.Env = append(cmd.Env, "PATH="+f.path)
	}
	cmd.Dir = f.dir
	return cmd
}

// must runs localkube, which must succeed, and returns what it prints.
func (f farm) must(args ...string) string {
	f.t.Helper()
	r := f.lk(f.t.Context(), args...)
	if r.code != 0 {
		f.t.Fatalf("localkube %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// up starts a cluster.
func (f farm) up(name string, args ...string) cluster.Info {
	f.t.Helper()
	return f.info(f.must(append([]string{"up", "--name", name, "-o", "json"}, args...)...))
}

// status asks how the cluster is, whatever the answer.
func (f farm) status(name string) cluster.Info {
	f.t.Helper()
	return f.info(f.lk(f.t.Context(), "status", "--name", name, "-o", "json").stdout)
}

func (f farm) info(data string) cluster.Info {
	f.t.Helper()
	var info cluster.Info
	if err := json.Unmarshal([]byte(data), &info); err != nil {
		f.t.Fatalf("not the JSON of a cluster: %v\n%s", err, data)
	}
	return info
}

// root is where the farm's clusters have their directories.
func (f farm) root() string { return filepath.Join(f.dir, "localkube") }

// client talks to the cluster as any client would, by the kubeconfig.
func (f farm) client(name string) kubernetes.Interface {
	f.t.Helper()
	cfg, err := clientcmd.RESTConfigFromKubeConfig([]byte(f.must("kubeconfig", "--name", name)))
	if err != nil {
		f.t.Fatal(err)
	}
	cfg.QPS = -1
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// pid is the process of the component.
func (f farm) pid(info cluster.Info, component string) int {
	f.t.Helper()
	for _, c := range info.Components {
		if c.Name == component && c.PID != 0 {
			return c.PID
		}
	}
	f.t.Fatalf("no process of %s in %+v", component, info.Components)
	return 0
}

// eventually waits until ok returns nil.
func eventually(t *testing.T, within time.Duration, ok func() error) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %v", within, err)
		}
	}
}
