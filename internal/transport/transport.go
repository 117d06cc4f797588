// Package transport sends requests and decides when to send them again. It knows HTTP and time, and nothing of objects:
// what to send comes from package request, what an answer means is for its caller.
//
//	t, err := transport.New(restConfig)
//	res, err := t.Do(ctx, req, policy)   // any status; err only where no whole answer came
package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/internal/request"
)

// What is read at most of an answer, in bytes: of one that is not 2xx, and of one that is not streamed.
const (
	maxErrorBody = 1 << 20
	maxBody      = 1 << 30
)

// Transport sends requests to one API server over as many connections as the load needs. It is safe for concurrent use.
type Transport struct {
	base *url.URL
	pool *pool
}

// New builds a Transport from a rest.Config: its TLS, credentials, proxy and wrappers all hold.
func New(cfg *rest.Config) (*Transport, error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("server address %q: %w", cfg.Host, err)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	p, err := newPool(cfg)
	if err != nil {
		return nil, err
	}
	return &Transport{base: base, pool: p}, nil
}

// URL is the absolute address of r, without credentials.
func (t *Transport) URL(r *request.Request) string {
	u := t.resolve(r)
	u.User = nil
	return u.String()
}

func (t *Transport) resolve(r *request.Request) *url.URL {
	u := *t.base
	u.RawPath = ""
	if unescaped, err := url.PathUnescape(r.Path); err == nil && unescaped != r.Path {
		u.RawPath = u.EscapedPath() + r.Path
		u.Path += unescaped
	} else {
		u.Path += r.Path
	}
	u.RawQuery = r.RawQuery
	return &u
}

// Close drops idle connections. Calls under way go on.
func (t *Transport) Close() { t.pool.closeIdle() }

// Response is the last attempt's answer, whatever its status.
type Response struct {
	Status   int
	Header   http.Header
	Content  []byte        // the whole body, unless it is streamed
	Body     io.ReadCloser // of an answer of 2xx to a request that streams: the caller closes it
	Attempts int
}

// ContentType of the body, with its parameters.
func (r *Response) ContentType() string { return r.Header.Get("Content-Type") }

// RetryAfter is how long the server wants to be left alone; 0 if it did not say.
func (r *Response) RetryAfter() time.Duration {
	d, _ := retryAfter(r.Header)
	return d
}

// Error is a call that got no answer.
type Error struct {
	Attempts int
	Err      error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Do sends r until there is an answer that p does not retry, or attempts or ctx run out. Its error is a *Error.
// The context governs the body too: it must live until the body is read.
func (t *Transport) Do(ctx context.Context, r *request.Request, p Policy) (*Response, error) {
	gate := gateOf(ctx)
	for attempt := 1; ; attempt++ {
		err := p.wait(ctx)
		if err == nil {
			err = gate.Enter(ctx)
		}
		if err != nil {
			return nil, &Error{Attempts: attempt - 1, Err: err}
		}
		res, sent, err := t.attempt(ctx, r, p)
		leave(gate, res)
		delay, again := p.next(ctx, r, attempt, res, sent, err)
		if !again {
			if err != nil {
				return nil, &Error{Attempts: attempt, Err: err}
			}
			res.Attempts = attempt
			return res, nil
		}
		if p.OnRetry != nil {
			p.OnRetry(attempt, delay, status(res), err)
		}
		if !sleep(ctx, delay) {
			if err == nil {
				err = fmt.Errorf("the server answered %d", res.Status)
			}
			return nil, &Error{Attempts: attempt, Err: fmt.Errorf("%w while waiting to try again after: %w", context.Cause(ctx), err)}
		}
	}
}

// attempt sends r once. sent says that the server may have seen it. An answer that is not 2xx is read here, bounded, so
// that it can be looked at twice and its connection is free again.
func (t *Transport) attempt(ctx context.Context, r *request.Request, p Policy) (res *Response, sent bool, err error) {
	l, err := t.pool.take()
	if err != nil {
		return nil, false, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	began := time.Now()
	timer := startTimer(p.AttemptTimeout, func() { stop(errAttemptTimeout(p.AttemptTimeout)) })
	idle := newIdleTimer(p.IdleTimeout, func() {
		stop(errIdle(p.IdleTimeout))
		t.pool.suspect(l, p.IdleTimeout)
	})
	end := func() {
		timer.Stop()
		idle.stop()
		stop(nil)
		l.leave()
	}
	failed := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if isTimeout(err) {
			t.pool.suspect(l, time.Since(began))
		}
		return err
	}
	idle.start()
	httpRes, err := l.rt.RoundTrip(t.httpRequest(ctx, r))
	if err != nil {
		err = failed(err)
		end()
		return nil, !dialFailed(err), err
	}
	res = &Response{Status: httpRes.StatusCode, Header: httpRes.Header}
	if res.Status/100 == 2 {
		idle.stop()
		res.Body = &body{ReadCloser: httpRes.Body, failed: failed, end: end, idle: idle}
		if p.Stream {
			timer.Stop()
			return res, true, nil
		}
		if res.Content, err = readWhole(res); err != nil {
			return nil, true, err
		}
		return res, true, nil
	}
	res.Content, _ = io.ReadAll(io.LimitReader(httpRes.Body, maxErrorBody)) // the status is the answer; a body cut short only makes it less detailed
	_ = httpRes.Body.Close()
	end()
	return res, true, nil
}

// readWhole reads and closes the body of an answer.
func readWhole(res *Response) ([]byte, error) {
	defer func() { _ = res.Body.Close() }() // nothing is left in it, or the attempt has failed already
	var buf bytes.Buffer
	if n, err := strconv.ParseInt(res.Header.Get("Content-Length"), 10, 64); err == nil && n > 0 && n <= maxBody {
		buf.Grow(int(n) + bytes.MinRead)
	}
	switch n, err := buf.ReadFrom(io.LimitReader(res.Body, maxBody+1)); {
	case err != nil:
		return nil, err
	case n > maxBody:
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	}
	return buf.Bytes(), nil
}

func (t *Transport) httpRequest(ctx context.Context, r *request.Request) *http.Request {
	httpReq := (&http.Request{
		Method: r.Method, URL: t.resolve(r), Host: t.base.Host, Header: headers(r),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if len(r.Body) > 0 {
		httpReq.Body = io.NopCloser(bytes.NewReader(r.Body))
		httpReq.ContentLength = int64(len(r.Body))
		httpReq.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	}
	return httpReq
}

func headers(r *request.Request) http.Header {
	h := make(http.Header, 3)
	if r.Accept != "" {
		h["Accept"] = []string{r.Accept}
	}
	if len(r.Body) > 0 && r.ContentType != "" {
		h["Content-Type"] = []string{r.ContentType}
	}
	return h
}

// dialFailed says that no byte of the request left this machine.
func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func status(r *Response) int {
	if r == nil {
		return 0
	}
	return r.Status
}

func startTimer(d time.Duration, f func()) *time.Timer {
	if d <= 0 {
		t := time.NewTimer(time.Hour)
		t.Stop()
		return t
	}
	return time.AfterFunc(d, f)
}

func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
