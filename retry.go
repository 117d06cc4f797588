package kubesdk

import (
	"math"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often and after what wait a call is sent again. The zero value sends once.
//
// What is retried depends on the verb and on how it failed. A refused connection, 429, and 503 with Retry-After were not
// acted on: they are retried for any verb. A broken connection, an attempt that timed out, and 500, 502, 503 or 504 are
// retried only where sending twice does no harm: reads, Replace with a resourceVersion, Delete with a UID precondition,
// and Apply. Retry-After is honoured when it is longer than the backoff; a wait that would pass the call's deadline is
// not begun, and the last answer is returned.
type RetryPolicy struct {
	Attempts int     // how often the call is sent at most, the first included; below 2 is never again
	Backoff  Backoff // wait before the next attempt; nil means the default, Exponential(100 ms) capped at 5 s, jittered
	Statuses []int   // HTTP statuses that are retried for any verb, also Create: the caller knows that it is harmless
}

// Backoff is the wait after attempt number attempt, counted from 1.
type Backoff func(attempt int) time.Duration

// Fixed waits d each time.
func Fixed(d time.Duration) Backoff {
	return func(int) time.Duration { return d }
}

// Exponential waits first, then twice as long each time.
func Exponential(first time.Duration) Backoff {
	return func(attempt int) time.Duration {
		d := float64(first) * math.Pow(2, float64(max(attempt, 1)-1))
		return time.Duration(min(d, float64(math.MaxInt64/2)))
	}
}

// Capped never waits longer than limit.
func (b Backoff) Capped(limit time.Duration) Backoff {
	return func(attempt int) time.Duration { return min(b(attempt), limit) }
}

// Jittered waits a random time between half of what b says and all of it, so that many clients do not come back at once.
func (b Backoff) Jittered() Backoff {
	return func(attempt int) time.Duration {
		d := b(attempt)
		if d <= 1 {
			return d
		}
		return d/2 + rand.N(d/2)
	}
}

var defaultBackoff = Exponential(100 * time.Millisecond).Capped(5 * time.Second).Jittered()
