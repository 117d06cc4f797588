package devserver_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/internal/examples"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

// These tests run on a node, with the operator in the cluster as it is shipped.

var update = flag.Bool("update", false, "write what the example programs print to their output.txt")

// TestMain fails if the operator was refused anything while the tests ran: its roles must have all that it uses.
func TestMain(m *testing.M) {
	// Tests in parallel are as many as there are cores, for tests that compute. These wait for clusters.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	flag.Parse()
	code := m.Run()
	if c := operated.Load(); c != nil && code == 0 {
		if denied := refusals(c); denied != "" {
			os.Stderr.WriteString("the operator lacks rights: " + denied + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

var operated atomic.Pointer[kubesdk.Client]

var began = time.Now()

func refusals(c *kubesdk.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	target := pod.Selected(c, devtest.Namespace, "app.kubernetes.io/name=devserver-operator")
	for line, err := range pod.Logs(ctx, target, pod.LogOptions{SinceTime: began}) {
		if err != nil {
			return err.Error()
		}
		if strings.Contains(line.Text, "is forbidden: User") || strings.Contains(line.Text, "cannot ") && strings.Contains(line.Text, "system:serviceaccount:"+devtest.Namespace) {
			return line.Text
		}
	}
	return ""
}

func inCluster(t *testing.T) *kubetest.Cluster {
	t.Helper()
	c := devtest.InCluster(t)
	operated.Store(c.Client)
	return c
}

// person is an issued user: who they are, and a client that is logged in as them.
type person struct {
	*kubesdk.Client
	kubeconfig string
	servers    devserver.Servers
}

// issue makes a user by the operator and logs in with the kubeconfig that an administrator issues.
func issue(t *testing.T, c *kubetest.Cluster, username string, quotas *v1.UserQuotas) *person {
	t.Helper()
	users := devserver.Users(c.Client)
	u, err := users.Create(t.Context(), username, v1.DevServerUserSpec{Username: username, Quotas: quotas})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := users.Delete(context.Background(), username); err != nil {
			t.Error(err)
		}
	})
	within(t, time.Minute, func(ctx context.Context) error { return u.WaitUntilStatus(ctx, map[string]any{"phase": "Ready"}) })
	issued, err := devserver.IssueKubeconfig(t.Context(), c.Client, username, devserver.KubeconfigOptions{Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(issued.Expires); left < 30*time.Minute || left > 90*time.Minute {
		t.Errorf("the token is valid for %s, not for an hour", left)
	}
	p := &person{kubeconfig: filepath.Join(t.TempDir(), "config")}
	if err := os.WriteFile(p.kubeconfig, issued.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	if p.Client, err = kubesdk.Login(t.Context(), kubesdk.Kubeconfig(p.kubeconfig)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if got, want := p.Namespace(), "dev-"+username; got != want {
		t.Fatalf("the kubeconfig is for namespace %s, not %s", got, want)
	}
	p.servers = devserver.For(p.Client).Namespace(p.Namespace())
	return p
}

func within(t *testing.T, d time.Duration, do func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Fatal(err)
	}
}

// unique is a name that no earlier run has used.
func unique(name string) string { return name + "-" + strings.ToLower(rand.Text()[:6]) }

// TestExamples runs each program of the examples folder, as a user of the cluster would.
func TestExamples(t *testing.T) {
	t.Parallel()
	cluster := inCluster(t)
	all, err := examples.Find("examples")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			binary, err := e.Build(t.Context(), bin)
			if err != nil {
				t.Fatal(err)
			}
			user := issue(t, cluster, unique("ex-"+e.Name), nil)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			var stdout, stderr bytes.Buffer
			if err := examples.Command(ctx, binary, user.kubeconfig, &stdout, &stderr).Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
			}
			compare(t, filepath.Join(e.Dir, "output.txt"), stdout.String())
		})
	}
}

// events are as many as there are.
var events = regexp.MustCompile(`(?m)( -> .*\n)+`)

func compare(t *testing.T, golden, got string) {
	t.Helper()
	got = events.ReplaceAllString(got, " -> EVENTS\n")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("it prints something else than %s (-want +got):\n%s", golden, diff)
	}
}
