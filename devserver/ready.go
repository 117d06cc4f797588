package devserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk/customresource"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// invalidFor is how long a spec that the operator calls invalid is still waited for: what it names, a flavor or a claim, may
// have been made just before it, and the operator not know of it yet.
const invalidFor = 5 * time.Second

// NotRunningError says that a server does not run, and why.
type NotRunningError struct {
	Namespace, Name string

	Problem string             // in a few words: "it has failed"
	Status  v1.DevServerStatus // the last one seen
	Err     error              // what ended the waiting: the context's error, or nil when there was nothing to wait for
}

// Error names the server, and says what its status and its conditions do.
func (e *NotRunningError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "DevServer %s/%s is not Running: %s", e.Namespace, e.Name, e.Problem)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Status.Phase == "" {
		b.WriteString("; it has no status: is devserver-operator running in the cluster?")
		return b.String()
	}
	fmt.Fprintf(&b, "; its status is %s", because(string(e.Status.Phase), e.Status.Reason, e.Status.Message))
	for _, c := range e.Status.Conditions {
		if c.Status == metav1.ConditionFalse && c.Message != e.Status.Message {
			fmt.Fprintf(&b, "; %s is False%s", c.Type, because("", c.Reason, c.Message))
		}
	}
	return b.String()
}

func because(what, reason, message string) string {
	if reason != "" {
		what += " (" + reason + ")"
	}
	if message != "" {
		what += ": " + message
	}
	return what
}

// Unwrap is the context's error where it ended the waiting.
func (e *NotRunningError) Unwrap() error { return e.Err }

// WaitUntilRunning waits until the server is ready to use, as its present spec has it. Where waiting is in vain, because it
// has failed, is stopped, or names what does not exist, it returns at once, or a few seconds later, with a
// [*NotRunningError]. It returns one too when ctx ends, and [kubesdk.ErrNotFound] when the server is deleted.
func (s *Server) WaitUntilRunning(ctx context.Context) error {
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var alarm *time.Timer
	want := map[string]any{"phase": v1.PhaseRunning, "observedGeneration": s.Generation}
	for _, err := range s.WaitForStatus(waiting, want) {
		if err != nil {
			return s.whyNot(waiting, err)
		}
		switch problem := s.problem(); {
		case problem != "":
			return s.notRunning(problem, nil)
		case s.Status.Phase == v1.PhaseRunning && s.upToDate():
			return nil
		case !s.invalid() && alarm != nil:
			alarm.Stop()
			alarm = nil
		case s.invalid() && alarm == nil:
			alarm = time.AfterFunc(invalidFor, func() { cancel(errInvalid) })
			defer alarm.Stop()
		}
	}
	return nil
}

var errInvalid = errors.New("the spec is invalid")

// whyNot explains the error that ended the waiting.
func (s *Server) whyNot(waiting context.Context, err error) error {
	var timeout *customresource.TimeoutError
	switch {
	case errors.Is(context.Cause(waiting), errInvalid):
		return s.notRunning("its spec cannot be met", nil)
	case errors.As(err, &timeout):
		return s.notRunning("the waiting was ended", timeout.Err)
	}
	return err
}

func (s *Server) notRunning(problem string, err error) error {
	return &NotRunningError{Namespace: s.Namespace, Name: s.Name, Problem: problem, Status: *s.Status.DeepCopy(), Err: err}
}

// problem is why it is in vain to wait, or empty.
func (s *Server) problem() string {
	switch {
	case s.DeletionTimestamp != nil:
		return "it is being deleted"
	case s.Spec.Running != nil && !*s.Spec.Running:
		return "it is stopped: set spec.running to true"
	case s.Status.Phase == v1.PhaseFailed && s.upToDate():
		return "it has failed"
	}
	return ""
}

func (s *Server) invalid() bool {
	for _, c := range s.Status.Conditions {
		if c.Type == v1.ConditionValid {
			return c.Status == metav1.ConditionFalse && c.ObservedGeneration >= s.Generation
		}
	}
	return false
}

// upToDate says whether the status is about the present spec.
func (s *Server) upToDate() bool { return s.Status.ObservedGeneration >= s.Generation }
