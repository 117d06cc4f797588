package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/supervise"
)

// settle is how long the end of a command that was ended may take to arrive.
const settle = 3 * time.Second

// interrupt ends the command and the connection. The error says why and whether it worked.
func (s *session) interrupt(cause error) error {
	defer func() { _ = s.conn.Close() }() // the reader returns
	if s.cmd.attach {
		return cause // the container's own process is not ours to end
	}
	select { // what is just starting says who it is in a moment
	case <-s.started:
	case <-s.done:
		return cause
	case <-time.After(settle):
		return fmt.Errorf("%w (the command may run: it had not said yet under which process)", cause)
	}
	s.mu.Lock()
	process := s.process
	s.mu.Unlock()
	if process.PID == 0 {
		return fmt.Errorf("%w (the command may still run: without a shell in the container it can't be ended)", cause)
	}
	how, err := s.end(process)
	if err != nil {
		select {
		case <-s.done: // it ended by itself
		default:
			return fmt.Errorf("%w (the command may still run: ending process %d failed: %w)", cause, process.PID, err)
		}
	}
	select {
	case <-s.done:
	case <-time.After(settle):
	}
	return fmt.Errorf("%w (%s)", cause, how)
}

// end signals the command's process group by another command.
func (s *session) end(p supervise.Process) (how string, err error) {
	grace := s.cmd.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace+20*time.Second)
	defer cancel()
	var stderr bytes.Buffer
	killer := &Cmd{target: s.target, Args: supervise.End(p, int(grace/(100*time.Millisecond))), Stderr: &stderr, direct: true}
	err = killer.Run(ctx)
	var exit *ExitError
	switch {
	case err == nil:
		return "the command was ended", nil
	case errors.As(err, &exit) && exit.Code == supervise.EndedByKill:
		return "the command was ended by SIGKILL", nil
	}
	return "", err
}
