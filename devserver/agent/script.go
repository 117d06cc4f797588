//go:build unix

package agent

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	shell = "/bin/sh"
	// lastBytes of the script's output go into the termination message, of which the kubelet keeps 4096 in all.
	lastBytes = 2048
	// drainTime is what output that is still in the pipe gets after the script's end: a process that the script left in the
	// background may hold the pipe open.
	drainTime = 200 * time.Millisecond
)

// runScript runs the init script. Its output goes to the container's log.
func runScript(ctx context.Context, r *reaper, opts Options) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }() // only read
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), write.Fd(), write.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true}}
	ended, err := r.start(shell, []string{shell, "-c", opts.InitScript}, attr)
	_ = write.Close() // the script has its own
	if err != nil {
		return fail(opts, fmt.Sprintf("%s: it needs %s in the image: %v", InitScriptFailed, shell, err))
	}
	var last tail
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		last.relay(read)
	}()
	select {
	case <-ctx.Done():
		return nil
	case status := <-ended:
		if status.ExitStatus() == 0 {
			return nil
		}
		select {
		case <-drained:
		case <-time.After(drainTime):
		}
		return fail(opts, fmt.Sprintf("%s with %s; its last lines:\n%s", InitScriptFailed, describe(status), last.lines()))
	}
}

// fail leaves a message for the kubelet.
func fail(opts Options, message string) error {
	if opts.TerminationLog != "" {
		if err := os.WriteFile(opts.TerminationLog, []byte(message), 0o644); err != nil {
			return fmt.Errorf("%w, and its message could not be left: %w", errInitScript, err)
		}
	}
	return fmt.Errorf("%w: see the termination message", errInitScript)
}

// tail keeps the end of what it relays.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// relay copies to standard output until the pipe ends. It goes on when standard output does not take it, so that the
// script is never held up.
func (t *tail) relay(pipe *os.File) {
	defer func() { _ = pipe.Close() }() // only read
	chunk := make([]byte, 4096)
	for {
		n, err := pipe.Read(chunk)
		_, _ = os.Stdout.Write(chunk[:n]) // the log is gone: nobody to tell
		t.mu.Lock()
		t.kept = append(t.kept, chunk[:n]...)
		t.kept = t.kept[max(0, len(t.kept)-lastBytes):]
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// lines are the whole lines at the end of the output.
func (t *tail) lines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.kept
	if len(kept) == lastBytes {
		if _, rest, ok := bytes.Cut(kept, []byte("\n")); ok && len(rest) > 0 {
			kept = rest
		}
	}
	return string(bytes.ToValidUTF8(bytes.TrimRight(kept, "\n"), []byte("?")))
}
