package batch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk"
)

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func states[I, R any](results Results[I, R]) []State {
	all := make([]State, len(results))
	for i, r := range results {
		all[i] = r.State
	}
	return all
}

func TestDoKeepsTheOrderAndTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		results, err := Do(t.Context(), numbers(100), func(_ context.Context, n int) (string, error) {
			now := running.Add(1)
			defer running.Add(-1)
			for {
				seen := most.Load()
				if now <= seen || most.CompareAndSwap(seen, now) {
					break
				}
			}
			time.Sleep(time.Duration(100-n) * time.Millisecond) // the last ends first
			return fmt.Sprint(n), nil
		}, InFlight(7))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Index != i || r.Item != i || r.Value != fmt.Sprint(i) || r.State != Done || r.Err != nil {
				t.Errorf("result %d is %+v", i, r)
			}
		}
		if most.Load() != 7 {
			t.Errorf("%d ran at the same time, want 7", most.Load())
		}
	})
}

func TestDoCollects(t *testing.T) {
	t.Parallel()
	odd := errors.New("odd")
	results, err := Do(t.Context(), numbers(9), func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, fmt.Errorf("number %d: %w", n, odd)
		}
		return n * n, nil
	})
	if !errors.Is(err, odd) {
		t.Errorf("error %v does not wrap the items' errors", err)
	}
	want := "4 of 9 failed: number 1: odd; number 3: odd; number 5: odd; and 1 more"
	if err.Error() != want {
		t.Errorf("got error %q, want %q", err, want)
	}
	if diff := cmp.Diff([]int{0, 4, 16, 36, 64}, results.Values()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if failed := results.In(Failed); len(failed) != 4 || failed[3].Item != 7 {
		t.Errorf("failed: %+v", failed)
	}
}

func TestDoStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results, err := Do(t.Context(), numbers(10), func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			if n == 3 {
				return 0, errors.New("three")
			}
			time.Sleep(time.Second)
			return n, nil
		}, InFlight(4), StopOnError())
		want := []State{Done, Done, Done, Failed, NotSent, NotSent, NotSent, NotSent, NotSent, NotSent}
		if diff := cmp.Diff(want, states(results)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		var e *Error
		if !errors.As(err, &e) || e.Failed != 1 || e.NotSent != 6 || e.Error() != "1 of 10 failed, 6 not sent: three" {
			t.Errorf("got error %v", err)
		}
		if !errors.Is(results[9].Err, ErrNotSent) {
			t.Errorf("an item that was not sent has the error %v", results[9].Err)
		}
	})
}

func TestDoCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the user pressed Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(why) })
		results, err := Do(ctx, numbers(6), func(ctx context.Context, n int) (int, error) {
			select {
			case <-time.After(time.Second):
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}, InFlight(2))
		if diff := cmp.Diff([]State{Done, Done, Unknown, Unknown, NotSent, NotSent}, states(results)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if !errors.Is(err, why) || !strings.HasPrefix(err.Error(), "2 of 6 of unknown outcome, 2 not sent: the user pressed Ctrl-C") {
			t.Errorf("got error %v", err)
		}
	})
}

func TestDoOnAnEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := Do(ctx, numbers(3), func(context.Context, int) (int, error) {
		t.Error("op was called")
		return 0, nil
	})
	if !errors.Is(err, context.Canceled) || len(results.In(NotSent)) != 3 {
		t.Errorf("got %v, %v", results, err)
	}
}

func TestDoNothing(t *testing.T) {
	t.Parallel()
	results, err := Do(t.Context(), nil, func(context.Context, string) (int, error) { return 0, nil })
	if len(results) != 0 || err != nil {
		t.Errorf("got %v, %v", results, err)
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	gone := &kubesdk.Error{Verb: "delete", Code: 404, Attempts: 1}
	results, err := Do(t.Context(), numbers(2), func(_ context.Context, n int) (int, error) {
		if n == 0 {
			return 0, gone
		}
		return n, nil
	}, Accept(kubesdk.ErrNotFound))
	if err != nil || results[0].State != Done || results[0].Err == nil {
		t.Errorf("got %+v, %v", results, err)
	}
	if diff := cmp.Diff([]int{1}, results.Values()); diff != "" {
		t.Errorf("a value of an operation that failed is given out: %s", diff)
	}
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for name, tt := range map[string]struct {
		err  error
		want State
	}{
		"none":                      {nil, Done},
		"not of this SDK":           {errors.New("bad"), Failed},
		"cancelled elsewhere":       {fmt.Errorf("op: %w", context.Canceled), Unknown},
		"refused here":              {&kubesdk.Error{Verb: "create"}, Failed},
		"cancelled before sending":  {join(&kubesdk.Error{Verb: "create"}, context.Canceled), NotSent},
		"cancelled in flight":       {join(&kubesdk.Error{Verb: "create", Attempts: 1}, context.Canceled), Unknown},
		"timed out in flight":       {join(&kubesdk.Error{Verb: "create", Attempts: 1}, context.DeadlineExceeded), Unknown},
		"never connected":           {join(&kubesdk.Error{Verb: "create", Attempts: 1}, dial), Failed},
		"sent, then never again":    {join(&kubesdk.Error{Verb: "update", Attempts: 2}, dial), Unknown},
		"connection broke":          {join(&kubesdk.Error{Verb: "create", Attempts: 1}, syscall.ECONNRESET), Unknown},
		"refused by the server":     {&kubesdk.Error{Verb: "create", Attempts: 1, Code: 409}, Failed},
		"too many requests":         {&kubesdk.Error{Verb: "create", Attempts: 5, Code: 429}, Failed},
		"etcd timed out":            {&kubesdk.Error{Verb: "create", Attempts: 1, Code: 500}, Unknown},
		"a proxy without a server":  {&kubesdk.Error{Verb: "delete", Attempts: 1, Code: 502}, Unknown},
		"reading changes nothing":   {&kubesdk.Error{Verb: "get", Attempts: 5, Code: 500}, Failed},
		"wrapped by the operation":  {fmt.Errorf("step 2: %w", &kubesdk.Error{Verb: "patch", Attempts: 1, Code: 422}), Failed},
		"answer not understandable": {&kubesdk.Error{Verb: "create", Attempts: 1}, Unknown},
	} {
		if got := stateOf(tt.err); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func join(errs ...error) error { return errors.Join(errs...) }

func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func TestStreamTakesOnlyWhatItHasRoomFor(t *testing.T) {
	t.Parallel()
	var taken, ended int64
	items := func(yield func(int) bool) {
		for i := range 10_000 {
			if ahead := atomic.AddInt64(&taken, 1) - atomic.LoadInt64(&ended); ahead > 10 {
				t.Errorf("%d items are held at once, with 4 in flight", ahead)
			}
			if !yield(i) {
				return
			}
		}
	}
	var seen []int
	for r := range Stream(t.Context(), items, func(_ context.Context, n int) (int, error) { return -n, nil }, InFlight(4)) {
		if r.State != Done || r.Value != -r.Item || r.Index != r.Item {
			t.Errorf("got %+v", r)
		}
		seen = append(seen, r.Index)
		atomic.AddInt64(&ended, 1)
	}
	slices.Sort(seen)
	if diff := cmp.Diff(numbers(10_000), seen); diff != "" {
		t.Errorf("items seen (-want +got):\n%s", diff)
	}
}

func TestStreamLeftEarly(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	for range Stream(t.Context(), count(1000), func(ctx context.Context, n int) (int, error) {
		open.Add(1)
		defer open.Add(-1)
		if n > 0 {
			<-ctx.Done()
		}
		return n, ctx.Err()
	}, InFlight(5)) {
		break
	}
	if n := open.Load(); n != 0 {
		t.Errorf("%d operations are under way after the loop, want 0", n)
	}
}

func TestStreamCancelledTellsOfEveryItemTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		taken := 0
		items := func(yield func(int) bool) {
			for i := range count(100) {
				taken++
				if !yield(i) {
					return
				}
			}
		}
		got := map[State]int{}
		for r := range Stream(ctx, items, func(ctx context.Context, n int) (int, error) {
			select {
			case <-time.After(time.Duration(n+1) * time.Second):
			case <-ctx.Done():
			}
			return n, ctx.Err()
		}, InFlight(3)) {
			got[r.State]++
			if got[Done] == 5 {
				cancel()
			}
		}
		if total := got[Done] + got[Unknown] + got[NotSent]; total != taken || got[Done] < 5 || got[NotSent] > 1 {
			t.Errorf("took %d items and told of %v", taken, got)
		}
	})
}

func TestItems(t *testing.T) {
	t.Parallel()
	broken := errors.New("stream broke")
	source := func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, broken)
	}
	var err error
	if got := slices.Collect(Items(source, &err)); !slices.Equal(got, []int{1, 2}) || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reports []Progress
		var calls sync.Mutex
		_, _ = Do(t.Context(), numbers(100), func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			if n%10 == 9 {
				return 0, errors.New("nine")
			}
			return n, nil
		}, InFlight(10), Every(500*time.Millisecond), OnProgress(func(p Progress) {
			if !calls.TryLock() {
				t.Error("called concurrently")
				return
			}
			defer calls.Unlock()
			reports = append(reports, p)
		}))
		if len(reports) < 9 || len(reports) > 21 {
			t.Fatalf("%d reports in 10 s, at most every 500 ms and only with news", len(reports))
		}
		middle := reports[len(reports)/2]
		if middle.Total != 100 || middle.Rate < 8 || middle.Rate > 11 || middle.ETA < 3*time.Second || middle.ETA > 7*time.Second {
			t.Errorf("half way: %+v", middle)
		}
		last := reports[len(reports)-1]
		last.Rate = 0
		want := Progress{Total: 100, Done: 90, Failed: 10, Limit: firstFlight, Elapsed: 10 * time.Second}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("last report (-want +got):\n%s", diff)
		}
	})
}

func TestProgressCountsWhatWasNotSent(t *testing.T) {
	t.Parallel()
	var last Progress
	_, _ = Do(t.Context(), numbers(50), func(_ context.Context, n int) (int, error) {
		return 0, errors.New("no")
	}, InFlight(1), StopOnError(), OnProgress(func(p Progress) { last = p }))
	if last.Failed != 1 || last.NotSent != 49 || last.Ended() != 50 || last.ETA != 0 {
		t.Errorf("last report: %+v", last)
	}
}

func TestManyItemsNeedFewWorkers(t *testing.T) {
	t.Parallel()
	b := newRunner(newConfig([]Option{InFlight(8)}), func(_ context.Context, n int) (int, error) { return n, nil }, func(Result[int, int]) {})
	b.run(t.Context(), count(20_000), 0)
	if b.started > 8 {
		t.Errorf("%d workers were started, want at most 8", b.started)
	}
}

func BenchmarkDo(b *testing.B) {
	items := numbers(1000)
	for b.Loop() {
		_, _ = Do(b.Context(), items, func(_ context.Context, n int) (int, error) { return n, nil })
	}
}
