package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// ErrIdle reports that the cluster stopped because its lease ran out.
var ErrIdle = errors.New("nobody has renewed the lease of the cluster")

// supervisor is owned by the goroutine of its loop; everything else sends it events.
type supervisor struct {
	dir    state.Dir
	cfg    state.Config
	steps  []plan.Step
	status state.Status
	// started is when each step was started last; an event of an earlier start is stale.
	started []time.Time
	procs   []*process
	events  chan event
	client  func() (*client, error)
	cancel  []context.CancelFunc
}

// event is what happened to the step of that index.
type event struct {
	step    int
	started time.Time
	// exit is set when its process ended, err when it can never become ready; with neither, it is ready.
	exit *os.ProcessState
	err  error
}

// Run runs the cluster in dir, whose configuration and files are there, until ctx ends, SIGTERM arrives or the lease runs
// out, which is [ErrIdle]. Then every component is gone. The working directory must be the cluster's. On the file descriptor 3 it expects the
// socket that holds the cluster's port.
func Run(ctx context.Context, dir state.Dir) error {
	cfg, err := dir.ReadConfig()
	if err != nil {
		return err
	}
	syscall.CloseOnExec(3) // the components need not have it
	port := os.NewFile(3, "port")
	defer func() { _ = port.Close() }()
	if cfg.Node {
		stop, err := forward(port, fmt.Sprintf("127.0.0.1:%d", plan.NodePort))
		if err != nil {
			return err
		}
		defer stop()
	}
	s := newSupervisor(dir, cfg)
	defer s.killAll()

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	idle := watchLease(ctx, dir, cfg.IdleTimeout)
	slog.Info("starting", "cluster", cfg.Name, "dir", dir.Path())
	for {
		s.launch(ctx)
		if err := s.report(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			slog.Info("stopping")
			return s.reportStopping()
		case lock := <-idle:
			defer lock.Release()
			slog.Info("stopping: nobody renewed the lease", "idleTimeout", cfg.IdleTimeout)
			return errors.Join(ErrIdle, s.reportStopping())
		case <-hup:
			s.revive(ctx)
		case ev := <-s.events:
			s.handle(ev)
		}
	}
}

func newSupervisor(dir state.Dir, cfg state.Config) *supervisor {
	steps := plan.Steps(cfg)
	s := &supervisor{
		dir: dir, cfg: cfg, steps: steps,
		started: make([]time.Time, len(steps)),
		procs:   make([]*process, len(steps)),
		cancel:  make([]context.CancelFunc, len(steps)),
		events:  make(chan event, len(steps)),
		client:  newClientOnce(dir.Path("supervisor.kubeconfig")),
	}
	s.status = state.Status{Phase: state.Starting, Started: time.Now()}
	for _, step := range steps {
		s.status.Components = append(s.status.Components, state.Component{Name: step.Name, Phase: state.Waiting})
	}
	return s
}

// launch starts every waiting step whose needs are ready.
func (s *supervisor) launch(ctx context.Context) {
	for i, step := range s.steps {
		c := &s.status.Components[i]
		if c.Phase != state.Waiting || slices.ContainsFunc(step.After, func(name string) bool { return !s.ready(name) }) {
			continue
		}
		now := time.Now()
		s.started[i] = now
		*c = state.Component{Name: step.Name, Phase: state.Starting}
		if !step.Apply {
			p, err := start(step, s.dir)
			if err != nil {
				slog.Error("could not start", "component", step.Name, "err", err)
				c.Phase, c.ExitCode, c.Message = state.Exited, -1, err.Error()
				continue
			}
			s.procs[i] = p
			c.PID = p.pid()
			go func() { s.events <- event{step: i, started: now, exit: p.wait()} }()
		}
		if !step.Once {
			s.watchReady(ctx, i)
		}
	}
}

// watchReady tells, until the step's process ends, when the step is ready.
func (s *supervisor) watchReady(ctx context.Context, i int) {
	ctx, s.cancel[i] = context.WithCancel(ctx)
	started := s.started[i]
	go func() {
		err := s.becomeReady(ctx, s.steps[i])
		if ctx.Err() == nil {
			s.events <- event{step: i, started: started, err: err}
		}
	}()
}

func (s *supervisor) ready(name string) bool {
	return slices.ContainsFunc(s.status.Components, func(c state.Component) bool {
		return c.Name == name && c.Phase == state.Ready
	})
}

func (s *supervisor) handle(ev event) {
	c := &s.status.Components[ev.step]
	if !ev.started.Equal(s.started[ev.step]) || c.Phase == state.Exited {
		return
	}
	switch {
	case ev.exit != nil && s.steps[ev.step].Once && ev.exit.Success():
		s.procs[ev.step] = nil
		c.Phase, c.PID, c.ReadyAfter = state.Ready, 0, time.Since(ev.started).Round(time.Millisecond)
	case ev.exit != nil:
		s.stopWatching(ev.step)
		s.procs[ev.step] = nil
		c.Phase, c.PID = state.Exited, 0
		c.ExitCode, c.Message = ev.exit.ExitCode(), ev.exit.String()
		slog.Error("exited", "component", c.Name, "how", c.Message)
	case ev.err != nil:
		if p := s.procs[ev.step]; p != nil {
			p.kill()
			s.procs[ev.step], c.PID = nil, 0
		}
		c.Phase, c.ExitCode, c.Message = state.Exited, 1, ev.err.Error()
		slog.Error("failed", "component", c.Name, "err", ev.err)
	default:
		c.Phase = state.Ready
		if c.ReadyAfter == 0 {
			c.ReadyAfter = time.Since(ev.started).Round(time.Millisecond)
		}
		slog.Info("ready", "component", c.Name, "after", c.ReadyAfter)
	}
}

// revive lets the steps that exited start again, and looks again whether the others are ready, which a dead one may have
// disturbed.
func (s *supervisor) revive(ctx context.Context) {
	s.status.Revived++
	for i := range s.status.Components {
		c := &s.status.Components[i]
		switch {
		case c.Phase == state.Exited:
			c.Phase = state.Waiting
		case c.Phase == state.Ready && s.procs[i] != nil:
			c.Phase = state.Starting
			s.watchReady(ctx, i)
		}
	}
}

// report writes the status, with the phase that follows from those of the components.
func (s *supervisor) report() error {
	s.status.Phase = state.Ready
	for _, c := range s.status.Components {
		switch c.Phase {
		case state.Exited:
			s.status.Phase = state.Degraded
		case state.Ready:
		default:
			if s.status.Phase == state.Ready {
				s.status.Phase = state.Starting
			}
		}
	}
	return s.dir.WriteStatus(s.status)
}

// reportStopping tells an up that finds this process still alive to wait for its end.
func (s *supervisor) reportStopping() error {
	s.status.Phase = state.Stopping
	return s.dir.WriteStatus(s.status)
}

func (s *supervisor) stopWatching(i int) {
	if s.cancel[i] != nil {
		s.cancel[i]()
	}
}

func (s *supervisor) killAll() {
	for i, p := range slices.Backward(s.procs) {
		if p != nil {
			s.stopWatching(i)
			p.kill()
		}
	}
}
