package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubesdk/kubesdk/cluster/internal/node"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// reservePort makes a socket that has a port of 127.0.0.1 to itself, chosen by the kernel, so that nobody can take it
// before the API server does. With a node it listens, for the supervisor to forward what comes. Without one it is only
// bound, and the API server shares the port with it.
func reservePort(listen bool) (*os.File, int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("reserve a port: %w", err)
	}
	f := os.NewFile(uintptr(fd), "port")
	fail := func(err error) (*os.File, int, error) {
		_ = f.Close()
		return nil, 0, fmt.Errorf("reserve a port of 127.0.0.1: %w", err)
	}
	if !listen {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fail(err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte(net.IPv4(127, 0, 0, 1).To4())}); err != nil {
		return fail(err)
	}
	if listen {
		if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
			return fail(err)
		}
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return fail(err)
	}
	bound, ok := addr.(*unix.SockaddrInet4)
	if !ok {
		return fail(fmt.Errorf("the socket's address is %T", addr))
	}
	return f, bound.Port, nil
}

// spawn starts the cluster's supervisor, which outlives this process. The channel gives its end, while this process lasts.
func spawn(dir state.Dir, cfg state.Config, socket *os.File) (<-chan string, error) {
	log, err := os.OpenFile(dir.Log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the supervisor's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(self) //nolint:noctx // it outlives this process, and every context of it
	cmd.Args = []string{"localkube", "supervise", dir.Path()}
	cmd.Dir = dir.Path()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cfg.Node {
		cmd.SysProcAttr.Cloneflags = node.Cloneflags
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the supervisor of cluster %q: %w", cfg.Name, err)
	}
	if err := dir.WritePID(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return nil, err
	}
	ended := make(chan string, 1)
	go func() {
		_ = cmd.Wait() // its error repeats the state
		ended <- cmd.ProcessState.String()
	}()
	return ended, nil
}

func signal(dir state.Dir, s syscall.Signal) error {
	pid, err := dir.PID()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal the supervisor of cluster %q: %w", dir.Name(), err)
	}
	return nil
}

// stop ends the supervisor, if it runs, and with it every process of the cluster.
func stop(dir state.Dir) error {
	for _, try := range []struct {
		signal  syscall.Signal
		timeout time.Duration
	}{{syscall.SIGTERM, 10 * time.Second}, {syscall.SIGKILL, 10 * time.Second}} {
		if !dir.Alive() {
			return nil
		}
		if err := signal(dir, try.signal); err != nil {
			return err
		}
		for end := time.Now().Add(try.timeout); time.Now().Before(end) && dir.Alive(); {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if dir.Alive() {
		return fmt.Errorf("the supervisor of cluster %q does not end, though killed", dir.Name())
	}
	return nil
}

// waitReady returns when the cluster is ready. Only a status after that many revivals counts. died gives how the supervisor
// ended, and may be nil.
func waitReady(ctx context.Context, dir state.Dir, revived int, died <-chan string, report Reporter) error {
	reported := map[string]bool{}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var waiting []string
	for {
		status, err := dir.ReadStatus()
		if err != nil {
			return err
		}
		waiting = waiting[:0]
		if status.Revived >= revived && status.Phase != state.Stopping {
			for _, c := range status.Components {
				switch {
				case c.Phase == state.Exited:
					return failure(dir, c)
				case c.Phase != state.Ready:
					waiting = append(waiting, c.Name)
				case !reported[c.Name]:
					reported[c.Name] = true
					report.done(c.Name, c.ReadyAfter)
				}
			}
			if status.Phase == state.Ready {
				return nil
			}
			if report.Waiting != nil {
				report.Waiting(waiting)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s of cluster %q: %w", strings.Join(waiting, ", "), dir.Name(), context.Cause(ctx))
		case ended := <-died:
			return fmt.Errorf("the supervisor of cluster %q ended early (%s):\n%s", dir.Name(), ended, tail(dir, "supervisor"))
		case <-tick.C:
		}
		if died == nil && !dir.Alive() {
			return fmt.Errorf("cluster %q: %w", dir.Name(), errStopped)
		}
	}
}
