//go:build unix

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// InitScriptFailed begins the termination message of a container whose init script failed.
const InitScriptFailed = "the init script failed"

// Options of the agent.
type Options struct {
	// InitScript is run by /bin/sh -c before the server counts as ready. Empty means none.
	InitScript string
	// Grace is how long processes get to end after SIGTERM before they are killed. Zero means not at all.
	Grace time.Duration
	// TerminationLog is the file that the kubelet reads a container's last words from. Empty means none.
	TerminationLog string
}

// errInitScript is the failure of the init script, which the container's termination message has in full.
var errInitScript = errors.New(InitScriptFailed)

// Run is the life of a container: it runs the init script, reaps orphans, and waits for SIGTERM or SIGINT. Then it asks all
// other processes to end, and returns nil when they have, or when the grace is over, so that the kernel kills them. A
// failed init script is an error, and its last lines are in the termination log. Run has to be called by process 1 of a
// container: it signals every process that it sees.
func Run(ctx context.Context, opts Options) error {
	if os.Getpid() != 1 {
		return errors.New("the agent is not process 1: it runs in containers only, as it signals all processes when it ends")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	r := newReaper()
	go r.run(ctx)

	if opts.InitScript != "" {
		if err := runScript(ctx, r, opts); err != nil {
			return err
		}
	}
	if ctx.Err() == nil {
		if err := announce(); err != nil {
			return err
		}
		<-ctx.Done()
	}
	endAll(r, opts.Grace)
	return nil
}

// endAll asks all processes to end. Interactive shells ignore SIGTERM and mind SIGHUP.
func endAll(r *reaper, grace time.Duration) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGCONT} {
		if err := syscall.Kill(-1, sig); errors.Is(err, syscall.ESRCH) {
			return
		}
	}
	deadline := time.Now().Add(grace)
	for alone, err := isAlone(); err == nil && !alone && time.Now().Before(deadline); alone, err = isAlone() {
		r.reap()
		time.Sleep(20 * time.Millisecond) // processes that exec started have another parent: no signal tells of their end
	}
}

// isAlone says whether no other process is left in this container.
func isAlone() (bool, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return false, err
	}
	defer func() { _ = proc.Close() }() // only read
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != os.Getpid() {
			return false, nil
		}
	}
	return true, nil
}

// describe says how a process ended.
func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
