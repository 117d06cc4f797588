package transport

import (
	"context"
	"net/http"
	"time"
)

// Gate bounds the attempts of all calls made with one context, whatever client they go through, and learns from their
// outcomes: the retries of one call count as much as the first attempts of others.
type Gate interface {
	// Enter returns when an attempt may be sent, or with the context's cause.
	Enter(ctx context.Context) error
	// Leave is told the outcome of an attempt that entered: whether the server asked for less, and after how long it
	// wants to be asked again, 0 if it did not say.
	Leave(refused bool, after time.Duration)
}

type gateKey struct{}

// WithGate is a context whose calls ask g.
func WithGate(ctx context.Context, g Gate) context.Context {
	return context.WithValue(ctx, gateKey{}, g)
}

func gateOf(ctx context.Context) Gate {
	if g, ok := ctx.Value(gateKey{}).(Gate); ok {
		return g
	}
	return open{}
}

// leave tells g what the server made of an attempt.
func leave(g Gate, res *Response) {
	if res == nil {
		g.Leave(false, 0)
		return
	}
	after, told := retryAfter(res.Header)
	g.Leave(res.Status == http.StatusTooManyRequests || res.Status == http.StatusServiceUnavailable && told, after)
}

// open is the gate of a context without one.
type open struct{}

func (open) Enter(context.Context) error { return nil }
func (open) Leave(bool, time.Duration)   {}
