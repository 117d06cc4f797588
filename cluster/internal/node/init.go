package node

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// Cloneflags are the namespaces that the process that calls [Init] is to be started in.
const Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// Init furnishes the namespaces that this process is the first of, runs args as this program's supervisor in them with
// the file descriptor 3 handed on, and reaps the processes that lose their parent, until the supervisor ends. Signals to
// it go to the supervisor.
func Init(dir state.Dir, args []string) error {
	alive, err := dir.HoldAlive()
	if err != nil {
		return fmt.Errorf("become the supervisor of cluster %q: %w", dir.Name(), err)
	}
	defer alive.Close()
	if err := furnish(dir); err != nil {
		return fmt.Errorf("furnish the node's namespaces: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	child, err := syscall.ForkExec("/proc/self/exe", append([]string{"localkube"}, args...), &syscall.ProcAttr{
		Dir: dir.Path(), Env: os.Environ(), Files: []uintptr{0, 1, 2, 3},
	})
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	go func() {
		for s := range signals {
			syscall.Kill(child, s.(syscall.Signal))
		}
	}()
	return reap(child)
}

// reap waits for every child until child has ended.
func reap(child int) error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for processes: %w", err)
		case pid == child && status.Exited() && status.ExitStatus() == 0:
			return nil
		case pid == child:
			return fmt.Errorf("the supervisor ended with code %d, signal %d", status.ExitStatus(), status.Signal())
		default:
			slog.Debug("reaped", "pid", pid)
		}
	}
}
