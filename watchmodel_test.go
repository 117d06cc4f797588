package kubesdk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// modelServer is what a watchState is tested against: the history of a few objects, what of it is forgotten, and all the
// ways in which an answer can end. It decides by the numbers it is given, so that a fuzzer can lead it.
type modelServer struct {
	choices []byte

	rev       int
	forgotten int // history up to this revision is gone
	history   []modelEvent
	uids      int

	streams bool // it knows sendInitialEvents
	ignores bool // it takes it and does nothing with it
}

type modelEvent struct {
	rev int
	typ EventType
	key string
	uid string
}

type modelObject struct {
	uid string
	rev int
}

// choose is a number below n; 0 when the numbers are used up, which stands for "nothing goes wrong".
func (m *modelServer) choose(n int) int {
	if len(m.choices) == 0 {
		return 0
	}
	c := m.choices[0]
	m.choices = m.choices[1:]
	return int(c) % n
}

// at is the state at a revision.
func (m *modelServer) at(rev int) map[string]modelObject {
	state := map[string]modelObject{}
	for _, e := range m.history {
		switch {
		case e.rev > rev:
		case e.typ == Deleted:
			delete(state, e.key)
		default:
			state[e.key] = modelObject{uid: e.uid, rev: e.rev}
		}
	}
	return state
}

func (m *modelServer) record(typ EventType, key, uid string) {
	m.rev++
	m.history = append(m.history, modelEvent{rev: m.rev, typ: typ, key: key, uid: uid})
}

// write makes a change: of one of eight objects in two namespaces.
func (m *modelServer) write() {
	key := fmt.Sprintf("ns%d/o%d", m.choose(2), m.choose(4))
	there, ok := m.at(m.rev)[key]
	switch {
	case !ok:
		m.uids++
		m.record(Added, key, "u"+strconv.Itoa(m.uids))
	case m.choose(3) == 0:
		m.record(Deleted, key, there.uid)
	default:
		m.record(Modified, key, there.uid)
	}
}

// weather changes the world between two steps of an answer.
func (m *modelServer) weather() {
	for range m.choose(4) {
		m.write()
	}
	if m.choose(12) == 11 {
		m.forgotten = m.rev - m.choose(3)
	}
}

// fault is how an answer ends early, or nil if it goes on.
func (m *modelServer) fault() *outcome {
	switch m.choose(14) {
	case 9:
		return &outcome{opened: true}
	case 10:
		return &outcome{opened: true, err: lost("connection reset")}
	case 11:
		return &outcome{opened: true, err: lost("silent"), idle: true}
	case 12:
		return &outcome{opened: true, err: lost("garbled"), unread: true}
	case 13:
		return &outcome{opened: true, err: said(500), unread: true}
	}
	return nil
}

// refusal is why a request gets no stream, or nil.
func (m *modelServer) refusal() *outcome {
	switch m.choose(12) {
	case 8:
		return &outcome{err: lost("connection refused")}
	case 9:
		return &outcome{err: said(429)}
	case 10:
		return &outcome{err: said(503)}
	case 11:
		return &outcome{err: said(500)}
	}
	return nil
}

func lost(what string) *Error { return &Error{URL: "https://server", cause: fmt.Errorf("%s", what)} }
func said(code int) *Error    { return &Error{URL: "https://server", Code: code} }

// sink takes what the state makes of an answer.
type sink func([]change)

// answer serves one request of the state's to its end.
func (m *modelServer) answer(w *watchState, step watchStep, tell sink) outcome {
	m.weather()
	if o := m.refusal(); o != nil {
		return *o
	}
	switch step.phase {
	case phaseList:
		return m.list(w, step, tell)
	case phaseStream:
		if !m.streams {
			return outcome{err: said(422)}
		}
		return m.stream(w, tell)
	default:
		from, _ := strconv.Atoi(step.version)
		return m.follow(w, from, tell)
	}
}

func (m *modelServer) object(key string, o modelObject) metav1.Object {
	namespace, name, _ := strings.Cut(key, "/")
	return &metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(o.uid), ResourceVersion: strconv.Itoa(o.rev)}
}

const modelPage = 3

func (m *modelServer) list(w *watchState, step watchStep, tell sink) outcome {
	rev, after := m.rev, ""
	if step.token != "" {
		at, key, _ := strings.Cut(step.token, " ")
		rev, _ = strconv.Atoi(at)
		after = key
		if rev < m.forgotten || rev > m.rev {
			return outcome{err: said(410)}
		}
	}
	state := m.at(rev)
	keys := sortedKeys(state)
	for n, i := 0, 0; i < len(keys); i++ {
		if keys[i] <= after {
			continue
		}
		if o := m.fault(); o != nil {
			if o.err == nil {
				o.err = lost("unexpected end")
			}
			return outcome{err: o.err}
		}
		tell(w.object(Added, m.object(keys[i], state[keys[i]])))
		if n++; n == modelPage && step.limit > 0 && i+1 < len(keys) {
			tell(w.pageEnd(strconv.Itoa(rev), strconv.Itoa(rev)+" "+keys[i]))
			return outcome{page: true}
		}
	}
	tell(w.pageEnd(strconv.Itoa(rev), ""))
	return outcome{page: true}
}

func (m *modelServer) stream(w *watchState, tell sink) outcome {
	rev := m.rev
	state := m.at(rev)
	for _, key := range sortedKeys(state) {
		if o := m.fault(); o != nil {
			return *o
		}
		tell(w.object(Added, m.object(key, state[key])))
		m.weather()
	}
	changes, leave := w.bookmark(strconv.Itoa(rev), !m.ignores)
	tell(changes)
	if leave {
		return outcome{opened: true}
	}
	return m.follow(w, rev, tell)
}

func (m *modelServer) follow(w *watchState, from int, tell sink) outcome {
	if from < m.forgotten {
		return outcome{opened: true, err: said(410), unread: true}
	}
	for told := from; ; {
		if o := m.fault(); o != nil {
			return *o
		}
		m.weather()
		for _, e := range m.history {
			if e.rev <= told {
				continue
			}
			tell(w.object(e.typ, m.object(e.key, modelObject{uid: e.uid, rev: e.rev})))
			told = e.rev
			if o := m.fault(); o != nil {
				return *o
			}
		}
		changes, leave := w.bookmark(strconv.Itoa(m.rev), false)
		tell(changes)
		if leave || len(m.choices) == 0 {
			return outcome{opened: true}
		}
	}
}

func sortedKeys(state map[string]modelObject) []string {
	keys := make([]string, 0, len(state))
	for key := range state {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
