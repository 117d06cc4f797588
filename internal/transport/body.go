package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// ErrTimeout is in the chain of every error that a deadline of the policy caused, beside context.DeadlineExceeded.
var ErrTimeout = errors.New("timed out")

// errAttemptTimeout and errIdle say which deadline ended an attempt.
func errAttemptTimeout(d time.Duration) error {
	return fmt.Errorf("one attempt took longer than %s: %w: %w", d, ErrTimeout, context.DeadlineExceeded)
}

func errIdle(d time.Duration) error {
	return fmt.Errorf("the server sent nothing for %s: %w: %w", d, ErrTimeout, context.DeadlineExceeded)
}

// body ends the attempt's context and frees its place in the pool when closed, and reports the context's cause instead
// of the transport's "context canceled".
type body struct {
	io.ReadCloser
	ctx  context.Context //nolint:containedctx // a body lives exactly as long as the attempt that this context is of
	end  func()
	once sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.end)
	return err
}

// idleBody gives up when nothing was read for a while. Time that the reader spends elsewhere does not count.
type idleBody struct {
	io.ReadCloser
	limit time.Duration
	timer *time.Timer
}

func newIdleBody(b io.ReadCloser, limit time.Duration, stop context.CancelCauseFunc) *idleBody {
	timer := time.AfterFunc(limit, func() { stop(errIdle(limit)) })
	timer.Stop()
	return &idleBody{ReadCloser: b, limit: limit, timer: timer}
}

func (b *idleBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.limit)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	return n, err
}

func (b *idleBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
