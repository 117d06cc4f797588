package operator_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/devserver/operator/internal/simnode"
	"github.com/kubesdk/kubesdk/kubetest"
)

// The tests with simulated nodes have a cluster of their own, on which operators run as processes: one test at a time.
const simulatedCluster = "kubetest-operator-simulated"

var oneAtATime sync.Mutex

// simulated is the cluster with so many nodes that only say that they run pods.
func simulated(t *testing.T, nodes int) *kubetest.Cluster {
	t.Helper()
	c := kubetest.StartNamed(t, simulatedCluster)
	devtest.Install(t, c)
	if _, err := operatorBinary(); err != nil { // not while the time of a test counts
		t.Fatal(err)
	}
	oneAtATime.Lock()
	t.Cleanup(oneAtATime.Unlock)
	unlock, err := alone(simulatedCluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	eventually(t, func() string { // what a test before this one left would be counted as its own
		left, err := kubesdk.For[*v1.DevServer](c.Client).AllNamespaces().List(t.Context())
		if err != nil {
			return err.Error()
		}
		for _, s := range left.Items {
			_ = kubesdk.For[*v1.DevServer](c.Client).Namespace(s.Namespace).Delete(t.Context(), s.Name) // its namespace may do so too
		}
		if n := len(left.Items); n > 0 {
			return fmt.Sprintf("%d servers of another test are left", n)
		}
		return ""
	})
	ctx, cancel := context.WithCancel(context.Background())
	end, err := simnode.Run(ctx, c.Client, nodes)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		end()
	})
	return c
}

var operatorBinary = sync.OnceValues(func() (string, error) {
	return build(context.Background(), "github.com/kubesdk/kubesdk/devserver/cmd/devserver-operator")
})

// process is an operator as it is shipped: a program.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	done    chan error
	log     string
	metrics string
	health  string
}

// launch starts an operator on a cluster.
func launch(t testing.TB, c *kubetest.Cluster, flags ...string) *process {
	t.Helper()
	binary, err := operatorBinary()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(t.TempDir(), "operator-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, done: make(chan error, 1), log: log.Name(), metrics: freeAddress(t), health: freeAddress(t)}
	p.cmd = exec.Command(binary, append([]string{
		"--kubeconfig", c.Kubeconfig, "--static-dependencies-image", "agent:1", "--default-devserver-image", "image:1", "--default-persistent-home-size", "1Mi",
		"--metrics-address", p.metrics, "--health-address", p.health, "--log-format", "text",
	}, flags...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait(); _ = log.Close() }()
	return p
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// kill is how a node failure ends it.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself, which wait tells
	<-p.done
}

// stop asks it to end, which it does with exit code 0.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("SIGTERM ends the operator with %v:\n%s", err, p.tail())
		}
	case <-time.After(patience):
		p.kill()
		p.t.Errorf("the operator does not end:\n%s", p.tail())
	}
}

func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-4000):])
}

// get asks one of its servers.
func (p *process) get(address, path string) (string, error) {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

// usage is what an operator has taken so far.
type usage struct {
	writes, reads float64 // requests to the API server; reads are mostly watches that begin
	cpu           time.Duration
	memory        float64 // bytes
}

func (p *process) usage() usage {
	p.t.Helper()
	body, err := p.get(p.metrics, "/metrics")
	if err != nil {
		p.t.Fatalf("metrics: %v\n%s", err, p.tail())
	}
	var u usage
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case !ok || err != nil:
		case strings.HasPrefix(name, "rest_client_requests_total") && strings.Contains(name, `method="GET"`):
			u.reads += n
		case strings.HasPrefix(name, "rest_client_requests_total"):
			u.writes += n
		case name == "process_cpu_seconds_total":
			u.cpu = time.Duration(n * float64(time.Second))
		case name == "process_resident_memory_bytes":
			u.memory = n
		}
	}
	return u
}

// TestProcess runs two operators: one works, the other takes over.
func TestProcess(t *testing.T) {
	t.Parallel()
	c := simulated(t, 1)
	ns := kubetest.Namespace(t, c.Client)
	flags := []string{"--leader-election-namespace", ns}
	first := launch(t, c, flags...)
	leads := func(p *process) func() string {
		return func() string {
			if _, err := p.get(p.health, "/readyz"); err != nil {
				return err.Error()
			}
			body, err := p.get(p.metrics, "/metrics")
			if err != nil || !strings.Contains(body, `leader_election_master_status{name="devserver-operator.devserver.io"} 1`) {
				return fmt.Sprintf("it does not lead: %v\n%s", err, p.tail())
			}
			return ""
		}
	}
	eventually(t, leads(first))
	second := launch(t, c, flags...)
	eventually(t, func() string { _, err := second.get(second.health, "/healthz"); return message(err) })
	if wrong := leads(second)(); wrong == "" {
		t.Error("two lead at once")
	}
	first.stop()
	eventually(t, leads(second))
	_, err := kubesdk.For[*v1.DevServer](c.Client).Namespace(ns).Create(t.Context(), &v1.DevServer{ObjectMeta: metav1.ObjectMeta{Name: "counted"}, Spec: v1.DevServerSpec{Flavor: "absent"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		body, err := second.get(second.metrics, "/metrics")
		if err != nil || !strings.Contains(body, `devserver_operator_servers{phase="Pending"} 1`) {
			return fmt.Sprintf("no server is counted: %v", err)
		}
		return ""
	})
	second.stop()

	bad := launch(t, c, "--worker-limit", "0", "--default-time-to-live=-1s")
	var exit *exec.ExitError
	if err := <-bad.done; !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("bad settings end it with %v", err)
	}
	scanner := bufio.NewScanner(strings.NewReader(bad.tail()))
	scanner.Scan()
	if got := scanner.Text(); !strings.Contains(bad.tail(), "workerLimit: must be above 0") || !strings.Contains(bad.tail(), "defaultTimeToLive") {
		t.Errorf("bad settings: %s", got)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// reconciled is how many DevServers were worked on so far, again and again.
func (p *process) reconciled() (float64, error) {
	body, err := p.get(p.metrics, "/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(body) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(name, `controller_runtime_reconcile_total{controller="devserver",`) {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// busy is no error once so many servers were worked on.
func (p *process) busy(want float64) error {
	done, err := p.reconciled()
	if err == nil && done < want {
		err = fmt.Errorf("%v servers were worked on, want %v", done, want)
	}
	return err
}

// quiet is no error once nothing has been worked on for a second.
func (p *process) quiet() error {
	before, err := p.reconciled()
	if err != nil {
		return err
	}
	time.Sleep(time.Second)
	after, err := p.reconciled()
	if err == nil && after != before {
		err = fmt.Errorf("%v servers were worked on in the last second", after-before)
	}
	return err
}
