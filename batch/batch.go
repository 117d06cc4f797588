package batch

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kubesdk/kubesdk/internal/transport"
)

// Do calls op for each of items, many at a time, and returns what came of each, in the order of items. The error is an
// *[Error] if any item is not [Done], or nil. When ctx ends nothing more is begun, operations under way are cancelled and
// waited for, and the results tell which items were done, which were not, and of which that is not known.
//
// op is called concurrently. Requests that it makes with the context it is given, and only those, follow the batch's limit
// (see the package's documentation).
func Do[I, R any](ctx context.Context, items []I, op func(ctx context.Context, item I) (R, error), opts ...Option) (Results[I, R], error) {
	results := make(Results[I, R], len(items))
	for i, item := range items {
		results[i] = Result[I, R]{Index: i, Item: item, Err: ErrNotSent}
	}
	b := newRunner(newConfig(opts), op, func(r Result[I, R]) { results[r.Index] = r })
	b.run(ctx, slices.Values(items), len(items))
	if ctx.Err() != nil {
		return results, results.err(context.Cause(ctx))
	}
	return results, results.err(nil)
}

// Stream calls op for each of items, many at a time, and yields what came of each as it ends: Result.Index is the place in
// items. Items are taken one by one as there is room for them, in a goroutine of Stream's, so their number does not matter.
//
// Stream ends after the last item, or when ctx ends: then operations under way are cancelled, waited for, and their
// results yielded like any other's. Leaving the loop does the same, without anybody to yield to.
func Stream[I, R any](ctx context.Context, items iter.Seq[I], op func(ctx context.Context, item I) (R, error), opts ...Option) iter.Seq[Result[I, R]] {
	return func(yield func(Result[I, R]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		c := newConfig(opts)
		out := make(chan Result[I, R])
		go func() {
			defer close(out)
			b := newRunner(c, op, func(r Result[I, R]) { out <- r })
			b.run(ctx, items, c.wantedTotal)
		}()
		left := false
		for r := range out {
			if !left && !yield(r) {
				left = true
				cancel()
			}
		}
	}
}

// Items makes input for [Stream] of a sequence that can fail, such as [kubesdk.Resource.All]. It ends with the first error,
// which it stores in *err: look at it when Stream is over.
func Items[I any](items iter.Seq2[I, error], err *error) iter.Seq[I] {
	return func(yield func(I) bool) {
		for item, e := range items {
			if e != nil {
				*err = e
				return
			}
			if !yield(item) {
				return
			}
		}
	}
}

// runner runs one batch.
type runner[I, R any] struct {
	config  *config
	op      func(context.Context, I) (R, error)
	emit    func(Result[I, R]) // called concurrently, once for each item that was taken
	limiter *limiter
	meter   *meter

	work    chan Result[I, R]
	workers sync.WaitGroup
	started int // workers
	stopped atomic.Bool
}

func newRunner[I, R any](c *config, op func(context.Context, I) (R, error), emit func(Result[I, R])) *runner[I, R] {
	return &runner[I, R]{config: c, op: op, emit: emit, limiter: newLimiter(c.inFlight), work: make(chan Result[I, R])}
}

// run takes items until they or ctx end, and returns when all that was begun is over.
func (b *runner[I, R]) run(ctx context.Context, items iter.Seq[I], total int) {
	ctx = transport.WithGate(ctx, b.limiter)
	b.meter = newMeter(b.config, b.limiter, total)
	taken := 0
	for item := range items {
		r := Result[I, R]{Index: taken, Item: item, Err: ErrNotSent}
		taken++
		begun := b.limiter.begin(ctx) == nil
		if begun && b.stopped.Load() {
			b.limiter.end()
			begun = false
		}
		if !begun {
			b.meter.count(NotSent)
			b.emit(r)
			break
		}
		b.start(ctx, r)
	}
	close(b.work)
	b.workers.Wait()
	b.meter.finish(max(0, total-taken))
}

// start hands r to a worker that is free, or else to a new one. Workers are kept, because their stacks have grown to what
// a request needs.
func (b *runner[I, R]) start(ctx context.Context, r Result[I, R]) {
	select {
	case b.work <- r:
		return
	default:
	}
	if b.started == b.config.inFlight { // one of them is about to be free: the limiter let r begin
		b.work <- r
		return
	}
	b.started++
	b.workers.Go(func() {
		b.one(ctx, r)
		for r := range b.work {
			b.one(ctx, r)
		}
	})
}

func (b *runner[I, R]) one(ctx context.Context, r Result[I, R]) {
	r.Value, r.Err = b.op(ctx, r.Item)
	r.State = stateOf(r.Err)
	if r.Err != nil && b.config.accepts(r.Err) {
		r.State = Done
	}
	if r.State == NotSent {
		r.Err = fmt.Errorf("%w: %w", ErrNotSent, r.Err)
	}
	if r.State != Done && b.config.stop {
		b.stopped.Store(true)
	}
	b.meter.count(r.State)
	b.emit(r)
	b.limiter.end()
}
