package pod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	defaultGrace = 5 * time.Second
	defaultSpool = 1 << 30
	stderrTail   = 32 << 10
)

// Cmd is a command in a container, shaped like that of os/exec. Set its fields, then call one of Run, Output,
// CombinedOutput or Start. It is for one run by one goroutine.
//
// A nil error means that the command is proven to have ended with exit code 0 and that its output is complete. For that,
// where the container has /bin/sh, the command runs below it; the shell never parses any of it. Without /bin/sh the proof
// is the server's word alone, and Env, Dir and an end by canceling are not possible.
//
// Canceling the context ends the command: its process group gets SIGTERM and, after Grace, SIGKILL. The error says so if
// that was not possible, and wraps the context's cause.
type Cmd struct {
	// Args is the command and its arguments, as they are: no shell sees them.
	Args []string
	// Env has variables in the form NAME=VALUE, beside those that the container has.
	Env []string
	// Dir is the folder to run in; empty: where the container starts.
	Dir string

	// Stdin is copied to the command, and its end is passed on. Nil: there is none. A Read that is blocked when the
	// command ends is not waited for.
	Stdin io.Reader
	// Stdout and Stderr take the output as it arrives; nil: it is dropped. If they are the same writer, it is used by one
	// goroutine at a time. A writer that is slow holds up neither the other nor the connection: see Spool.
	Stdout, Stderr io.Writer

	// TTY runs the command on a terminal. Its output is all on Stdout then.
	TTY bool
	// Resize has the sizes of the terminal; it may be closed.
	Resize <-chan Size

	// Grace is how long a cancelled command may take to end by itself. 0 means 5 s.
	Grace time.Duration
	// Spool is how many bytes of output that a slow writer has not taken yet may wait in a temporary file. Past that the
	// command is held up. 0 means 1 GiB.
	Spool int64

	target  Target
	size    *Size // the first of Resize
	attach  bool
	direct  bool // writers are never slow: no spool
	err     error
	session *session
}

// Size is that of a terminal, in characters.
type Size struct{ Width, Height uint16 }

// Command is the command name with its arguments in the target. No shell is involved in what they mean; see [Shell] and
// [Split].
func Command(t Target, name string, args ...string) *Cmd {
	return &Cmd{target: t, Args: append([]string{name}, args...)}
}

// Shell is a script for the container's /bin/sh.
func Shell(t Target, script string) *Cmd { return Command(t, "/bin/sh", "-c", script) }

// Run starts the command and waits for its end. The error is an [*ExitError] if the exit code is not 0, [ErrIncomplete] if
// the end is not proven, [ErrNotReady] if the container does not run, os/exec's ErrNotFound if there is no such command,
// and a [*kubesdk.Error] if the API server refuses.
func (c *Cmd) Run(ctx context.Context) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns what it wrote to standard output, also if it fails.
func (c *Cmd) Output(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("pod: Output with Stdout set")
	}
	var out bytes.Buffer
	c.Stdout, c.direct = &out, c.Stderr == nil
	err := c.Run(ctx)
	return out.Bytes(), err
}

// CombinedOutput runs the command and returns what it wrote to standard output and standard error, in the order of
// arrival.
func (c *Cmd) CombinedOutput(ctx context.Context) ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("pod: CombinedOutput with Stdout or Stderr set")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run(ctx)
	return out.Bytes(), err
}

// Start starts the command and returns when it runs. ctx is for all of its run. After Start without an error, Wait must be
// called.
func (c *Cmd) Start(ctx context.Context) error {
	switch {
	case c.session != nil:
		return errors.New("pod: the command was started already")
	case c.err != nil:
		return c.err
	case !c.attach && (len(c.Args) == 0 || c.Args[0] == ""):
		return errors.New("pod: no command")
	case ctx.Err() != nil:
		return c.wrap(c.target, context.Cause(ctx))
	}
	t, err := c.target.resolve(ctx)
	if err != nil {
		return c.wrap(t, err)
	}
	c.session, err = c.start(ctx, t)
	return err
}

// Wait waits for the end of a command that Start has started, and for all of its output.
func (c *Cmd) Wait() error {
	if c.session == nil {
		return errors.New("pod: the command was not started")
	}
	return c.session.wait()
}

// wrap says what was attempted. An ExitError says so itself.
func (c *Cmd) wrap(t Target, err error) error {
	if _, ok := err.(*ExitError); ok || err == nil { //nolint:errorlint // only as the verdict makes it
		return err
	}
	if c.attach {
		return fmt.Errorf("attach to %s: %w", t, err)
	}
	return fmt.Errorf("%s in %s: %w", c.name(), t, err)
}

// firstSize is the terminal's size as the command starts, if Resize has it by then.
func (c *Cmd) firstSize() *Size {
	if c.size == nil {
		select {
		case size, ok := <-c.Resize:
			if ok {
				c.size = &size
			}
		default:
		}
	}
	return c.size
}

func (c *Cmd) name() string {
	if c.attach || len(c.Args) == 0 {
		return "attach"
	}
	return c.Args[0]
}

// String is the command's words as a shell would need them quoted.
func (c *Cmd) String() string { return Join(c.Args) }
