package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// watchLease sends the cluster's lock, taken, when its lease was not renewed for timeout; never if that is zero.
func watchLease(ctx context.Context, dir state.Dir, timeout time.Duration) <-chan *state.Lock {
	idle := make(chan *state.Lock)
	if timeout <= 0 {
		return idle
	}
	go func() {
		ticker := time.NewTicker(min(timeout/4+time.Millisecond, 5*time.Second))
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if lock := lockIdle(dir, timeout); lock != nil {
				idle <- lock
				return
			}
		}
	}()
	return idle
}

// lockIdle takes the cluster's lock if the lease has run out. While a command is at work on the cluster it does not: that
// may be about to renew the lease, and has the lock until it has.
func lockIdle(dir state.Dir, timeout time.Duration) *state.Lock {
	expired := func() bool {
		leased, err := dir.Leased()
		if err != nil {
			slog.Error("could not read the lease", "err", err)
		}
		return err == nil && time.Since(leased) >= timeout
	}
	if !expired() {
		return nil
	}
	lock, err := dir.TryLock()
	if err != nil {
		if !errors.Is(err, state.ErrLocked) {
			slog.Error("could not take the lock", "err", err)
		}
		return nil
	}
	if !expired() {
		lock.Release()
		return nil
	}
	return lock
}
