package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/kubesdk/kubesdk/internal/request"
)

// Policy is how a call is sent. The zero value sends once, without deadlines.
type Policy struct {
	Attempts       int                             // at most; below 1 means 1
	Backoff        func(attempt int) time.Duration // before attempt+1; attempt counts from 1. nil: no wait
	Statuses       []int                           // retried for any verb, beside those of the rules
	AttemptTimeout time.Duration                   // of one attempt including its body; 0: none
	IdleTimeout    time.Duration                   // longest silence of the server; 0: any
	Stream         bool                            // leave reading the body to the caller, who wants it as it comes
	Limiter        interface {                     // asked before each attempt; nil: no limit
		Wait(ctx context.Context) error
	}
	OnRetry func(attempt int, delay time.Duration, status int, err error)
}

func (p *Policy) wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if p.Limiter == nil {
		return nil
	}
	return p.Limiter.Wait(ctx)
}

// next decides whether the outcome of an attempt is worth another, and after how long.
func (p *Policy) next(ctx context.Context, r *request.Request, attempt int, res *Response, sent bool, err error) (time.Duration, bool) {
	if attempt >= p.Attempts || ctx.Err() != nil {
		return 0, false
	}
	var delay time.Duration
	if p.Backoff != nil {
		delay = p.Backoff(attempt)
	}
	if err != nil {
		return delay, retryFailure(r, sent, err) && fits(ctx, delay)
	}
	after, told := retryAfter(res.Header)
	if !retryStatus(r, res.Status, told, p.Statuses) {
		return 0, false
	}
	delay = max(delay, after)
	return delay, fits(ctx, delay)
}

// fits says whether there is time left to wait that long: if not, the answer in hand is the better one to return.
func fits(ctx context.Context, delay time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > delay
}

// retryFailure: what was never sent may always be sent; what the server may have acted on only when that is harmless.
func retryFailure(r *request.Request, sent bool, err error) bool {
	if !sent {
		return errors.Is(err, syscall.ECONNREFUSED) || isTimeout(err)
	}
	return r.Replayable && Interrupted(err)
}

// Interrupted says that a connection broke or was too slow, also in the middle of an answer, as opposed to a certificate, an address or a credential being wrong.
func Interrupted(err error) bool {
	var certErr *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certErr):
		return false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed),
		utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err), utilnet.IsHTTP2ConnectionLost(err), isTimeout(err):
		return true
	}
	// net/http has no exported types for a stream that was reset and a connection that was told to go away.
	text := err.Error()
	return strings.Contains(text, "stream error") || strings.Contains(text, "GOAWAY")
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, ErrTimeout) || errors.As(err, &n) && n.Timeout()
}

// retryStatus: 429, and 503 that says when, were not acted on; other failures of the server may have been.
func retryStatus(r *request.Request, status int, told bool, named []int) bool {
	switch {
	case slices.Contains(named, status), status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && told:
		return true
	case status == http.StatusInternalServerError, status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return r.Replayable
	}
	return false
}

// retryAfter reads the header Retry-After (RFC 9110, section 10.2.3): seconds or a date.
func retryAfter(h http.Header) (time.Duration, bool) {
	value := h.Get("Retry-After")
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}
