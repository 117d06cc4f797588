package kubesdk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// follower is a caller of a watch: it keeps what it is told, and checks that what it is told makes sense.
type follower struct {
	state  map[string]modelObject
	ended  map[string]bool // UIDs that were reported as deleted
	synced int
	wrong  []string
}

func (f *follower) complain(format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
}

func (f *follower) take(changes []change) {
	for _, c := range changes {
		rev, _ := strconv.Atoi(c.version)
		if c.typ == Bookmark {
			if c.synced {
				f.synced++
			}
			continue
		}
		var key, uid string
		if c.lost {
			key, uid = c.key.namespace.Value()+"/"+c.key.name, string(c.uid)
		} else {
			key, uid = c.obj.GetNamespace()+"/"+c.obj.GetName(), string(c.obj.GetUID())
		}
		f.change(c, key, uid, rev)
	}
}

func (f *follower) change(c change, key, uid string, rev int) {
	old, had := f.state[key]
	if f.ended[uid] {
		f.complain("%s of %s (%s) after its end", c.typ, key, uid)
	}
	switch c.typ {
	case Added:
		if had {
			f.complain("ADDED %s (%s) while %s is there", key, uid, old.uid)
		}
		f.state[key] = modelObject{uid: uid, rev: rev}
	case Modified:
		if !had || old.uid != uid {
			f.complain("MODIFIED %s (%s), but there is %q", key, uid, old.uid)
		}
		if rev <= old.rev {
			f.complain("MODIFIED %s from %d to %d", key, old.rev, rev)
		}
		f.state[key] = modelObject{uid: uid, rev: rev}
	case Deleted:
		if !had || old.uid != uid {
			f.complain("DELETED %s (%s), but there is %q", key, uid, old.uid)
		}
		delete(f.state, key)
		f.ended[uid] = true
	}
}

// watchModel watches a model server that the choices lead, and returns what is wrong in the end.
func watchModel(choices []byte) error {
	m := &modelServer{choices: choices}
	mode := m.choose(3)
	m.streams, m.ignores = mode != 1, mode == 2
	for range m.choose(12) {
		m.write()
	}
	w := newWatchState("", false)
	f := &follower{state: map[string]modelObject{}, ended: map[string]bool{}}
	calm := 0
	for steps := 0; calm < 12; steps++ {
		if len(m.choices) == 0 {
			calm++
		}
		if _, over := w.ended(m.answer(w, w.next(), f.take)); over {
			return fmt.Errorf("the watch ended at step %d", steps)
		}
	}
	if len(f.wrong) > 0 {
		return errors.New(strings.Join(f.wrong, "\n"))
	}
	if f.synced == 0 {
		return errors.New("never synced")
	}
	if diff := cmp.Diff(m.at(m.rev), f.state, cmp.AllowUnexported(modelObject{})); diff != "" {
		return fmt.Errorf("server (-) and watcher (+) differ:\n%s", diff)
	}
	return nil
}

// Whatever a server does, in the end the watcher holds what the server does, and every change on the way made sense.
func TestWatchStateHoldsWhatTheServerHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		choices := make([]byte, r.IntN(600))
		for i := range choices {
			choices[i] = byte(r.Uint32())
		}
		if err := watchModel(choices); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzWatchState(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2))
		choices := make([]byte, 300)
		for i := range choices {
			choices[i] = byte(r.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if err := watchModel(choices); err != nil {
			t.Fatal(err)
		}
	})
}

func meta(name, uid, version string) metav1.Object {
	return &metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(uid), ResourceVersion: version}
}

// told is a change as the tables below write it: type name uid version, with a ? for a deletion that was not seen.
func told(changes []change) []string {
	var lines []string
	for _, c := range changes {
		switch {
		case c.synced:
			lines = append(lines, "SYNCED "+c.version)
		case c.typ == Bookmark:
			lines = append(lines, "BOOKMARK "+c.version)
		case c.lost:
			lines = append(lines, fmt.Sprintf("%s %s %s %s?", c.typ, c.key.name, c.uid, c.version))
		default:
			lines = append(lines, fmt.Sprintf("%s %s %s %s", c.typ, c.obj.GetName(), c.obj.GetUID(), c.version))
		}
	}
	return lines
}

// following is a watch whose present state is the objects a and b.
func following(t *testing.T) *watchState {
	t.Helper()
	w := newWatchState("", false)
	w.next()
	w.object(Added, meta("a", "u1", "5"))
	w.object(Added, meta("b", "u2", "6"))
	w.bookmark("10", true)
	if got := w.next(); got != (watchStep{phase: phaseFollow, version: "10"}) {
		t.Fatalf("next step after the present state: %+v", got)
	}
	return w
}

func TestWatchStateAfterGoneTellsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := following(t)
	if tell, over := w.ended(outcome{opened: true, err: said(410), unread: true}); tell || over {
		t.Errorf("410: tell %v, over %v; want it healed in silence", tell, over)
	}
	if got := w.next(); got != (watchStep{phase: phaseStream}) {
		t.Fatalf("next step after 410: %+v", got)
	}
	var got []string
	got = append(got, told(w.object(Added, meta("a", "u1", "5")))...)  // unchanged
	got = append(got, told(w.object(Added, meta("c", "u4", "19")))...) // new
	changes, _ := w.bookmark("20", true)
	got = append(got, told(changes)...)
	want := []string{"ADDED c u4 19", "DELETED b u2 6?", "SYNCED 20"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchStateTellsAnotherObjectUnderTheSameName(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.ended(outcome{opened: true, err: said(410)})
	w.next()
	got := append(told(w.object(Added, meta("a", "u9", "15"))), told(w.object(Added, meta("b", "u2", "16")))...)
	want := []string{"DELETED a u1 5?", "ADDED a u9 15", "MODIFIED b u2 16"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchStateFollowsInOrder(t *testing.T) {
	t.Parallel()
	w := following(t)
	steps := []struct {
		typ  EventType
		obj  metav1.Object
		want []string
	}{
		{Modified, meta("a", "u1", "11"), []string{"MODIFIED a u1 11"}},
		{Modified, meta("a", "u1", "11"), nil}, // twice
		{Modified, meta("a", "u1", "9"), nil},  // back
		{Added, meta("a", "u1", "12"), []string{"MODIFIED a u1 12"}},
		{Modified, meta("c", "u3", "13"), []string{"ADDED c u3 13"}},
		{Deleted, meta("a", "u1", "14"), []string{"DELETED a u1 14"}},
		{Deleted, meta("a", "u1", "14"), nil},
		{Deleted, meta("x", "u7", "15"), nil},                         // never told of
		{Deleted, meta("c", "u3", "13"), []string{"DELETED c u3 13"}}, // with its last version, as some servers do
		{Modified, meta("b", "u2", "opaque"), []string{"MODIFIED b u2 opaque"}},
		{Modified, meta("b", "u2", "opaque"), nil},
		{Modified, meta("b", "u2", ""), []string{"MODIFIED b u2 "}}, // no versions at all: nothing is known to be old
		{Modified, meta("b", "u2", ""), []string{"MODIFIED b u2 "}},
	}
	for i, s := range steps {
		if diff := cmp.Diff(s.want, told(w.object(s.typ, s.obj))); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestWatchStateResumesFromTheLastVersion(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(*watchState){
		"12":     func(w *watchState) { w.object(Modified, meta("a", "u1", "12")) },
		"13":     func(w *watchState) { w.object(Deleted, meta("a", "u1", "13")) },
		"30":     func(w *watchState) { w.bookmark("30", false) },
		"10":     func(w *watchState) { w.object(Deleted, meta("a", "u1", "5")) }, // not back
		"opaque": func(w *watchState) { w.object(Modified, meta("a", "u1", "opaque")) },
	} {
		w := following(t)
		event(w)
		if tell, over := w.ended(outcome{opened: true}); tell || over || w.delay(Fixed(time.Second), 0) != 0 {
			t.Errorf("%s: the server's end of a stream that worked is to be told (%v), the end (%v), or waited after", name, tell, over)
		}
		if got := w.next(); got != (watchStep{phase: phaseFollow, version: name}) {
			t.Errorf("next step: %+v, want to follow from %s", got, name)
		}
	}
}

// A storage that was put back to an earlier state goes on with versions that were used before.
func TestWatchStateNoticesAnotherHistory(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.object(Modified, meta("a", "u1", "25"))
	if changes, leave := w.bookmark("21", false); len(changes) > 0 || !leave {
		t.Fatalf("bookmark 21 after version 25: changes %v, leave %v", told(changes), leave)
	}
	w.ended(outcome{opened: true})
	if got := w.next(); got.phase != phaseStream || got.version != "" {
		t.Fatalf("next step: %+v, want the present state", got)
	}
	got := told(w.object(Added, meta("a", "u1", "20")))
	if diff := cmp.Diff([]string{"MODIFIED a u1 20"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchStateFromAVersion(t *testing.T) {
	t.Parallel()
	w := newWatchState("7", false)
	if got := w.next(); got != (watchStep{phase: phaseFollow, version: "7"}) {
		t.Fatalf("first step: %+v", got)
	}
	got := append(told(w.object(Modified, meta("a", "u1", "8"))), told(w.object(Deleted, meta("b", "u2", "9")))...)
	if diff := cmp.Diff([]string{"MODIFIED a u1 8", "DELETED b u2 9"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.ended(outcome{opened: true, err: lost("reset")})
	if got := w.next(); got.version != "9" {
		t.Errorf("next step: %+v, want from 9", got)
	}
	if tell, over := w.ended(outcome{err: said(410)}); !tell || !over {
		t.Errorf("410: tell %v, over %v; want both, since what was there is not known", tell, over)
	}
}

func TestWatchStateFallsBackToLists(t *testing.T) {
	t.Parallel()
	refused, cutOff := outcome{err: said(422)}, outcome{opened: true, err: lost("reset")}
	tests := []struct {
		name    string
		ends    []outcome
		noStrm  bool
		untold  bool
		stillIn watchPhase
	}{
		{name: "refused", ends: []outcome{refused}, noStrm: true, untold: true, stillIn: phaseList},
		{name: "refused as a bad request", ends: []outcome{{err: said(400)}}, noStrm: true, untold: true, stillIn: phaseList},
		{name: "cut once", ends: []outcome{cutOff}, stillIn: phaseStream},
		{name: "cut twice", ends: []outcome{cutOff, cutOff}, stillIn: phaseList},
		{name: "broken in the server", ends: []outcome{{err: said(500)}, {err: said(500)}}, stillIn: phaseList},
		{name: "silent", ends: []outcome{{opened: true, idle: true, err: lost("silence")}}, stillIn: phaseList},
		{name: "not reached", ends: []outcome{{err: lost("refused")}, {err: lost("refused")}, {err: lost("refused")}}, stillIn: phaseStream},
		{name: "busy", ends: []outcome{{err: said(429)}, {err: said(429)}, {err: said(429)}}, stillIn: phaseStream},
	}
	for _, test := range tests {
		w := newWatchState("", false)
		for _, o := range test.ends {
			w.next()
			if tell, over := w.ended(o); tell == test.untold || over {
				t.Errorf("%s: tell %v, over %v", test.name, tell, over)
			}
		}
		if got := w.next().phase; got != test.stillIn || w.noStream != test.noStrm {
			t.Errorf("%s: phase %v, noStream %v; want %v, %v", test.name, got, w.noStream, test.stillIn, test.noStrm)
		}
	}
}

func TestWatchStatePagesAndTheirTokens(t *testing.T) {
	t.Parallel()
	w := newWatchState("", true)
	check := func(want watchStep) {
		t.Helper()
		if diff := cmp.Diff(want, w.next(), cmp.AllowUnexported(watchStep{})); diff != "" {
			t.Errorf("next step (-want +got):\n%s", diff)
		}
	}
	check(watchStep{phase: phaseList, limit: watchPage})
	w.object(Added, meta("a", "u1", "5"))
	w.pageEnd("10", "next")
	w.ended(outcome{page: true})
	check(watchStep{phase: phaseList, limit: watchPage, token: "next"})
	w.object(Added, meta("b", "u2", "6"))
	w.ended(outcome{err: lost("cut")})
	check(watchStep{phase: phaseList, limit: watchPage, token: "next"})
	w.ended(outcome{err: said(410)}) // the token expired: once more, in one piece
	check(watchStep{phase: phaseList})
	got := told(w.object(Added, meta("b", "u2", "6")))
	got = append(got, told(w.pageEnd("20", ""))...)
	if diff := cmp.Diff([]string{"DELETED a u1 5?", "SYNCED 20"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchStateEndsOnlyWithoutHope(t *testing.T) {
	t.Parallel()
	refusedHere := &Error{cause: errors.New("no such option")}
	undiscovered := &Error{cause: fmt.Errorf("ask the server: %w", lost("connection refused"))}
	tests := []struct {
		name        string
		err         *Error
		established bool
		after       int // how many times in a row until it is over; 0: never
	}{
		{"forbidden", said(403), false, 1},
		{"forbidden after it worked", said(403), true, refusalsEnough},
		{"unauthorized", said(401), false, 2},
		{"unauthorized after it worked", said(401), true, refusalsEnough},
		{"no such kind", said(404), false, 1},
		{"not to be watched", said(405), false, 1},
		{"elsewhere", said(302), false, 1},
		{"makes no sense", refusedHere, false, 1},
		{"kind not asked for yet", undiscovered, false, 0},
		{"busy", said(429), false, 0},
		{"starting", said(503), false, 0},
		{"broken", said(500), true, 0},
		{"behind", said(504), true, 0},
		{"not reached", lost("connection refused"), false, 0},
	}
	for _, test := range tests {
		w := newWatchState("", false)
		if test.established {
			w = following(t)
			w.object(Modified, meta("a", "u1", "11"))
		}
		ended := 0
		for i := 1; i <= 10 && ended == 0; i++ {
			w.next()
			tell, over := w.ended(outcome{err: test.err})
			if !tell {
				t.Errorf("%s: not told", test.name)
			}
			if over {
				ended = i
			}
		}
		if ended != test.after {
			t.Errorf("%s: over after %d, want %d", test.name, ended, test.after)
		}
	}
}

func TestWatchStateWaits(t *testing.T) {
	t.Parallel()
	backoff := func(attempt int) time.Duration { return time.Duration(attempt) * time.Second }
	w := following(t)
	wait := func(asked, want time.Duration) {
		t.Helper()
		if got := w.delay(backoff, asked); got != want {
			t.Errorf("wait %s, want %s", got, want)
		}
		w.next()
	}
	w.object(Modified, meta("a", "u1", "11"))
	w.ended(outcome{opened: true})
	wait(0, 0) // it worked
	w.ended(outcome{opened: true})
	wait(0, time.Second) // nothing came
	w.ended(outcome{opened: true})
	wait(0, 2*time.Second)
	w.ended(outcome{err: said(429)})
	wait(10*time.Second, 10*time.Second)
	w.ended(outcome{opened: true, lasted: time.Hour})
	wait(0, 0) // quiet, but long
	w.ended(outcome{err: lost("refused")})
	wait(0, time.Second)
	w.bookmark("50", false)
	w.ended(outcome{opened: true, err: lost("reset")})
	wait(0, time.Second) // short again
}

// An event that cannot be decoded must not stand in the way for ever.
func TestWatchStateListsAfterWhatItCannotRead(t *testing.T) {
	t.Parallel()
	w := following(t)
	for range stuckStreams {
		if got := w.next().phase; got != phaseFollow {
			t.Fatalf("phase %v before it was tried %d times", got, stuckStreams)
		}
		if tell, over := w.ended(outcome{opened: true, unread: true, err: lost("garbled")}); !tell || over {
			t.Errorf("tell %v, over %v", tell, over)
		}
	}
	if got := w.next().phase; got != phaseStream {
		t.Errorf("phase %v, want the present state", got)
	}
}

// A server that does not know sendInitialEvents and says nothing begins with the present state too, but never ends it.
func TestWatchStateLeavesAStreamWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWatchState("", false)
	w.next()
	got := told(w.object(Added, meta("a", "u1", "5")))
	if changes, leave := w.bookmark("10", false); len(changes) > 0 || !leave || !w.noStream {
		t.Errorf("changes %v, leave %v, noStream %v", told(changes), leave, w.noStream)
	}
	w.ended(outcome{opened: true})
	if step := w.next(); step.phase != phaseList {
		t.Fatalf("next step: %+v", step)
	}
	got = append(got, told(w.object(Added, meta("a", "u1", "5")))...)
	got = append(got, told(w.pageEnd("11", ""))...)
	if diff := cmp.Diff([]string{"ADDED a u1 5", "SYNCED 11"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
