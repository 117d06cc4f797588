package batch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func enterAll(t *testing.T, l *limiter, n int) {
	t.Helper()
	for range n {
		if err := l.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimiterDoublesUntilTheFirstRefusal(t *testing.T) {
	t.Parallel()
	l := newLimiter(64)
	for _, want := range []int{8, 16, 32, 64, 64} {
		limit, _ := l.now()
		if limit != want {
			t.Fatalf("limit = %d, want %d", limit, want)
		}
		enterAll(t, l, limit)
		for range limit {
			l.Leave(false, 0)
		}
	}
}

func TestLimiterHalvesOncePerFlightAndGrowsByOnePerRound(t *testing.T) {
	t.Parallel()
	l := newLimiter(64)
	l.limit = 64
	enterAll(t, l, 64)
	for range 10 {
		l.Leave(true, 0) // all were on their way when the first was refused
	}
	if limit, _ := l.now(); limit != 32 {
		t.Errorf("after one flight of refusals the limit is %d, want 32", limit)
	}
	for range 54 {
		l.Leave(false, 0)
	}
	if limit, _ := l.now(); limit != 32 {
		t.Errorf("answers to requests from before the cut moved the limit to %d, want 32", limit)
	}
	for round := range 5 {
		before, _ := l.now()
		enterAll(t, l, before)
		for range before + 1 { // 1/limit shrinks within the round
			l.Leave(false, 0)
		}
		l.sending = 0
		if after, _ := l.now(); after != before+1 {
			t.Errorf("round %d: from %d to %d, want one more", round, before, after)
		}
	}
	for range 100_000 {
		l.Leave(false, 0)
	}
	if limit, _ := l.now(); limit != 64 {
		t.Errorf("limit grew to %d, want the most, 64", limit)
	}
}

func TestLimiterNeverBelowOne(t *testing.T) {
	t.Parallel()
	l := newLimiter(4)
	for range 20 {
		enterAll(t, l, 1)
		l.Leave(true, 0)
	}
	if limit, _ := l.now(); limit != 1 {
		t.Errorf("limit = %d, want 1", limit)
	}
}

func TestLimiterPausesForRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2)
		enterAll(t, l, 2)
		start := time.Now()
		l.Leave(true, 3*time.Second)
		l.Leave(true, 2*time.Second) // a shorter one does not end a longer pause
		enterAll(t, l, 1)
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %s, want 3s", waited)
		}
	})
}

func TestLimiterWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		enterAll(t, l, 1)
		entered := make(chan struct{})
		go func() {
			enterAll(t, l, 1)
			close(entered)
		}()
		synctest.Wait()
		select {
		case <-entered:
			t.Fatal("a second request entered while the first was on its way")
		default:
		}
		l.Leave(false, 0)
		<-entered
	})
}

func TestLimiterGivesUpWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		for name, hold := range map[string]func(*limiter){
			"full":   func(l *limiter) { enterAll(t, l, 1) },
			"paused": func(l *limiter) { enterAll(t, l, 1); l.Leave(true, time.Hour) },
		} {
			l := newLimiter(1)
			hold(l)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				time.Sleep(time.Second)
				cancel(why)
			}()
			start := time.Now()
			if err := l.Enter(ctx); !errors.Is(err, why) {
				t.Errorf("%s: got %v, want the cause", name, err)
			}
			if waited := time.Since(start); waited != time.Second {
				t.Errorf("%s: gave up after %s, want 1s", name, waited)
			}
		}
	})
}
