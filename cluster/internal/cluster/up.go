package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/image"
	"github.com/kubesdk/kubesdk/cluster/internal/node"
	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// ErrDifferent reports that the cluster runs, but not as asked for.
var ErrDifferent = errors.New("the cluster is running with different settings")

// errStopped reports that a running cluster ended by itself while it was waited for.
var errStopped = errors.New("the cluster has stopped")

// Options are what a new cluster is to be. The zero value is one without a node that never stops by itself.
type Options struct {
	Node bool
	// APIServerArgs are passed to kube-apiserver after all others, each "--name=value".
	APIServerArgs []string
	// IdleTimeout stops the cluster when nobody has renewed its lease for that long; zero is never. A cluster that runs
	// already keeps its own.
	IdleTimeout time.Duration
}

// Reporter is told how Up goes on; any of the functions may be nil. They are called by one goroutine.
type Reporter struct {
	// Note is for something worth saying that is not a step.
	Note func(text string)
	// Waiting is called often, with the names of what is being waited for.
	Waiting func(names []string)
	// Done is called when a step is ready, with the time it took.
	Done func(name string, took time.Duration)
}

// Up returns when the cluster in dir is ready, having started it unless it ran already, together with the components of it
// that had died. Whatever an earlier cluster of the name left is removed first. If it fails or ctx ends, no process is
// left; after a failure the logs are, until the next Up or [Down].
func Up(ctx context.Context, dir state.Dir, opts Options, report Reporter) (Info, error) {
	lock, err := dir.Lock(ctx, func() { report.note("waiting for another localkube that is at work on cluster %q", dir.Name()) })
	if err != nil {
		return Info{}, err
	}
	defer lock.Release()
	err = errStopped
	if dir.Alive() {
		err = rejoin(ctx, dir, opts, report)
	}
	if errors.Is(err, errStopped) {
		err = create(ctx, dir, opts, report)
	}
	if err != nil {
		return Info{}, err
	}
	if err := dir.Touch(); err != nil {
		return Info{}, err
	}
	return Describe(dir)
}

// rejoin waits for a cluster that runs.
func rejoin(ctx context.Context, dir state.Dir, opts Options, report Reporter) error {
	cfg, err := dir.ReadConfig()
	if err != nil {
		return err
	}
	if opts.Node && !cfg.Node {
		return fmt.Errorf("cluster %q: %w: it has no node; run \"localkube down\" first", dir.Name(), ErrDifferent)
	}
	if len(opts.APIServerArgs) > 0 && !slices.Equal(opts.APIServerArgs, cfg.APIServerArgs) {
		return fmt.Errorf("cluster %q: %w: its API server has the extra arguments %q; run \"localkube down\" first",
			dir.Name(), ErrDifferent, cfg.APIServerArgs)
	}
	// The lease may be about to run out while the components come back.
	if err := dir.Touch(); err != nil {
		return fmt.Errorf("%w: %w", errStopped, err)
	}
	before, err := dir.ReadStatus()
	if err != nil {
		return err
	}
	if before.Phase == state.Degraded {
		report.note("starting again what had died in cluster %q", dir.Name())
		if err := signal(dir, syscall.SIGHUP); err != nil {
			return err
		}
		return waitReady(ctx, dir, before.Revived+1, nil, report.only(before.Components))
	}
	report.note("cluster %q is running already", dir.Name())
	report.Done = nil
	return waitReady(ctx, dir, before.Revived, nil, report)
}

// create starts a cluster where none runs.
func create(ctx context.Context, dir state.Dir, opts Options, report Reporter) error {
	var cniBin string
	if opts.Node {
		r, err := node.Check()
		if err != nil {
			return err
		}
		cniBin = r.CNIBin
	}
	if dir.Exists() {
		began := time.Now()
		if err := sweep.Remove(dir); err != nil {
			return fmt.Errorf("clean up after an earlier cluster %q: %w", dir.Name(), err)
		}
		report.done("clean up after an earlier run", time.Since(began))
	}
	socket, port, err := reservePort(opts.Node)
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	cfg := state.Config{
		Name: dir.Name(), Node: opts.Node, Port: port, APIServerArgs: opts.APIServerArgs,
		IdleTimeout: opts.IdleTimeout, Created: time.Now().UTC(), Cgroup: sweep.Cgroup(dir), CNIBin: cniBin,
	}
	if err := write(dir, cfg); err != nil {
		return errors.Join(err, sweep.Remove(dir))
	}
	ended, err := spawn(dir, cfg, socket)
	if err == nil {
		err = waitReady(ctx, dir, 0, ended, report)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), context.Canceled):
		return errors.Join(err, stop(dir), sweep.Remove(dir))
	}
	return errors.Join(err, stop(dir), sweep.Stop(dir))
}

// write makes the cluster's directory and everything its processes read.
func write(dir state.Dir, cfg state.Config) error {
	files, err := plan.Files(cfg, time.Now())
	if err != nil {
		return err
	}
	if cfg.Node {
		archive, err := image.Pause(plan.PauseImage)
		if err != nil {
			return err
		}
		files[plan.PauseArchive] = plan.File{Data: archive, Mode: 0o600}
	}
	if err := dir.Create(); err != nil {
		return err
	}
	for name, f := range files {
		path := dir.Path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := dir.Touch(); err != nil {
		return err
	}
	return dir.WriteConfig(cfg)
}

// only is r for those of the components that are not ready.
func (r Reporter) only(components []state.Component) Reporter {
	done := r.done
	r.Done = func(name string, took time.Duration) {
		if slices.ContainsFunc(components, func(c state.Component) bool { return c.Name == name && c.Phase != state.Ready }) {
			done(name, took)
		}
	}
	return r
}

func (r Reporter) note(format string, args ...any) {
	if r.Note != nil {
		r.Note(fmt.Sprintf(format, args...))
	}
}

func (r Reporter) done(name string, took time.Duration) {
	if r.Done != nil {
		r.Done(name, took)
	}
}
