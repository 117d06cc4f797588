//go:build unix

package agent

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// reaper collects the status of every process that ends, of the agent's own and of orphans: there is one place to wait,
// as two would take the statuses from each other.
type reaper struct {
	mu      sync.Mutex
	waiting map[int]chan<- syscall.WaitStatus
	signals chan os.Signal
}

func newReaper() *reaper {
	r := &reaper{waiting: map[int]chan<- syscall.WaitStatus{}, signals: make(chan os.Signal, 1)}
	signal.Notify(r.signals, syscall.SIGCHLD)
	return r
}

// run reaps until the context is done.
func (r *reaper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signals:
			r.reap()
		}
	}
}

// reap collects what has ended.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if ended, ok := r.waiting[pid]; ok {
			delete(r.waiting, pid)
			ended <- status
		}
	}
}

// start starts a process, whose status the channel will give.
func (r *reaper) start(path string, argv []string, attr *syscall.ProcAttr) (<-chan syscall.WaitStatus, error) {
	r.mu.Lock() // so that the process is known before it is reaped
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	ended := make(chan syscall.WaitStatus, 1)
	r.waiting[pid] = ended
	return ended, nil
}
