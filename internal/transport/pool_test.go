package transport

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// 500 calls at once do not queue behind the streams of one connection, and one at a time keeps to one.
func TestConnections(t *testing.T) {
	t.Parallel()
	var connections, arrived atomic.Int32
	release := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("%s", r.Proto)
		}
		if r.Method == http.MethodGet {
			arrived.Add(1)
			<-release
		}
		_, _ = io.WriteString(w, "{}")
	}))
	server.EnableHTTP2 = true
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		connections.Add(1)
		return ctx
	}
	server.StartTLS()
	defer server.Close()
	tr, err := New(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for range 10 {
		if _, err := tr.Do(t.Context(), create, Policy{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("one call at a time took %d connections", n)
	}
	const calls = 500
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			if _, err := tr.Do(t.Context(), read, Policy{}); err != nil {
				t.Error(err)
			}
		})
	}
	for arrived.Load() < calls && !t.Failed() { // each is with the server before any has its answer
		time.Sleep(time.Millisecond)
	}
	close(release)
	group.Wait()
	if n := connections.Load(); n < 2 || n > 8 {
		t.Errorf("%d calls at once took %d connections, want about %d", calls, n, calls/streamsPerConnection+1)
	}
}
