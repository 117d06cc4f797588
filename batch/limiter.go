package batch

import (
	"context"
	"sync"
	"time"
)

// limiter decides how many operations run and how many requests are sent at the same time: additive increase,
// multiplicative decrease, after a slow start (RFC 5681 in small). It is the gate of the batch's requests.
type limiter struct {
	most float64

	mu      sync.Mutex
	limit   float64       // now
	probing bool          // slow start: nothing was refused yet, so each answer makes room for one more
	running int           // operations
	sending int           // requests without an answer yet
	stale   int           // requests that were on their way when limit was last cut: their refusals are old news
	resume  time.Time     // nothing is sent before
	changed chan struct{} // closed when someone who waits should look again; nil if nobody waits
}

// firstFlight is small, because a refused request loses one of its attempts: a server with little room would refuse the
// same ones again and again while a large limit comes down. Doubling makes up for it in a few round trips.
const firstFlight = 8

func newLimiter(most int) *limiter {
	return &limiter{most: float64(most), limit: float64(min(most, firstFlight)), probing: true}
}

// begin waits until one more operation may run. As long as nothing was refused that is not bound to the limit of requests:
// an operation may take long without making any.
func (l *limiter) begin(ctx context.Context) error { return l.admit(ctx, &l.running) }

// end is told that an operation is over.
func (l *limiter) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.wake()
}

// Enter waits until one more request may be sent.
func (l *limiter) Enter(ctx context.Context) error { return l.admit(ctx, &l.sending) }

// Leave is told what came of a request.
func (l *limiter) Leave(refused bool, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sending--
	old := l.stale > 0
	if old {
		l.stale--
	}
	if refused {
		l.probing = false
		if !old {
			l.limit = max(1, l.limit/2)
			l.stale = l.sending
		}
		if at := time.Now().Add(after); after > 0 && at.After(l.resume) {
			l.resume = at
		}
	} else if !old {
		step := 1 / l.limit
		if l.probing {
			step = 1
		}
		l.limit = min(l.most, l.limit+step)
	}
	l.wake()
}

// now returns how many requests may be sent at the same time, and how many operations run.
func (l *limiter) now() (limit, running int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.limit), l.running
}

func (l *limiter) admit(ctx context.Context, count *int) error {
	for {
		changed, pause, ok := l.try(ctx, count)
		switch {
		case ok:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case pause > 0:
			sleep(ctx, pause)
		default:
			select {
			case <-ctx.Done():
			case <-changed:
			}
		}
	}
}

// try admits one more to count, or returns what to wait for.
func (l *limiter) try(ctx context.Context, count *int) (changed <-chan struct{}, pause time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return nil, 0, false
	}
	if !l.resume.IsZero() {
		if pause := time.Until(l.resume); pause > 0 {
			return nil, pause, false
		}
		l.resume = time.Time{}
	}
	limit := l.limit
	if l.probing && count == &l.running {
		limit = l.most
	}
	if *count < int(limit) {
		*count++
		return nil, 0, true
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed, 0, false
}

func (l *limiter) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
