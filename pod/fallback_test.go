package pod_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/pod"
)

func upgradesTo(protocol string) faultproxy.Match {
	return func(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), protocol) }
}

// withoutWebSocket is a client behind a proxy that knows nothing of WebSockets, as some companies have.
func withoutWebSocket(t *testing.T) (*faultproxy.Proxy, *kubesdk.Client) {
	t.Helper()
	p := faultproxy.Start(t, node(t).Config())
	p.Fail(-1, upgradesTo("websocket"), faultproxy.AnswerWith(http.StatusBadRequest, nil, "upgrade not supported"))
	c, err := kubesdk.New(p.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return p, c
}

// behindProxy is the same pod by another client.
func behindProxy(c *kubesdk.Client, target pod.Target) pod.Target {
	ns, name, _ := strings.Cut(strings.Fields(target.String())[0], "/")
	return pod.Named(c, ns, name).ReadyWithin(time.Minute)
}

// TestCommandBySPDY does with SPDY, where WebSocket is refused, what commands do.
func TestCommandBySPDY(t *testing.T) {
	t.Parallel()
	p, c := withoutWebSocket(t)
	each(t, withShell, func(t *testing.T, direct pod.Target) {
		target := behindProxy(c, direct)
		for _, code := range []int{0, 1, 77, 255} {
			check(t, pod.Command(target, "sh", "-c", fmt.Sprint("exit ", code)).Run(t.Context()), code)
		}
		const size = 3_000_001
		want, gotOut, gotErr := sha256.New(), sha256.New(), sha256.New()
		cmd := pod.Command(target, "sh", "-c", "tee /dev/fd/3 3>&2 2>/dev/null; exit 9")
		cmd.Stdin = io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{9}), size), want)
		cmd.Stdout, cmd.Stderr = gotOut, gotErr
		check(t, cmd.Run(t.Context()), 9)
		if sum := want.Sum(nil); !bytes.Equal(sum, gotOut.Sum(nil)) || !bytes.Equal(sum, gotErr.Sum(nil)) {
			t.Error("what came back is not what was sent")
		}
		terminal := pod.Command(target, "sh", "-c", "tty; exit 6")
		terminal.TTY = true
		out, err := terminal.Output(t.Context())
		check(t, err, 6)
		if !strings.HasPrefix(string(out), "/dev/") {
			t.Errorf("on a terminal: %q", out)
		}
		if err := canceled(t, pod.Command(target, "sleep", "5244")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "was ended") {
			t.Errorf("cancelled: %v", err)
		}
		dir := local(t, "a", "b/c")
		if _, err := pod.CopyTo(t.Context(), target, dir, "/tmp/by-spdy", pod.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		down := filepath.Join(t.TempDir(), "down")
		if _, err := pod.CopyFrom(t.Context(), target, "/tmp/by-spdy", down, pod.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		sameTree(t, dir, down, precision(target), true)
		if err := pod.Command(pod.Named(c, "default", "missing"), "true").Run(t.Context()); !errors.Is(err, kubesdk.ErrNotFound) {
			t.Errorf("missing pod: %v", err)
		}
	})
	t.Cleanup(func() { // when they have ended
		if ws, spdy := p.Count(upgradesTo("websocket")), p.Count(upgradesTo("SPDY/3.1")); ws == 0 || ws != spdy {
			t.Errorf("%d attempts by WebSocket, %d by SPDY", ws, spdy)
		}
	})
}

// TestForwardBySPDY forwards a port by SPDY alone, without a WebSocket around it.
func TestForwardBySPDY(t *testing.T) {
	t.Parallel()
	_, c := withoutWebSocket(t)
	echo := ownPod(t, echoPod("spdy"))
	d := pod.NewDialer(behindProxy(c, echo))
	t.Cleanup(func() { _ = d.Close() })
	for i := range 5 {
		text := strings.Repeat(fmt.Sprintln("connection", i), 10_000)
		if got := echoed(t, d, text); got != text {
			t.Errorf("connection %d: %d bytes of %d, or wrong ones", i, len(got), len(text))
		}
	}
}

// echoed is what comes back, once the program in the pod listens.
func echoed(t *testing.T, d *pod.Dialer, text string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		conn, err := d.Dial(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(conn, text) }()
		got := make([]byte, len(text))
		n, err := io.ReadFull(conn, got)
		_ = conn.Close()
		if err == nil || time.Now().After(deadline) {
			return string(got[:n])
		}
	}
}

// TestNoFallbackLater: when a WebSocket breaks after the command has begun, it is not run again in another way.
func TestNoFallbackLater(t *testing.T) {
	t.Parallel()
	p := faultproxy.Start(t, node(t).Config())
	c, err := kubesdk.New(p.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	target := behindProxy(c, sharedPod(t, busybox))
	output(t, target, "true") // it runs
	p.Forget()
	cmd := pod.Shell(target, "echo begun; sleep 5245")
	var once bool
	cmd.Stdout = writerFunc(func(b []byte) (int, error) {
		if !once {
			once = true
			p.Break()
		}
		return len(b), nil
	})
	if err := cmd.Run(t.Context()); !errors.Is(err, pod.ErrIncomplete) {
		t.Errorf("got %v", err)
	}
	if ws, spdy := p.Count(upgradesTo("websocket")), p.Count(upgradesTo("SPDY/3.1")); ws != 1 || spdy != 0 {
		t.Errorf("%d attempts by WebSocket, %d by SPDY", ws, spdy)
	}
	output(t, sharedPod(t, busybox), "pkill -f '^sleep 5245' || true")
}
