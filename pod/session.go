package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/stream"
	"github.com/kubesdk/kubesdk/pod/internal/supervise"
)

// linger is how long the server's own word on a command that is proven to have ended is waited for.
const linger = time.Second

// inputBuffer is how much of standard input is read at once, in bytes.
const inputBuffer = 128 << 10

// askAgain is how long after a container that is said to run was not found it is looked for again.
const askAgain = 200 * time.Millisecond

// session is one run of a command.
type session struct {
	cmd      *Cmd
	target   Target
	instance instance // of the process that is attached to
	proven   bool     // the command runs below the script
	conn     stream.Conn
	out      *output
	started  chan struct{} // closed when the command runs
	once     sync.Once
	done     chan struct{} // closed when nothing more arrives
	enough   chan struct{} // closed when the command takes no more input
	over     chan struct{} // closed when err is final
	fed      chan struct{} // closed when the input's source has returned; nil if there is none, or it was not asked

	mu       sync.Mutex
	process  supervise.Process
	inputErr error

	status []byte // valid after done
	runErr error
	err    error // valid after over; without the command's name
}

// start runs the command, below the script if it can. Nothing has run and no input was used where it tries again: without
// the script where there is no shell, and after waiting where the container does not run yet. What the API server says of a
// container's state is older than what the runtime says, so that one that seems to run is asked again too.
func (c *Cmd) start(ctx context.Context, t Target) (*session, error) {
	waited := false
	deadline := time.Now().Add(t.ready)
	for {
		s, err := c.attempt(ctx, t)
		if err == nil {
			return s, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, c.wrap(t, context.Cause(ctx))
		case noShell(err) && !t.known.lacksShell(t) && !c.attach:
			t.known.setNoShell(t)
			continue
		case !mayBeNotReady(err) || waited && !containerGone(err):
			return nil, c.wrap(t, explained(err))
		case waited && time.Now().After(deadline):
			return nil, c.wrap(t, t.restless(ctx, err))
		case waited:
			if err := pause(ctx, askAgain); err != nil {
				return nil, c.wrap(t, err)
			}
		}
		waited = true
		ready, waitErr := t.await(ctx)
		if waitErr != nil {
			return nil, c.wrap(t, waitErr)
		}
		t = ready
	}
}

func (k *known) lacksShell(t Target) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.noShell[t.key()]
}

func (k *known) setNoShell(t Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.noShell[t.key()] = true
}

// notRunError is an error of a command that was never started.
type notRunError struct{ message string }

func (e *notRunError) Error() string { return e.message }

// noShell recognizes the runtime's error about the script's interpreter.
func noShell(err error) bool {
	var e *notRunError
	return errors.As(err, &e) && strings.Contains(e.message, supervise.Shell) && missing(e.message)
}

func missing(message string) bool {
	for _, words := range []string{"no such file", "not found", "executable file"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// explained gives the runtime's errors the meaning that os/exec has for them.
func explained(err error) error {
	var e *notRunError
	if errors.As(err, &e) && strings.Contains(e.message, "exec:") && missing(e.message) {
		return fmt.Errorf("%w: %s", exec.ErrNotFound, e.message)
	}
	return err
}

// mayBeNotReady says whether it is worth asking what state the container is in.
func mayBeNotReady(err error) bool {
	var run *notRunError
	if errors.As(err, &run) {
		return !strings.Contains(run.message, "exec:")
	}
	var refused *stream.RefusedError
	return errors.As(err, &refused) && (refused.Code == http.StatusBadRequest || refused.Code == http.StatusNotFound || refused.Code >= http.StatusInternalServerError)
}

// containerGone recognizes the kubelet's and the runtime's words for a container that has just ended.
func containerGone(err error) bool {
	for _, words := range []string{"container not found", "not running", "no running task", "stopped"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// attempt starts the command once and returns when it runs, or with the reason why it does not.
func (c *Cmd) attempt(ctx context.Context, t Target) (*session, error) {
	s := &session{
		cmd: c, target: t, proven: !c.attach && !t.known.lacksShell(t),
		started: make(chan struct{}), done: make(chan struct{}), enough: make(chan struct{}), over: make(chan struct{}),
	}
	if c.attach {
		var err error
		if s.target, s.instance, err = instanceOf(ctx, t); err != nil {
			return nil, err
		}
		t = s.target
	}
	args := c.Args
	mark := supervise.NewMark()
	if s.proven {
		var err error
		if args, err = supervise.Wrap(supervise.Command{Args: c.Args, Env: c.Env, Dir: c.Dir, TTY: c.TTY, Input: c.Stdin != nil}, mark); err != nil {
			return nil, err
		}
	} else if len(c.Env) > 0 || c.Dir != "" {
		return nil, fmt.Errorf("there is no shell (%s) in the container, which Env and Dir need", supervise.Shell)
	}
	request := stream.Request{
		Namespace: t.namespace, Pod: t.name, Subresource: "exec", Query: url.Values{"command": args},
		Stdin: c.Stdin != nil, Stderr: true, TTY: c.TTY,
	}
	if c.attach {
		request.Subresource, request.Query = "attach", url.Values{}
	}
	if t.container != "" {
		request.Query.Set("container", t.container)
	}
	var err error
	if s.conn, err = dial(ctx, t, request); err != nil {
		return nil, apiErrorKeeping(t, request.Subresource, err)
	}
	s.out = newOutput(c, mark, s.proven, s.heard, s.proved)
	if !s.proven {
		s.begin()
	}
	if c.TTY {
		go s.resize()
	}
	go s.read()
	go s.supervise(ctx)
	select {
	case <-s.started:
		return s, nil
	case <-s.over:
	}
	var e *notRunError
	if errors.As(s.err, &e) {
		return nil, s.err
	}
	select {
	case <-s.started: // it has ended already
		return s, nil
	default:
		return nil, s.err
	}
}

// apiErrorKeeping is apiError with the refusal itself still in the chain: start looks at it.
func apiErrorKeeping(t Target, subresource string, err error) error {
	var refused *stream.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	return &refusal{apiError(t, subresource, err), refused}
}

type refusal struct {
	error
	refused *stream.RefusedError
}

func (e *refusal) Unwrap() []error { return []error{e.error, e.refused} }

// dial connects; what certainly did not reach a command is tried again.
func dial(ctx context.Context, t Target, r stream.Request) (stream.Conn, error) {
	d, err := t.dialer()
	if err != nil {
		return nil, err
	}
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		conn, err := d.Command(ctx, r)
		var refused *stream.RefusedError
		busy := errors.As(err, &refused) && refused.Code == http.StatusTooManyRequests
		if err == nil || wait > time.Second || !busy && !errors.Is(err, syscall.ECONNREFUSED) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// begin is when the command is known to run: only then its input is used.
func (s *session) begin() {
	s.once.Do(func() {
		close(s.started)
		switch in := s.cmd.Stdin.(type) {
		case nil:
		case inputSource:
			s.fed = make(chan struct{})
			go func() {
				defer close(s.fed)
				s.feed(in)
			}()
		default:
			go s.feed(func(to io.Writer) error {
				_, err := io.CopyBuffer(to, struct{ io.Reader }{in}, make([]byte, inputBuffer))
				return err
			})
		}
	})
}

// heard takes what the script says on standard error, or on a terminal.
func (s *session) heard(w supervise.Words) {
	if w.Process.PID == 0 {
		return
	}
	s.mu.Lock()
	s.process = w.Process
	s.mu.Unlock()
	s.begin()
}

// proved is called when the script has said on both outputs that the command has ended. The server says so too, but not
// always soon: input that the command did not read may block its connection to the node, and processes that the command
// has left behind may hold its outputs open.
func (s *session) proved() {
	close(s.enough)
	if s.cmd.Stdin != nil {
		go func() { _ = s.conn.CloseInput() }() // the script waits for it; if the connection is broken, the reader tells
	}
	time.AfterFunc(linger, func() {
		select {
		case <-s.done:
		default:
			_ = s.conn.Close() // all that has to be known is known
		}
	})
}

// inputSource is an input that writes itself, which takes no pipe between two goroutines. It has returned when the command's Run
// does. What it gets from a writer that takes no more is errNotTaken.
type inputSource func(io.Writer) error

func (inputSource) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

var errNotTaken = errors.New("the command takes no more input")

// feed passes the input on, and its end; or ends the command if the input ended with an error of its own.
func (s *session) feed(from inputSource) {
	err := from(input{s})
	switch {
	case errors.Is(err, errNotTaken) || s.takesNoMore(): // if the connection is broken, the reader tells
	case err != nil: // the command must not take it for the end of its input
		s.mu.Lock()
		s.inputErr = err
		s.mu.Unlock()
		_ = s.interrupt(err) // the failed input is the error to tell
	case !s.cmd.attach || s.instance.stdinOnce:
		_ = s.conn.CloseInput() // if the connection is broken, the reader tells
	}
}

func (s *session) takesNoMore() bool {
	select {
	case <-s.enough:
		return true
	case <-s.done:
		return true
	default:
		return false
	}
}

// input is where a command's input is written to. It says at once that no more is taken, so that no more is read for it.
type input struct{ session *session }

func (i input) Write(p []byte) (int, error) {
	if i.session.takesNoMore() {
		return 0, errNotTaken
	}
	n, err := i.session.conn.Write(p)
	if err != nil {
		return n, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	if i.session.takesNoMore() {
		return n, errNotTaken
	}
	return n, nil
}

// resize passes on the sizes of the terminal. The first is sent at once, again with each attempt.
func (s *session) resize() {
	if first := s.cmd.firstSize(); first != nil {
		_ = s.conn.Resize(first.Width, first.Height) // if the connection is broken, the reader tells
	}
	for {
		select {
		case <-s.over:
			return
		case size, ok := <-s.cmd.Resize:
			if !ok || s.conn.Resize(size.Width, size.Height) != nil {
				return
			}
		}
	}
}

// read takes in all there is to come.
func (s *session) read() {
	s.status, s.runErr = s.conn.Run(s.out.stdout, s.out.stderr)
	close(s.done)
}

// supervise waits for the end of the command or of ctx, whichever comes first, and gives the verdict.
func (s *session) supervise(ctx context.Context) {
	defer close(s.over)
	var cut error
	select {
	case <-s.done:
	case <-ctx.Done():
		cut = s.interrupt(context.Cause(ctx))
		<-s.done
	}
	_ = s.conn.Close() // all that it could tell was told
	if s.fed != nil {
		<-s.fed
	}
	flushErr := s.out.close()
	verdict := s.verdict()
	if s.cmd.attach && verdict == nil {
		verdict = s.detached(ctx)
	}
	s.mu.Lock()
	inputErr := s.inputErr
	s.mu.Unlock()
	switch {
	case inputErr != nil:
		s.err = fmt.Errorf("read standard input: %w", inputErr)
	case cut != nil && verdict != nil:
		s.err = cut
	case verdict == nil && flushErr != nil:
		s.err = fmt.Errorf("write its output: %w", flushErr)
	default:
		s.err = verdict
	}
}

func (s *session) wait() error {
	<-s.over
	return s.cmd.wrap(s.target, s.err)
}

// verdict says how the command ended, from the server's status and from what the script said.
func (s *session) verdict() error {
	stdout, stderr := s.out.words()
	if stderr.Problem == "command" {
		return fmt.Errorf("%w (the container's)", exec.ErrNotFound)
	}
	if dir, ok := strings.CutPrefix(stderr.Problem, "dir "); ok {
		return fmt.Errorf("change to folder %q: %s", s.cmd.Dir, dir)
	}
	if s.proven && stdout.Ended && stderr.Ended {
		return s.exit(stderr.Code)
	}
	if s.runErr != nil {
		return fmt.Errorf("%w: %w", ErrIncomplete, s.runErr)
	}
	if s.status == nil {
		return fmt.Errorf("%w: the stream ended without saying how the command ended", ErrIncomplete)
	}
	status, err := parseStatus(s.status)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	if !status.exited {
		select {
		case <-s.started:
			if s.proven {
				return fmt.Errorf("%w: %s", ErrIncomplete, status.message)
			}
			return explained(&notRunError{status.message})
		default:
			return &notRunError{status.message}
		}
	}
	if s.proven && !s.cmd.TTY && (stdout.Ended != stderr.Ended || status.code == 0) {
		return fmt.Errorf("%w: the server says that it ended with exit code %d, but the end of its %s did not arrive", ErrIncomplete, status.code, missingEnds(stdout, stderr))
	}
	return s.exit(status.code)
}

// missingEnds names the outputs on which the script has not said that the command has ended.
func missingEnds(stdout, stderr supervise.Words) string {
	switch {
	case stdout.Ended:
		return "standard error"
	case stderr.Ended:
		return "standard output"
	}
	return "output"
}

func (s *session) exit(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Command: s.cmd.name(), Target: s.target.String(), Code: code, Stderr: s.out.tail.bytes()}
}
