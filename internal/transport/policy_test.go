package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/internal/request"
)

// roundTripper is the caller's own transport, which rest.Config allows: here it answers without a network, so that time is
// synctest's.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func newTransport(t *testing.T, f roundTripper) *Transport {
	t.Helper()
	tr, err := New(&rest.Config{Host: "https://example.test", Transport: f})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

var (
	read   = &request.Request{Verb: request.Get, Method: http.MethodGet, Path: "/api/v1/nodes/a", Replayable: true}
	create = &request.Request{Verb: request.Create, Method: http.MethodPost, Path: "/api/v1/nodes", Body: []byte("{}")}
)

func TestWaits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy  Policy
		header  http.Header
		timeout time.Duration
		waited  []time.Duration // between attempts
		total   time.Duration
	}{
		"backoff is a function of the attempt": {
			policy: Policy{Attempts: 4, Backoff: func(n int) time.Duration { return time.Duration(n) * time.Second }},
			waited: []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, total: 6 * time.Second,
		},
		"none":                {policy: Policy{Attempts: 3}, waited: []time.Duration{0, 0}},
		"once":                {policy: Policy{}},
		"Retry-After, longer": {policy: Policy{Attempts: 2, Backoff: fixed(time.Second)}, header: http.Header{"Retry-After": {"7"}}, waited: []time.Duration{7 * time.Second}, total: 7 * time.Second},
		"Retry-After, less":   {policy: Policy{Attempts: 2, Backoff: fixed(time.Minute)}, header: http.Header{"Retry-After": {"7"}}, waited: []time.Duration{time.Minute}, total: time.Minute},
		"Retry-After, wrong":  {policy: Policy{Attempts: 2, Backoff: fixed(time.Second)}, header: http.Header{"Retry-After": {"-1"}}, waited: []time.Duration{time.Second}, total: time.Second},
		"no time left": {
			policy: Policy{Attempts: 9, Backoff: fixed(4 * time.Second)}, timeout: 10 * time.Second,
			waited: []time.Duration{4 * time.Second, 4 * time.Second}, total: 8 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := newTransport(t, func(*http.Request) (*http.Response, error) { return answer(429, tt.header, "later"), nil })
				ctx := t.Context()
				if tt.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}
				var waited []time.Duration
				tt.policy.OnRetry = func(_ int, delay time.Duration, status int, err error) {
					waited = append(waited, delay)
					if status != 429 || err != nil {
						t.Errorf("OnRetry is told %d, %v", status, err)
					}
				}
				start := time.Now()
				res, err := tr.Do(ctx, create, tt.policy)
				if err != nil {
					t.Fatal(err)
				}
				if res.Status != 429 || res.Attempts != len(tt.waited)+1 || string(res.Content) != "later" {
					t.Errorf("got %d after %d attempts: %s", res.Status, res.Attempts, res.Content)
				}
				if diff := cmp.Diff(tt.waited, waited); diff != "" || time.Since(start) != tt.total {
					t.Errorf("it took %s, want %s; waits: %s", time.Since(start), tt.total, diff)
				}
			})
		})
	}
}

func fixed(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

func TestRetryAfterHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
		past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
		for value, want := range map[string]struct {
			d    time.Duration
			told bool
		}{
			"": {0, false}, "0": {0, true}, "5": {5 * time.Second, true}, "-5": {0, false}, "soon": {0, false}, "1.5": {0, false},
			soon: {90 * time.Second, true}, past: {0, true},
		} {
			d, told := retryAfter(http.Header{"Retry-After": {value}})
			if d != want.d || told != want.told {
				t.Errorf("%q: %s, %v; want %s, %v", value, d, told, want.d, want.told)
			}
		}
	})
}

// What may be sent again after which failure to get an answer.
func TestRetryFailure(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, tt := range map[string]struct {
		err          error
		read, create bool
	}{
		"refused":           {dial(syscall.ECONNREFUSED), true, true},
		"dial timed out":    {dial(timeout{}), true, true},
		"no route":          {dial(syscall.EHOSTUNREACH), false, false},
		"reset":             {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true, false},
		"broken pipe":       {&net.OpError{Op: "write", Err: syscall.EPIPE}, true, false},
		"EOF":               {io.EOF, true, false},
		"unexpected EOF":    {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true, false},
		"closed":            {net.ErrClosed, true, false},
		"stream reset":      {errors.New("stream error: stream ID 5; INTERNAL_ERROR"), true, false},
		"goaway":            {errors.New("http2: server sent GOAWAY and closed the connection"), true, false},
		"attempt timed out": {errAttemptTimeout(time.Second), true, false},
		"silence":           {errIdle(time.Second), true, false},
		"something else":    {errors.New("getting credentials: no"), false, false},
	} {
		for _, r := range []*request.Request{read, create} {
			want := tt.create
			if r == read {
				want = tt.read
			}
			if got := retryFailure(r, !dialFailed(tt.err), tt.err); got != want {
				t.Errorf("%s of a %s is retried: %v, want %v", name, r.Verb, got, want)
			}
		}
	}
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestRetryStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct{ read, create, told bool }{
		400: {}, 404: {}, 409: {}, 501: {},
		429: {read: true, create: true, told: true},
		500: {read: true}, 502: {read: true}, 504: {read: true},
		503: {read: true, told: true},
	} {
		if got := retryStatus(read, status, false, nil); got != want.read {
			t.Errorf("%d of a read: %v", status, got)
		}
		if got := retryStatus(create, status, false, nil); got != want.create {
			t.Errorf("%d of a create: %v", status, got)
		}
		if got := retryStatus(create, status, true, nil); got != want.told {
			t.Errorf("%d of a create, with Retry-After: %v", status, got)
		}
		if !retryStatus(create, status, false, []int{status}) {
			t.Errorf("%d of a create, named by the caller, is not retried", status)
		}
	}
}

// An attempt's own deadline covers its body; the next attempt gets the whole time again.
func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		tr := newTransport(t, func(r *http.Request) (*http.Response, error) {
			if attempts++; attempts < 3 {
				res := answer(200, nil, "")
				res.Body = hanging{r.Context().Done()}
				return res, nil
			}
			return answer(200, nil, "whole"), nil
		})
		start := time.Now()
		res, err := tr.Do(t.Context(), read, Policy{Attempts: 3, AttemptTimeout: 5 * time.Second, Backoff: fixed(time.Second)})
		if err != nil || string(res.Content) != "whole" || res.Attempts != 3 || time.Since(start) != 12*time.Second {
			t.Errorf("after %s: %+v, %v", time.Since(start), res, err)
		}
		attempts = 0
		_, err = tr.Do(t.Context(), create, Policy{Attempts: 3, AttemptTimeout: 5 * time.Second})
		var failure *Error
		if !errors.As(err, &failure) || failure.Attempts != 1 || !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of a create: %v", err)
		}
	})
}

// hanging is a body of which nothing comes until the request's context ends.
type hanging struct{ done <-chan struct{} }

func (h hanging) Read([]byte) (int, error) {
	<-h.done
	return 0, context.Canceled
}
func (hanging) Close() error { return nil }

// A stream without another limit has no end but silence; time that its reader takes does not count.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTransport(t, func(r *http.Request) (*http.Response, error) {
			res := answer(200, nil, "")
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(strings.NewReader("one"), hanging{r.Context().Done()}), hanging{}}
			return res, nil
		})
		res, err := tr.Do(t.Context(), read, Policy{Stream: true, IdleTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 8)
		if n, err := res.Body.Read(buf); string(buf[:n]) != "one" || err != nil {
			t.Errorf("read %q, %v", buf[:n], err)
		}
		time.Sleep(time.Hour) // the reader is busy
		start := time.Now()
		if _, err := res.Body.Read(buf); !errors.Is(err, ErrTimeout) || time.Since(start) != time.Minute {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTransport(t, func(*http.Request) (*http.Response, error) { return answer(503, nil, ""), nil })
		why := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		start := time.Now()
		_, err := tr.Do(ctx, read, Policy{Attempts: 5, Backoff: fixed(time.Hour)})
		if !errors.Is(err, why) || !strings.Contains(err.Error(), "503") || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}
