package pod_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

// cutter passes bytes on to the API server, and cuts a connection when it has brought so many bytes to the client.
type cutter struct {
	net.Listener
	server string
	limit  atomic.Int64 // 0: none
	reset  atomic.Bool  // cut by RST instead of FIN
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  map[net.Conn]bool
}

func newCutter(t *testing.T, config *rest.Config) (*cutter, *rest.Config) {
	t.Helper()
	u, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, server: u.Host, conns: map[net.Conn]bool{}}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		_ = l.Close()
		c.cutAll()
		c.wg.Wait()
	})
	config.TLSClientConfig.ServerName = u.Hostname()
	config.Host = "https://" + l.Addr().String()
	return c, config
}

func (c *cutter) serve() {
	for {
		client, err := c.Accept()
		if err != nil {
			return
		}
		c.wg.Go(func() { c.pass(client) })
	}
}

func (c *cutter) keep(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.conns[conn] = true
	}
}

func (c *cutter) cutAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
		delete(c.conns, conn)
	}
}

func (c *cutter) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", c.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	c.keep(client, server)
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	if limit := c.limit.Load(); limit > 0 {
		_, _ = io.CopyN(client, server, limit)
		if c.reset.Load() {
			_ = client.(*net.TCPConn).SetLinger(0)
		}
		return
	}
	_, _ = io.Copy(client, server)
}

// TestCut cuts the connection at 50 places. It must be an error every time, whatever arrived. What kubectl makes of the
// same is logged.
func TestCut(t *testing.T) {
	t.Parallel()
	through := sharedPod(t, busybox)
	c := node(t)
	cut, config := newCutter(t, c.Config())
	client, err := kubesdk.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ns, name, _ := strings.Cut(strings.Fields(through.String())[0], "/")
	random := rand.New(rand.NewPCG(3, 4))
	const size = 300_000
	script := fmt.Sprintf("head -c %d /dev/zero; echo done >&2", size)
	for i := range 50 {
		cut.limit.Store(1 + random.Int64N(size))
		cut.reset.Store(i%2 == 0)
		target := pod.Named(client, ns, name).ReadyWithin(0)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		out, err := pod.Shell(target, script).Output(ctx)
		cancel()
		if err == nil {
			t.Errorf("cut after %d bytes: %d bytes of output and no error", cut.limit.Load(), len(out))
		}
		var exit *pod.ExitError
		if errors.As(err, &exit) {
			t.Errorf("cut after %d bytes: an exit code: %v", cut.limit.Load(), err)
		}
	}
	silent := 0
	for range 5 {
		cut.limit.Store(6000 + random.Int64N(size))
		cmd := kubectl(t, ns, "exec", "--server", config.Host, "--tls-server-name", config.ServerName, name, "--", "sh", "-c", script)
		if out, err := cmd.Output(); err == nil && len(out) < size {
			silent++
		}
	}
	t.Logf("kubectl exec reported success for %d of 5 commands that were cut off", silent)
}

// TestCutBehind cuts the connection between the kubelet and the container runtime, as their restart does. Kubernetes then
// says that the command has succeeded, and kubectl believes it.
func TestCutBehind(t *testing.T) {
	cut := behind(t)
	target := sharedPod(t, busybox)
	const script = "echo begin; sleep 301; echo end; exit 5" // long enough for the cut to come first
	defer output(t, target, "pkill -f '^sleep 301' || true")
	for i := range 3 {
		var stdout bytes.Buffer
		cmd := pod.Shell(target, script)
		cmd.Stdout = writerFunc(func(p []byte) (int, error) {
			time.AfterFunc(time.Duration(i)*200*time.Millisecond, cut)
			return stdout.Write(p)
		})
		if err := cmd.Run(t.Context()); !errors.Is(err, pod.ErrIncomplete) {
			t.Errorf("output %q, error %v", &stdout, err)
		}
	}
	ns, name, _ := strings.Cut(strings.Fields(target.String())[0], "/")
	cmd := kubectl(t, ns, "exec", name, "--", "sh", "-c", script)
	var stdout bytes.Buffer
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		time.AfterFunc(100*time.Millisecond, cut)
		return stdout.Write(p)
	})
	t.Logf("kubectl exec of the same: error %v, output %q of a command that ends with exit code 5", cmd.Run(), &stdout)
}

// behind returns a function that breaks all connections to the container runtime's streaming server, from inside the
// node's network namespace.
func behind(t *testing.T) func() {
	t.Helper()
	node(t)
	for _, tool := range []string{"nsenter", "ss"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), kubetest.Localkube(t), "status", "--name", nodeCluster, "-o", "json").Output()
	if err != nil {
		t.Skipf("this is no node of localkube: %v", err)
	}
	var status struct {
		Components []struct {
			Name string
			PID  int
		}
	}
	if err := json.Unmarshal(out, &status); err != nil {
		t.Fatal(err)
	}
	var inside []string
	for _, c := range status.Components {
		if c.Name == "kube-apiserver" {
			inside = []string{"-t", strconv.Itoa(c.PID), "-n", "ss"}
		}
	}
	listeners, err := exec.CommandContext(t.Context(), "nsenter", append(inside, "-tlnpH")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`127\.0\.0\.1:(\d+).*"containerd"`).FindSubmatch(listeners)
	if match == nil {
		t.Skipf("the container runtime listens nowhere: %s", listeners)
	}
	port := string(match[1])
	return func() {
		kill := exec.Command("nsenter", append(inside, "-K", "-tn", "state", "established", fmt.Sprintf("( dport = :%s or sport = :%s )", port, port))...)
		if out, err := kill.CombinedOutput(); err != nil {
			t.Errorf("cut: %v: %s", err, out)
		}
	}
}
