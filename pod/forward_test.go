package pod_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

// echoPod answers with what it gets on port 7, and by HTTP with its name on port 80.
func echoPod(name string) *corev1.Pod {
	p := podOf(name, distroless)
	p.Spec.Containers[0].Command = []string{"/program", "serve"}
	p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/program", "ready"}}}}
	return p
}

// ready is an echo pod, selected by its label.
func ready(t *testing.T, name string) pod.Target {
	t.Helper()
	c := node(t)
	image(t, c, distroless)
	ns := kubetest.Namespace(t, c.Client)
	create(t, c.Client, ns, echoPod(name))
	return pod.Selected(c.Client, ns, "app="+name).ReadyWithin(time.Minute)
}

func TestForward(t *testing.T) {
	t.Parallel()
	target := ready(t, "echo")
	f, err := pod.Forward(t.Context(), target, pod.ForwardOptions{Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", f.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if i%3 == 0 { // a client that is rude must not disturb the others
				_, _ = conn.Write([]byte("rude"))
				_ = conn.(*net.TCPConn).SetLinger(0)
				return
			}
			want, got := sha256.New(), sha256.New()
			var sent sync.WaitGroup
			sent.Go(func() {
				_, _ = io.Copy(io.MultiWriter(conn, want), io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), 1_000_000))
			})
			n, err := io.CopyN(got, conn, 1_000_000)
			sent.Wait()
			if err != nil {
				t.Errorf("connection %d: %d bytes, %v", i, n, err)
				return
			}
			if !bytes.Equal(want.Sum(nil), got.Sum(nil)) {
				t.Errorf("connection %d: what came back is not what was sent", i)
			}
		})
	}
	wg.Wait()

	// A port on which nobody listens: the client is reset, the others see nothing of it. The reset may come before the
	// client has seen that it is connected.
	nobody, err := pod.Forward(t.Context(), target, pod.ForwardOptions{Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", nobody.Addr().String())
	if err == nil {
		_, err = io.ReadAll(conn)
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("nobody listens: %v instead of a reset", err)
	}
	if err := nobody.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", nobody.Addr().String()); err == nil {
		t.Error("a closed forwarder accepts")
	}
	if _, err := pod.Forward(t.Context(), target, pod.ForwardOptions{Port: 7, Listen: f.Addr().String()}); err == nil {
		t.Error("a local port that is in use: no error")
	}
}

// TestForwardReplaced replaces the pod behind a forwarder.
func TestForwardReplaced(t *testing.T) {
	t.Parallel()
	target := ready(t, "web")
	f, err := pod.Forward(t.Context(), target, pod.ForwardOptions{Port: 80})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	name := func() (string, error) {
		res, err := client.Get("http://" + f.Addr().String() + "/name")
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return strings.TrimSpace(string(b)), err
	}
	if got, err := name(); err != nil || got != "web" {
		t.Fatalf("got %q, %v", got, err)
	}
	ns := strings.Split(target.String(), "/")[0]
	pods := kubesdk.For[*corev1.Pod](target.Client()).Namespace(ns)
	if err := pods.Delete(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	next := echoPod("web-2")
	next.Labels["app"] = "web"
	create(t, target.Client(), ns, next)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		got, err := name()
		if err == nil && got == "web-2" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the pod was replaced: %q, %v", got, err)
		}
	}
}

func TestDialer(t *testing.T) {
	t.Parallel()
	d := pod.NewDialer(ready(t, "dial"))
	t.Cleanup(func() { _ = d.Close() })
	client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://whatever/name")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || string(b) != "dial" {
		t.Errorf("got %q, %v", b, err)
	}
	conn, err := d.Dial(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read past the deadline: %v", err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "hello")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
	_ = conn.Close()
	refused, err := d.Dial(t.Context(), 9)
	if err == nil {
		_, err = refused.Read(make([]byte, 1))
		_ = refused.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pod.NewDialer(pod.Selected(node(t).Client, "default", "app=nobody")).Dial(ctx, 1); err == nil {
		t.Error("no error with a context that has ended")
	}
}
