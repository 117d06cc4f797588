package transport

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/internal/request"
)

// relay passes bytes between clients and a server, until it is told to drop what comes over the connections there are: as a
// firewall does that has forgotten them, without a word to either side.
type relay struct {
	net.Listener
	server string

	mu    sync.Mutex
	conns []*relayed
}

type relayed struct {
	mu     sync.Mutex
	frozen bool
}

func (r *relayed) isFrozen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.frozen
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, server: server}
	t.Cleanup(func() { _ = l.Close() })
	go r.serve(context.WithoutCancel(t.Context()))
	return r
}

func (r *relay) serve(ctx context.Context) {
	for {
		near, err := r.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.server)
		if err != nil {
			_ = near.Close()
			continue
		}
		c := &relayed{}
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		go c.pass(near, far)
		go c.pass(far, near)
	}
}

func (r *relayed) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			_ = to.Close()
			return
		}
		if !r.isFrozen() {
			_, _ = to.Write(buf[:n]) // a failure shows at the next read
		}
	}
}

func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.mu.Lock()
		c.frozen = true
		c.mu.Unlock()
	}
}

func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// relayedTransport is a Transport to an HTTP/2 server behind a relay. The server answers at once, but streams a word and
// then nothing for the path /silent, and takes its time for /slow.
func relayedTransport(t *testing.T) (*Transport, *relay) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ProtoMajor != 2:
			t.Errorf("%s came over %s", r.URL, r.Proto)
		case strings.HasSuffix(r.URL.Path, "/slow"):
			select {
			case <-time.After(1500 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "answer")
		if strings.HasSuffix(r.URL.Path, "/silent") {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	r := newRelay(t, s.Listener.Addr().String())
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	tr, err := New(&rest.Config{Host: "https://" + r.Addr().String(), TLSClientConfig: rest.TLSClientConfig{CAData: ca}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr, r
}

func get(path string) *request.Request {
	return &request.Request{Verb: request.Get, Method: http.MethodGet, Path: path, Replayable: true}
}

// A connection over which nothing comes any more is not used for further calls, though nobody said that it is dead.
func TestSilentConnectionIsLeft(t *testing.T) {
	t.Parallel()
	tr, relay := relayedTransport(t)
	for range 3 {
		if _, err := tr.Do(t.Context(), get("/a"), Policy{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := relay.count(); n != 1 {
		t.Fatalf("%d connections for calls one after the other, want 1", n)
	}
	stream, err := tr.Do(t.Context(), get("/silent"), Policy{Stream: true, IdleTimeout: 1200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	relay.freeze()
	if _, err := io.ReadAll(stream.Body); !errors.Is(err, ErrTimeout) {
		t.Errorf("of the silent stream: %v", err)
	}
	_ = stream.Body.Close()
	start := time.Now()
	if res, err := tr.Do(t.Context(), get("/a"), Policy{AttemptTimeout: 10 * time.Second}); err != nil || string(res.Content) != "answer" {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	if took := time.Since(start); took > 5*time.Second || relay.count() != 2 {
		t.Errorf("the next call took %s, over connection number %d", took, relay.count())
	}
	relay.freeze()
	if res, err := tr.Do(t.Context(), get("/a"), Policy{Attempts: 2, AttemptTimeout: 1200 * time.Millisecond}); err != nil || res.Attempts != 2 {
		t.Errorf("a second attempt should have a connection of its own: %+v, %v", res, err)
	}
}

// A call that is slow does not take a connection down on which others get their answers.
func TestBusyConnectionIsKept(t *testing.T) {
	t.Parallel()
	tr, relay := relayedTransport(t)
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := tr.Do(t.Context(), get("/slow"), Policy{AttemptTimeout: 1200 * time.Millisecond}); !errors.Is(err, ErrTimeout) {
			t.Errorf("of the slow call: %v", err)
		}
	})
	for range 30 {
		if _, err := tr.Do(t.Context(), get("/a"), Policy{}); err != nil {
			t.Error(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	calls.Wait()
	if n := relay.count(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// Without any deadline of ours HTTP/2's own pings notice: client-go's transports send one after 30 s of silence.
func TestPingNoticesASilentPeer(t *testing.T) { //nolint:paralleltest // it sets the environment
	t.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "1")
	t.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "1")
	tr, relay := relayedTransport(t)
	stream, err := tr.Do(t.Context(), get("/silent"), Policy{Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	start := time.Now()
	time.AfterFunc(2500*time.Millisecond, relay.freeze) // a quiet connection lives, a dead one does not
	_, err = io.ReadAll(stream.Body)
	if took := time.Since(start); err == nil || !Interrupted(err) || took < 2500*time.Millisecond || took > 20*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}
