package batch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/kubesdk/kubesdk"
)

// State is what became of one item.
type State int

// The states of an item when its batch is over.
const (
	NotSent State = iota // nothing was sent to the server for it
	Done                 // the operation succeeded, or failed with an error that [Accept] names
	Failed               // it was refused, by the server or on this machine: nothing was changed by the call that failed
	Unknown              // it was sent, and no answer told whether it was done: cancelled or cut off on its way, or a 5xx
)

var stateNames = [...]string{NotSent: "not sent", Done: "done", Failed: "failed", Unknown: "unknown"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}

// ErrNotSent is in the chain of the error of every item that is [NotSent]: the context was cancelled before its turn, or
// another item failed under [StopOnError].
var ErrNotSent = errors.New("not sent to the server")

// Result is what became of one item.
type Result[I, R any] struct {
	Index int // the item's place in the input, from 0
	Item  I
	Value R // what the operation returned; meaningful if the State is Done
	Err   error
	State State
}

// Results are the results of a batch: one for each item, in the order of the input.
type Results[I, R any] []Result[I, R]

// Values are what the operations that are [Done] returned, in the order of the input.
func (r Results[I, R]) Values() []R {
	values := make([]R, 0, len(r))
	for i := range r {
		if r[i].State == Done && r[i].Err == nil {
			values = append(values, r[i].Value)
		}
	}
	return values
}

// In are the results in one state, in the order of the input.
func (r Results[I, R]) In(state State) Results[I, R] {
	var in Results[I, R]
	for i := range r {
		if r[i].State == state {
			in = append(in, r[i])
		}
	}
	return in
}

func (r Results[I, R]) err(cause error) error {
	e := &Error{Total: len(r)}
	if cause != nil {
		e.errs = append(e.errs, cause)
	}
	for i := range r {
		switch r[i].State {
		case Done:
			continue
		case NotSent:
			e.NotSent++
		case Failed:
			e.Failed++
		case Unknown:
			e.Unknown++
		}
		if r[i].Err != ErrNotSent { //nolint:errorlint // those that were begun say more than that
			e.errs = append(e.errs, r[i].Err)
		}
	}
	if e.Failed+e.Unknown+e.NotSent == 0 {
		return nil
	}
	return e
}

// Error is the error of a batch of which not all is done. It counts the states, and wraps the error of each item that was
// begun, and the context's if that ended the batch, for [errors.Is] and [errors.As].
type Error struct {
	Total, Failed, Unknown, NotSent int

	errs []error
}

const shownErrors = 3

func (e *Error) Error() string {
	var parts []string
	for _, n := range []struct {
		count int
		what  string
	}{{e.Failed, "failed"}, {e.Unknown, "of unknown outcome"}, {e.NotSent, "not sent"}} {
		if n.count == 0 {
			continue
		}
		if len(parts) == 0 {
			parts = append(parts, fmt.Sprintf("%d of %d %s", n.count, e.Total, n.what))
		} else {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	texts := make([]string, 0, shownErrors+1)
	for i, err := range e.errs {
		if i == shownErrors {
			texts = append(texts, fmt.Sprintf("and %d more", len(e.errs)-i))
			break
		}
		texts = append(texts, err.Error())
	}
	if len(texts) == 0 {
		return strings.Join(parts, ", ")
	}
	return strings.Join(parts, ", ") + ": " + strings.Join(texts, "; ")
}

// Unwrap returns the errors that it wraps.
func (e *Error) Unwrap() []error { return e.errs }

// stateOf tells what an operation's error means for what it was to do.
func stateOf(err error) State {
	if err == nil {
		return Done
	}
	cancelled := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	var e *kubesdk.Error
	switch {
	case !errors.As(err, &e) && cancelled:
		return Unknown
	case e == nil:
		return Failed
	case e.Attempts == 0 && cancelled:
		return NotSent
	case e.Attempts == 0:
		return Failed
	case e.Code == 0 && e.Attempts == 1 && neverConnected(err):
		return Failed
	case e.Code == 0:
		return Unknown
	case e.Code >= 500 && e.Verb != "get" && e.Verb != "list" && e.Verb != "watch":
		return Unknown // etcd's timeouts come as 500, and a proxy's 502 and 504 say nothing of what is behind it
	default:
		return Failed
	}
}

func neverConnected(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
