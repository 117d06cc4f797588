package pod

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Attach connects to the container's own process: the output is what it writes from now on. The container runtime may
// pass input on a moment before it does so with output, whose answer is lost then: wait for output before the first
// input. Stdin needs a container with stdin: true, and TTY has to be what the container has. The end of Stdin is passed
// on only to a container with stdinOnce: true; from others the runtime would detach the output at once. What the
// process writes right before it ends may be missing: the server gives no proof of the end of an attached stream.
// Canceling the context only detaches.
//
// Run returns when the process has ended, with an [*ExitError] if its exit code is not 0; an end of the stream while it
// still runs is [ErrIncomplete].
func Attach(t Target) *Cmd { return &Cmd{target: t, attach: true} }

// instance is which process of a container an attached session belongs to.
type instance struct {
	container string // its ID
	stdinOnce bool   // its input ends with that of the first who attaches
}

// instanceOf finds out to whose process Attach connects.
func instanceOf(ctx context.Context, t Target) (Target, instance, error) {
	t, err := t.await(ctx)
	if err != nil {
		return t, instance{}, err
	}
	p, err := t.pods().Get(ctx, t.name)
	if err != nil {
		return t, instance{}, err
	}
	s, _ := statusOf(p, t.container)
	i := instance{container: s.ContainerID}
	for _, c := range p.Spec.Containers {
		i.stdinOnce = i.stdinOnce || c.Name == t.container && c.StdinOnce
	}
	return t, i, nil
}

// detached says why an attached stream ended without an error: the server says the same when the process ends and when
// its own connection to the node breaks.
func (s *session) detached(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var ended *corev1.ContainerStateTerminated
	err := poll(ctx, 5*time.Second, func() (bool, error) {
		p, ok, err := s.target.pods().Lookup(ctx, s.target.name)
		if err != nil || !ok {
			return true, err
		}
		status, _ := statusOf(p, s.target.container)
		for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
			if state.Terminated != nil && state.Terminated.ContainerID == s.instance.container {
				ended = state.Terminated
			}
		}
		return ended != nil, nil
	})
	switch {
	case ended == nil && errors.Is(err, errTooLong):
		return fmt.Errorf("%w: the stream ended, and the container still runs", ErrIncomplete)
	case ended == nil:
		return errors.Join(fmt.Errorf("%w: the stream ended, and how the container did is not known", ErrIncomplete), err)
	case ended.ExitCode != 0:
		return &ExitError{Command: "attach", Target: s.target.String(), Code: int(ended.ExitCode), Stderr: s.out.tail.bytes()}
	}
	return nil
}
