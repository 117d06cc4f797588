package kubesdk

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// watchPhase is what the next request of a watch asks for.
type watchPhase int

const (
	phaseStream watchPhase = iota // the present state and then its changes, in one watch request (KEP-3157)
	phaseList                     // the present state in pages, where the server cannot stream it
	phaseFollow                   // the changes after a version
)

const (
	watchPage       = 500              // objects in a page of phaseList
	healthyStream   = 10 * time.Second // a stream that lasted so long has worked, even if nothing came
	cutStreams      = 2                // streams without a whole present state before pages are tried: they keep what came
	stuckStreams    = 3                // answers in a row that cannot be read before the state is listed again
	refusalsEnough  = 5                // refusals in a row that end a watch which worked before: the server may be starting
	refusalsAtFirst = 1                // refusals that end one which never did
)

// watchState decides what a watch asks the server and what it tells its caller. It does no I/O and reads no clock: a
// driver asks as next says, reports what comes with object, bookmark, pageEnd and ended, and hands on the changes that
// these return. They are valid until the next call.
type watchState struct {
	phase    watchPhase
	version  string // what was seen last; in phaseStream and phaseList, how old the first state may be
	token    string // phaseList: of the next page
	whole    bool   // phaseList: without pages, since a token expired
	noStream bool   // this server does not stream a present state

	partial bool // began at a version of the caller's, so what there is is not known here
	known   map[objectKey]*seen
	round   uint32 // of listing; what was not seen in the last one is gone

	established bool // changes have been followed once
	moved       bool // by this request
	failures    int  // in a row; waits grow with them
	refusals    int
	cut         int
	stuck       int

	out []change
}

type objectKey struct {
	namespace unique.Handle[string] // many objects share few namespaces
	name      string
}

func keyOf(obj metav1.Object) objectKey {
	return objectKey{namespace: unique.Make(obj.GetNamespace()), name: obj.GetName()}
}

func (k objectKey) compare(o objectKey) int {
	if c := strings.Compare(k.namespace.Value(), o.namespace.Value()); c != 0 {
		return c
	}
	return strings.Compare(k.name, o.name)
}

// seen is what is kept of an object: enough to tell later that it changed or is gone.
type seen struct {
	uid     types.UID
	version string
	round   uint32
}

// change is what a watch tells its caller.
type change struct {
	typ     EventType
	obj     metav1.Object // nil for a bookmark and for a lost object
	version string
	synced  bool
	lost    bool // deleted unseen: key and uid are all that is known, version is the last one seen
	key     objectKey
	uid     types.UID
}

// newWatchState begins a watch. version is the caller's: empty for the present state, "0" for a present state that may be
// old, another for the changes after it.
func newWatchState(version string, noStream bool) *watchState {
	w := &watchState{version: version, noStream: noStream, known: map[objectKey]*seen{}}
	if version != "" && version != "0" {
		w.phase, w.partial = phaseFollow, true
		return w
	}
	w.enterPresent()
	return w
}

// watchStep is what to ask next.
type watchStep struct {
	phase   watchPhase
	version string
	token   string
	limit   int64
}

func (w *watchState) next() watchStep {
	w.moved = false
	if w.phase == phaseStream || w.phase == phaseList && w.token == "" {
		w.round++ // what came of an earlier beginning may be gone by now
	}
	s := watchStep{phase: w.phase, version: w.version, token: w.token}
	if w.phase == phaseList {
		if !w.whole {
			s.limit = watchPage
		}
		if w.token != "" {
			s.version = "" // the token holds it
		}
	}
	return s
}

// restart lists again, from the beginning.
func (w *watchState) restart() {
	w.version = ""
	w.enterPresent()
}

func (w *watchState) enterPresent() {
	w.phase = phaseStream
	if w.noStream {
		w.phase = phaseList
	}
	w.token, w.whole, w.cut, w.stuck = "", false, 0, 0
}

func (w *watchState) enterList() {
	w.phase = phaseList
	w.token = ""
}

// object takes what the server says of an object: an item of a page is Added.
func (w *watchState) object(typ EventType, obj metav1.Object) []change {
	w.out = w.out[:0]
	version := strings.Clone(obj.GetResourceVersion()) // clones do not keep the whole object alive
	if w.phase == phaseFollow {
		w.progress()
		w.advance(version)
	}
	if w.partial {
		return append(w.out, change{typ: typ, obj: obj, version: version})
	}
	key := keyOf(obj)
	old := w.known[key]
	if old != nil && old.uid != obj.GetUID() {
		w.out = append(w.out, w.lose(key))
		old = nil
	}
	if typ == Deleted {
		if old != nil {
			delete(w.known, key)
			w.out = append(w.out, change{typ: Deleted, obj: obj, version: version})
		}
		return w.out
	}
	typ = Modified
	if old == nil {
		typ = Added
		old = &seen{uid: types.UID(strings.Clone(string(obj.GetUID())))}
		key.name = strings.Clone(key.name)
		w.known[key] = old
	} else if !w.news(old.version, version) {
		old.round = w.round
		return w.out
	}
	old.version, old.round = version, w.round
	return append(w.out, change{typ: typ, obj: obj, version: version})
}

// lose forgets an object that was deleted unseen.
func (w *watchState) lose(key objectKey) change {
	s := w.known[key]
	delete(w.known, key)
	return change{typ: Deleted, lost: true, key: key, uid: s.uid, version: s.version}
}

// news says whether a version tells something that the old one did not. A listed state is the truth whatever came before
// it; of changes, none may lead back. Versions that are no numbers, or none at all, cannot be compared.
func (w *watchState) news(old, version string) bool {
	if version == "" || w.phase != phaseFollow {
		return version == "" || version != old
	}
	c, err := resourceversion.CompareResourceVersion(version, old)
	if err != nil {
		return version != old
	}
	return c > 0
}

// bookmark takes a BOOKMARK event; end marks the one after a streamed present state. leave says that the request is of no
// more use.
func (w *watchState) bookmark(version string, end bool) (changes []change, leave bool) {
	w.out = w.out[:0]
	if w.phase == phaseStream {
		if !end { // a server that streams sends none before the end: this one ignored what it was asked
			w.noStream = true
			w.enterList()
			return nil, true
		}
		return w.sync(version), false
	}
	if c, err := resourceversion.CompareResourceVersion(version, w.version); err == nil && c < 0 && !w.partial {
		// The server's history is another one than was followed: its storage was put back to an earlier state.
		w.failures++
		w.restart()
		return nil, true
	}
	w.progress()
	w.advance(version)
	return append(w.out, change{typ: Bookmark, version: version}), false
}

// advance moves the version to resume from, never back: some servers give a deleted object the version of its last change.
func (w *watchState) advance(version string) {
	if c, err := resourceversion.CompareResourceVersion(version, w.version); err == nil && c <= 0 || version == "" {
		return
	}
	w.version = version
}

// pageEnd takes what a page of a list says about the list. version is the list's.
func (w *watchState) pageEnd(version, token string) []change {
	w.out = w.out[:0]
	w.progress()
	if token != "" {
		w.token = token
		return nil
	}
	return w.sync(version)
}

// sync ends the present state: what was not part of it is gone.
func (w *watchState) sync(version string) []change {
	var gone []objectKey
	for key, s := range w.known {
		if s.round != w.round {
			gone = append(gone, key)
		}
	}
	slices.SortFunc(gone, objectKey.compare)
	for _, key := range gone {
		w.out = append(w.out, w.lose(key))
	}
	if len(gone) > len(w.known) {
		w.known = maps.Collect(maps.All(w.known)) // a map does not shrink
	}
	w.phase, w.version, w.token = phaseFollow, version, ""
	w.progress()
	return append(w.out, change{typ: Bookmark, version: version, synced: true})
}

// progress forgets what went wrong before.
func (w *watchState) progress() {
	w.moved = true
	w.failures, w.refusals, w.stuck = 0, 0, 0
	if w.phase == phaseFollow {
		w.established = true
	}
}

// outcome is how a request ended.
type outcome struct {
	err    *Error        // nil: the server ended the stream between two events
	page   bool          // a page was read to its end
	opened bool          // it was answered with a stream
	idle   bool          // the stream was given up because nothing came
	unread bool          // what came could not be decoded, or was an ERROR event
	lasted time.Duration // how long the stream was open
}

// ended takes the end of a request. tell says that the caller is to know of o.err, over that
// the watch cannot go on.
func (w *watchState) ended(o outcome) (tell, over bool) {
	if o.opened && o.lasted >= healthyStream && w.phase == phaseFollow {
		w.progress()
	}
	if o.page {
		return false, false
	}
	routine := o.err == nil || o.opened && o.idle
	switch {
	case w.phase == phaseFollow && routine:
		if !w.moved {
			w.failures++
		}
		return false, false
	case o.err != nil && o.err.Is(ErrGone):
		return w.gone(o)
	case o.err != nil && w.phase == phaseStream && !o.opened && streamRefused(o.err):
		w.noStream = true
		w.enterList()
		return false, false
	}
	w.failures++
	if o.err != nil && permanent(o.err) {
		w.refusals++
		return true, w.refusals >= w.patience(o.err)
	}
	w.refusals = 0
	w.recover(o)
	return o.err != nil, false
}

// gone: the version, or the token of a page, is older than what the server keeps.
func (w *watchState) gone(o outcome) (tell, over bool) {
	w.failures++
	switch {
	case w.partial:
		return true, true
	case w.phase == phaseList && w.token != "":
		w.whole = true
		w.enterList()
	case w.phase == phaseStream:
		w.recover(o)
	default:
		w.restart()
	}
	return false, false
}

// recover chooses another way where the one taken does not lead on.
func (w *watchState) recover(o outcome) {
	switch w.phase {
	case phaseStream:
		if o.opened || o.err != nil && (o.err.Code >= 500 || o.err.Is(ErrGone)) {
			w.cut++
		}
		if w.cut >= cutStreams || o.idle && o.opened {
			w.enterList()
		}
	case phaseFollow:
		if o.unread {
			w.stuck++
		}
		if w.stuck >= stuckStreams && !w.partial {
			w.restart()
		}
	case phaseList: // the page is asked for again; what came of it is known
	}
}

// patience is how many refusals in a row end the watch. Credentials may be renewed by the first one.
func (w *watchState) patience(err *Error) int {
	switch {
	case w.established:
		return refusalsEnough
	case err.Is(ErrUnauthorized):
		return refusalsAtFirst + 1
	default:
		return refusalsAtFirst
	}
}

// delay is how long to wait before the next request.
func (w *watchState) delay(b Backoff, asked time.Duration) time.Duration {
	if w.failures == 0 {
		return asked
	}
	return max(b(w.failures), asked)
}
