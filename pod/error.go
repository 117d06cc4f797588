package pod

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/pod/internal/stream"
)

var (
	// ErrIncomplete says that a stream ended before its end was proven: output may be missing, and whether and how the
	// command ended is unknown.
	ErrIncomplete = errors.New("cut off")
	// ErrNotReady says that the container does not run, and did not come to in the time given.
	ErrNotReady = errors.New("container not ready")
)

// ExitError is the error of a command that ended with an exit code other than 0.
type ExitError struct {
	Command string // its first word
	Target  string // where it ran
	Code    int    // 128 + the number of the signal for a command that one ended
	Stderr  []byte // the end of standard error, at most 32 KiB; empty with a TTY
}

// Error is one line, with the last line of standard error.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s in %s: exit code %d", e.Command, e.Target, e.Code)
	lines := strings.Split(strings.TrimSpace(string(e.Stderr)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		text += ": " + last
	}
	return text
}

// ExitCode is Code, as os/exec has it.
func (e *ExitError) ExitCode() int { return e.Code }

// apiError makes the server's refusal of a stream into the SDK's error.
func apiError(t Target, subresource string, err error) error {
	var refused *stream.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	e := &kubesdk.Error{Verb: "create", Resource: "pods/" + subresource, Namespace: t.namespace, Name: t.name, Attempts: 1, Code: refused.Code, Message: refused.Text}
	if refused.Status != nil {
		return e.Answered(refused.Status)
	}
	return e
}

// status is how the server says that a command ended.
type status struct {
	exited  bool
	code    int
	message string
}

const (
	nonZeroExitCode = "NonZeroExitCode"
	exitCodeCause   = "ExitCode"
)

func parseStatus(raw []byte) (status, error) {
	var s metav1.Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return status{}, fmt.Errorf("the server's status %q is not to be understood: %w", raw, err)
	}
	switch {
	case s.Status == metav1.StatusSuccess:
		return status{exited: true}, nil
	case s.Status != metav1.StatusFailure:
		return status{}, fmt.Errorf("the server's status %q is not to be understood", raw)
	case s.Reason != nonZeroExitCode:
		return status{message: s.Message}, nil
	}
	if s.Details != nil {
		for _, c := range s.Details.Causes {
			if c.Type == exitCodeCause {
				code, err := strconv.Atoi(c.Message)
				if err == nil {
					return status{exited: true, code: code}, nil
				}
			}
		}
	}
	return status{}, fmt.Errorf("the server's status %q has no exit code", raw)
}
