package loglines_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod/internal/loglines"
)

type line struct {
	at   time.Time
	text string
}

// TestResume cuts a log at random places, again and again: every line must come once, in its order. Times repeat, texts
// repeat, and neighbors are out of order.
func TestResume(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		at := time.Unix(1_700_000_000, 0)
		var log []line
		for range 300 {
			at = at.Add(time.Duration(random.IntN(3)) * 37 * time.Millisecond)
			jitter := time.Duration(random.IntN(3)) * time.Millisecond
			log = append(log, line{at.Add(-jitter), fmt.Sprint(random.IntN(3))})
		}
		var r loglines.Resumer
		var got []line
		for len(got) < len(log) {
			answer := log
			if since, ok := r.Since(); ok {
				answer = slices.DeleteFunc(slices.Clone(log), func(l line) bool { return l.at.Before(since) })
			}
			r.Resume()
			for _, l := range answer[:random.IntN(len(answer)+1)] {
				if r.New(l.at, []byte(l.text)) {
					got = append(got, l)
				}
			}
		}
		if diff := cmp.Diff(log, got, cmp.AllowUnexported(line{})); diff != "" {
			t.Fatalf("seed %d: -want +got:\n%s", seed, diff)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for in, want := range map[string]struct {
		text string
		ok   bool
	}{
		at.Format(time.RFC3339Nano) + " a b": {"a b", true},
		at.Format(time.RFC3339Nano) + " ":    {"", true},
		at.Format(time.RFC3339Nano) + "  x":  {" x", true},
		"no time":                            {"no time", false},
		"":                                   {"", false},
		"2026-01-02T03:04:05.000000006+00:00 \x00\xff\r": {"\x00\xff\r", true},
	} {
		got, text, ok := loglines.Parse([]byte(in))
		if !bytes.Equal(text, []byte(want.text)) || ok != want.ok || ok && !got.Equal(at) {
			t.Errorf("%q: %v %q %v", in, got, text, ok)
		}
	}
}
