//go:build unix

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
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

// endAll asks all processes to end: with SIGTERM, and those that ignore it, as interactive shells do, with SIGHUP.
func endAll(r *reaper, grace time.Duration) {
	deadline := time.Now().Add(grace)
	for _, pid := range others() {
		sig := syscall.SIGTERM
		if ignoresTerm(pid) {
			sig = syscall.SIGHUP
		}
		_ = syscall.Kill(pid, sig)             // it may have ended meanwhile
		_ = syscall.Kill(pid, syscall.SIGCONT) // a stopped process acts on no signal
	}
	for len(others()) > 0 && time.Now().Before(deadline) {
		r.reap()
		time.Sleep(20 * time.Millisecond) // processes that exec started have another parent: no signal tells of their end
	}
}

// others are the other processes of this container.
func others() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ignoresTerm reads the mask of ignored signals.
func ignoresTerm(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return err == nil && bits&(1<<(syscall.SIGTERM-1)) != 0
		}
	}
	return false
}

// describe says how a process ended.
func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
