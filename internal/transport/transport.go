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
	base      *url.URL
	userAgent string
	encoding  string // Accept-Encoding
	pool      *pool
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
	t := &Transport{base: base, userAgent: cfg.UserAgent, encoding: "gzip", pool: p}
	if cfg.DisableCompression {
		t.encoding = ""
	}
	return t, nil
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
	Content  []byte        // the whole body, unless it is streamed; until Release
	Body     io.ReadCloser // of an answer of 2xx to a request that streams: the caller closes it
	Attempts int

	buffer *[]byte // that Content is in
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
		res, sent, err := t.attempt(ctx, r, &p)
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

func (t *Transport) httpRequest(ctx context.Context, r *request.Request) *http.Request {
	httpReq := (&http.Request{
		Method: r.Method, URL: t.resolve(r), Host: t.base.Host, Header: t.headers(r),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if len(r.Body) > 0 {
		httpReq.Body = io.NopCloser(bytes.NewReader(r.Body))
		httpReq.ContentLength = int64(len(r.Body))
		httpReq.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	}
	return httpReq
}

// headers sets the user agent too: client-go's transport would copy the request to add it.
func (t *Transport) headers(r *request.Request) http.Header {
	h := make(http.Header, 4)
	values := make([]string, 0, 4)
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set("User-Agent", t.userAgent)
	set("Accept", r.Accept)
	set("Accept-Encoding", t.encoding)
	if len(r.Body) > 0 {
		set("Content-Type", r.ContentType)
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
