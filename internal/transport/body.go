package transport

import (
	"context"
	"errors"
	"fmt"
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

// idleTimer runs while the server is waited for. Without a limit it never ends.
type idleTimer struct {
	limit time.Duration
	timer *time.Timer // nil without a limit
}

func newIdleTimer(limit time.Duration, over func()) idleTimer {
	if limit <= 0 {
		return idleTimer{}
	}
	t := time.AfterFunc(limit, over)
	t.Stop()
	return idleTimer{limit: limit, timer: t}
}

func (t idleTimer) start() {
	if t.timer != nil {
		t.timer.Reset(t.limit)
	}
}

func (t idleTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}
