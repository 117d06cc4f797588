package kubesdk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// scripted is a watcher whose requests end as the script says; after the script nothing comes any more.
func scripted(t *testing.T, s *settings, script ...func(w *watcher, yield func(change) bool) outcome) *watcher {
	t.Helper()
	c, err := New(&rest.Config{Host: "https://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWatcher(For[*corev1.Pod](c).Namespace("default").h, s, func() Object { return &corev1.Pod{} })
	w.ask = func(ctx context.Context, _ watchStep, yield func(change) bool) (outcome, bool) {
		if len(script) == 0 {
			<-ctx.Done()
			return outcome{opened: true, err: lost("canceled")}, false
		}
		step := script[0]
		script = script[1:]
		left := false
		o := step(w, func(c change) bool { left = !yield(c); return !left })
		return o, left
	}
	return w
}

func fails(o outcome) func(*watcher, func(change) bool) outcome {
	return func(*watcher, func(change) bool) outcome { return o }
}

func syncs(version string) func(*watcher, func(change) bool) outcome {
	return func(w *watcher, yield func(change) bool) outcome {
		changes, _ := w.state.bookmark(version, true)
		for _, c := range changes {
			if !yield(c) {
				break
			}
		}
		return outcome{opened: true}
	}
}

func testSettings() *settings {
	s := defaultSettings()
	s.retry.Backoff = Exponential(time.Second).Capped(4 * time.Second)
	return &s
}

func TestWatcherWaitsTellsAndGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := said(429)
		busy.RetryAfter = 20 * time.Second
		w := scripted(t, testSettings(),
			fails(outcome{err: lost("refused")}),             // waits 1 s
			fails(outcome{err: lost("refused")}),             // 2 s
			fails(outcome{err: lost("refused")}),             // 4 s
			fails(outcome{err: lost("refused")}),             // 4 s
			fails(outcome{err: busy}),                        // 20 s
			syncs("10"),                                      // none
			fails(outcome{opened: true, err: lost("reset")}), // 1 s again
		)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 40*time.Second, errors.New("lunch"))
		defer cancel()
		start := time.Now()
		var errs []string
		var at []time.Duration
		w.run(ctx, func(c change, err error) bool {
			what := string(c.typ)
			if err != nil {
				what = err.Error()
			}
			errs, at = append(errs, what), append(at, time.Since(start))
			return true
		})
		want := []string{
			" : refused", " : refused", " : refused", " : refused", " :  (429 Too Many Requests)", "BOOKMARK", " : reset",
			"watch pods in default: context deadline exceeded: lunch",
		}
		if diff := cmp.Diff(want, errs); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s := time.Second
		if diff := cmp.Diff([]time.Duration{0, 1 * s, 3 * s, 7 * s, 11 * s, 31 * s, 31 * s, 40 * s}, at); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
	})
}

func TestWatcherEndsWithTheContextsError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, script := range map[string][]func(*watcher, func(change) bool) outcome{
			"while it waits": {fails(outcome{err: lost("refused")}), fails(outcome{err: lost("refused")}), fails(outcome{err: lost("refused")})},
			"in a stream":    {syncs("10")},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			w := scripted(t, testSettings(), script...)
			var last error
			w.run(ctx, func(_ change, err error) bool { last = err; return true })
			var e *Error
			if !errors.Is(last, context.DeadlineExceeded) || !errors.As(last, &e) || e.Verb != "watch" {
				t.Errorf("%s: the last error is %v", name, last)
			}
		}
	})
}

func TestWatcherStopsWhenItsCallerLeaves(t *testing.T) {
	t.Parallel()
	asked := 0
	count := func(f func(*watcher, func(change) bool) outcome) func(*watcher, func(change) bool) outcome {
		return func(w *watcher, yield func(change) bool) outcome { asked++; return f(w, yield) }
	}
	for _, first := range []func(*watcher, func(change) bool) outcome{syncs("10"), fails(outcome{err: said(500)}), fails(outcome{err: said(403)})} {
		asked = 0
		w := scripted(t, testSettings(), count(first), count(syncs("11")))
		calls := 0
		w.run(t.Context(), func(change, error) bool { calls++; return false })
		if asked != 1 || calls != 1 {
			t.Errorf("%d requests and %d calls after the caller left, want 1 and 1", asked, calls)
		}
	}
}

func TestLostObjectNamesWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := scripted(t, testSettings())
	w.state.object(Added, meta("a", "u1", "5"))
	w.state.next()
	changes, _ := w.state.bookmark("9", true)
	pod, ok := w.lost(changes[0]).(*corev1.Pod)
	want := &corev1.Pod{}
	want.APIVersion, want.Kind, want.Namespace, want.Name, want.UID, want.ResourceVersion = "v1", "Pod", "default", "a", "u1", "5"
	if diff := cmp.Diff(want, pod); !ok || diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
