package batch

import (
	"errors"
	"time"
)

// DefaultInFlight is how many operations run at the same time if [InFlight] does not say: enough to keep a server far away
// busy, and within what one HTTP/2 connection carries.
const DefaultInFlight = 64

const defaultInterval = 200 * time.Millisecond

// Option changes how a batch is run.
type Option interface{ apply(*config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

type config struct {
	inFlight    int
	stop        bool
	accepted    []error
	progress    func(Progress)
	interval    time.Duration
	wantedTotal int
}

func newConfig(opts []Option) *config {
	c := &config{inFlight: DefaultInFlight, interval: defaultInterval}
	for _, o := range opts {
		o.apply(c)
	}
	return c
}

// InFlight bounds how many operations run at the same time; it is what a semaphore is elsewhere. Values below 1 mean 1.
func InFlight(n int) Option {
	return option(func(c *config) { c.inFlight = max(1, n) })
}

// StopOnError begins no further operation once one failed. Those under way are waited for, so that their outcome is known;
// the rest is [NotSent]. Without it a batch goes on to the end and collects what failed.
func StopOnError() Option {
	return option(func(c *config) { c.stop = true })
}

// Accept takes an operation for done although it failed with one of errs, as [errors.Is] sees it: Accept(kubesdk.ErrNotFound)
// to delete what may be gone already, Accept(kubesdk.ErrAlreadyExists) to go on with a creation that was interrupted. The
// result keeps the error.
func Accept(errs ...error) Option {
	return option(func(c *config) { c.accepted = append(c.accepted, errs...) })
}

// OnProgress calls f while the batch runs and once more at its end. It is never called concurrently, nor more often than
// about every 200 ms (see [Every]), and the batch does not wait for it except at the end.
func OnProgress(f func(Progress)) Option {
	return option(func(c *config) { c.progress = f })
}

// Every sets how often [OnProgress] is called at most. Values of 0 or less are not used.
func Every(interval time.Duration) Option {
	return option(func(c *config) {
		if interval > 0 {
			c.interval = interval
		}
	})
}

// Total tells [Stream] how many items there will be, for the progress and its estimate. It bounds nothing.
func Total(n int) Option {
	return option(func(c *config) { c.wantedTotal = max(0, n) })
}

func (c *config) accepts(err error) bool {
	for _, target := range c.accepted {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
