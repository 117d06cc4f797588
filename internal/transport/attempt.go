package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/kubesdk/kubesdk/internal/request"
)

// attempt is one sending of a request, until its answer's body is closed. As a body it reports why its context ended
// instead of the transport's "context canceled", and gives up when nothing was read for a while; time that the reader
// spends elsewhere does not count.
type attempt struct {
	pool  *pool
	lane  *lane
	ctx   context.Context         //nolint:containedctx // an attempt is as long as its context, and has no other use of one
	stop  context.CancelCauseFunc // nil if nothing but the caller's context ends it
	timer *time.Timer             // of the whole attempt; nil without a limit
	idle  idleTimer
	began time.Time
	body  io.ReadCloser
	once  sync.Once
}

func (t *Transport) newAttempt(ctx context.Context, p *Policy) (*attempt, error) {
	l, err := t.pool.take()
	if err != nil {
		return nil, err
	}
	a := &attempt{pool: t.pool, lane: l, ctx: ctx, began: time.Now()}
	if p.AttemptTimeout <= 0 && p.IdleTimeout <= 0 && !p.Stream {
		return a, nil
	}
	a.ctx, a.stop = context.WithCancelCause(ctx)
	if limit := p.AttemptTimeout; limit > 0 {
		a.timer = time.AfterFunc(limit, func() { a.stop(errAttemptTimeout(limit)) })
	}
	a.idle = newIdleTimer(p.IdleTimeout, func() {
		a.stop(errIdle(p.IdleTimeout))
		t.pool.suspect(l, p.IdleTimeout)
	})
	return a, nil
}

// attempt sends r once. sent says that the server may have seen it. Only a streamed answer of 2xx has a body still to read.
func (t *Transport) attempt(ctx context.Context, r *request.Request, p *Policy) (res *Response, sent bool, err error) {
	a, err := t.newAttempt(ctx, p)
	if err != nil {
		return nil, false, err
	}
	a.idle.start()
	httpRes, err := a.lane.roundTrip(t.httpRequest(a.ctx, r)) //nolint:bodyclose // a.Close does
	if err != nil {
		err = a.failed(err)
		a.end()
		return nil, !dialFailed(err), err
	}
	decompressed(httpRes)
	a.body = httpRes.Body
	res = &Response{Status: httpRes.StatusCode, Header: httpRes.Header}
	if res.Status/100 != 2 {
		res.Content, _ = io.ReadAll(io.LimitReader(httpRes.Body, maxErrorBody)) // the status is the answer; a body cut short only makes it less detailed
		_ = a.Close()
		return res, true, nil
	}
	a.idle.stop()
	if p.Stream {
		res.Body = a
		return res, true, nil
	}
	defer func() { _ = a.Close() }() // nothing is left in it, or the attempt has failed already
	if err := res.read(a, httpRes); err != nil {
		return nil, true, err
	}
	return res, true, nil
}

func (a *attempt) Read(p []byte) (int, error) {
	a.idle.start()
	n, err := a.body.Read(p)
	a.idle.stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = a.failed(err)
	}
	return n, err
}

func (a *attempt) Close() error {
	err := a.body.Close()
	a.once.Do(a.end)
	return err
}

// failed tells why it failed, and blames the connection where a deadline passed.
func (a *attempt) failed(err error) error {
	if cause := context.Cause(a.ctx); cause != nil {
		err = cause
	}
	if isTimeout(err) {
		a.pool.suspect(a.lane, time.Since(a.began))
	}
	return err
}

func (a *attempt) end() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.idle.stop()
	if a.stop != nil {
		a.stop(nil)
	}
	a.lane.leave()
}

// buffers hold answers while they are decoded: most answers are alike in size, and growing a buffer for each of them costs
// more than decoding it.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 32<<10)) }}

const maxPooled = 1 << 20 // bytes; a larger buffer is rarely needed again

// read reads the whole body into a buffer that Release gives back.
func (r *Response) read(body io.Reader, from *http.Response) error {
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put in
	b := (*buffer)[:0]
	if n := from.ContentLength; n > int64(cap(b)) && n <= maxBody {
		b = make([]byte, 0, n+1) // and one to meet the end with
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			r.Content, *buffer, r.buffer = b, b, buffer
			return nil
		case err != nil:
			return err
		case len(b) > maxBody:
			return fmt.Errorf("the answer is larger than %d bytes", maxBody)
		}
	}
}

// Release ends the use of Content: its memory serves another answer from then on.
func (r *Response) Release() {
	if r.buffer != nil && cap(*r.buffer) <= maxPooled {
		buffers.Put(r.buffer)
	}
	r.Content, r.buffer = nil, nil
}
