package faultproxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/internal/faultproxy"
)

// backend counts what reaches it and answers with ten bytes, or with a stream that never ends.
type backend struct {
	*httptest.Server
	hits chan string
}

func newBackend(t *testing.T) *backend {
	b := &backend{hits: make(chan string, 100)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.hits <- r.Method + " " + r.URL.String() + " " + string(body)
		if !faultproxy.Watches(r) {
			_, _ = io.WriteString(w, "0123456789")
			return
		}
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "event\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func start(t *testing.T) (*faultproxy.Proxy, *backend, *http.Client) {
	b := newBackend(t)
	p := faultproxy.Start(t, &rest.Config{Host: b.URL})
	client, err := rest.HTTPClientFor(p.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return p, b, client
}

func do(ctx context.Context, t *testing.T, c *http.Client, method, url, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	return res.StatusCode, string(content), err
}

func TestPassesAndCounts(t *testing.T) {
	t.Parallel()
	p, b, c := start(t)
	status, body, err := do(t.Context(), t, c, http.MethodPost, p.Config().Host+"/api/v1/x?dryRun=All", "sent")
	if status != 200 || body != "0123456789" || err != nil {
		t.Fatalf("got %d %q %v", status, body, err)
	}
	if got, want := <-b.hits, "POST /api/v1/x?dryRun=All sent"; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
	all := p.Requests(faultproxy.Method("POST"))
	if len(all) != 1 || string(all[0].Body) != "sent" || all[0].Proto != "HTTP/2.0" {
		t.Errorf("recorded %+v", all)
	}
	p.Forget()
	if n := p.Count(nil); n != 0 {
		t.Errorf("%d requests are still there after Forget", n)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault   faultproxy.Fault
		status  int
		body    string
		err     func(error) bool
		reaches bool
	}{
		"answer": {fault: faultproxy.Answer(503), status: 503, body: `"code":503`},
		"lose":   {fault: faultproxy.Lose, err: broken, reaches: true},
		"drop":   {fault: faultproxy.Drop, err: broken},
		"abort":  {fault: faultproxy.Abort, err: broken},
		"hang":   {fault: faultproxy.Hang, err: timedOut},
		"cut":    {fault: faultproxy.CutAfter(4), status: 200, body: "0123", err: broken, reaches: true},
		"end":    {fault: faultproxy.EndAfter(4), status: 200, body: "0123", reaches: true},
		"stall":  {fault: faultproxy.StallAfter(4), status: 200, body: "0123", err: timedOut, reaches: true},
		"delay":  {fault: faultproxy.Delay(time.Millisecond), status: 200, body: "0123456789", reaches: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, b, c := start(t)
			p.Fail(1, nil, tt.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			status, body, err := do(ctx, t, c, http.MethodPost, p.Config().Host+"/x", "")
			if status != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("got %d %q, want %d %q", status, body, tt.status, tt.body)
			}
			if tt.err == nil && err != nil || tt.err != nil && !tt.err(err) {
				t.Errorf("error is %v", err)
			}
			if reached := len(b.hits) == 1; reached != tt.reaches {
				t.Errorf("the server saw it: %v, want %v", reached, tt.reaches)
			}
			if status, _, err := do(t.Context(), t, c, http.MethodPost, p.Config().Host+"/x", ""); status != 200 || err != nil {
				t.Errorf("the next request should pass, but got %d, %v", status, err)
			}
		})
	}
}

func broken(err error) bool   { return err != nil && !timedOut(err) }
func timedOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

func TestEndsWatch(t *testing.T) {
	t.Parallel()
	p, _, c := start(t)
	p.Fail(1, faultproxy.Watches, faultproxy.EndAfter(9))
	_, body, err := do(t.Context(), t, c, http.MethodGet, p.Config().Host+"/x?watch=true", "")
	if body != "event\neve" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestBreakAndDown(t *testing.T) {
	t.Parallel()
	p, _, c := start(t)
	ended := make(chan error)
	watch := func() {
		_, _, err := do(t.Context(), t, c, http.MethodGet, p.Config().Host+"/x?watch=true", "")
		ended <- err
	}
	go watch()
	for p.Count(faultproxy.Watches) == 0 {
		time.Sleep(time.Millisecond)
	}
	p.Break()
	if err := <-ended; !broken(err) {
		t.Errorf("Break: %v", err)
	}
	p.Down()
	if _, _, err := do(t.Context(), t, c, http.MethodGet, p.Config().Host, ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Down: %v", err)
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := do(t.Context(), t, c, http.MethodGet, p.Config().Host, ""); status != 200 || err != nil {
		t.Errorf("Up: %d, %v", status, err)
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	p, _, c := start(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Config().Host+"/x?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got := make(chan []byte, 1000)
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := res.Body.Read(buf)
			if err != nil {
				close(got)
				return
			}
			got <- bytes.Clone(buf[:n])
		}
	}()
	<-got
	p.Stall()
	time.Sleep(50 * time.Millisecond)
	for len(got) > 0 {
		<-got
	}
	select {
	case b := <-got:
		t.Errorf("%q came while stalled", b)
	case <-time.After(50 * time.Millisecond):
	}
	p.Resume()
	if b, ok := <-got; !ok {
		t.Errorf("nothing came after Resume: %q", b)
	}
}
