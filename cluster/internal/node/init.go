package node

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// Cloneflags are the namespaces that the process that calls [Init] is to be started in.
const Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// IdleCode is the exit code with which the supervisor asks for the whole cluster to be removed.
const IdleCode = 90

// Init furnishes the namespaces that this process is the first of, runs args as this program's supervisor in them with
// the file descriptor 3 handed on, and reaps the processes that lose their parent, until the supervisor ends. Signals to
// it go to the supervisor.
func Init(dir state.Dir, args []string) error {
	alive, err := dir.HoldAlive()
	if err != nil {
		return fmt.Errorf("become the supervisor of cluster %q: %w", dir.Name(), err)
	}
	defer func() { _ = alive.Close() }()
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
			if number, ok := s.(syscall.Signal); ok {
				_ = syscall.Kill(child, number)
			}
		}
	}()
	code, err := reap(child)
	switch {
	case err != nil:
		return err
	case code == IdleCode:
		return leave(dir)
	case code != 0:
		return fmt.Errorf("the supervisor ended with code %d", code)
	}
	return nil
}

// reap waits for every child until child has ended, and returns its exit code.
func reap(child int) (int, error) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for processes: %w", err)
		case pid == child && status.Signaled():
			return 128 + int(status.Signal()), nil
		case pid == child:
			return status.ExitStatus(), nil
		}
	}
}

// leave removes the cluster from within its namespaces: it ends all processes but this one and uncovers the machine's
// directories, whose mounts here would keep the cluster's from being removed.
func leave(dir state.Dir) error {
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end the node's processes: %w", err)
	}
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	for _, c := range slices.Backward(covered) {
		if err := sweep.UnmountBelow(c.path); err != nil {
			return err
		}
		if err := unix.Unmount(c.path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", c.path, err)
		}
	}
	return sweep.RemoveIdle(dir)
}
