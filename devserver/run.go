package devserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/wait"
)

// DefaultWaitTimeout is how long [Servers.Run] waits for a server to be Running.
const DefaultWaitTimeout = 3 * time.Minute

const (
	// runAnnotation tells which call of Run has made a server.
	runAnnotation = "devserver.io/run"

	createTries   = 3
	deleteTimeout = time.Minute
)

// RunOption changes how [Servers.Run] works.
type RunOption interface{ apply(*runOptions) }

type runOptions struct {
	wait      time.Duration
	workspace map[string]string
}

type runOption func(*runOptions)

func (o runOption) apply(to *runOptions) { o(to) }

// WaitTimeout is how long to wait for the server to be Running, instead of DefaultWaitTimeout. It does not bound the
// function. 0 or less means as long as the context lasts.
func WaitTimeout(d time.Duration) RunOption {
	return runOption(func(o *runOptions) { o.wait = d })
}

// Workspace maps local files and folders to where [Server.Sync] puts them in the server. The function calls Sync when it
// wants them there. A local path that does not exist is an error before a server is made.
func Workspace(localToRemote map[string]string) RunOption {
	return runOption(func(o *runOptions) { o.workspace = maps.Clone(localToRemote) })
}

// Run makes a DevServer, waits until it is Running, calls fn with it, and deletes it: whether fn returns nil or an error,
// panics or exits its goroutine, whether ctx ends, and also when the server did not come to run. It returns when the
// server is gone from the API; its pod ends soon after.
//
// The error is fn's, or a [*NotRunningError] when the server did not come to run, joined with that of the deletion if the
// server could not be deleted. If fn panics, only a log record of slog's default logger can tell of the latter. Deleting
// takes at most a minute, which does not end with ctx.
func (s Servers) Run(ctx context.Context, name string, spec v1.DevServerSpec, fn func(ctx context.Context, s *Server) error, opts ...RunOption) (err error) {
	o := runOptions{wait: DefaultWaitTimeout}
	for _, opt := range opts {
		opt.apply(&o)
	}
	if err := checkWorkspace(o.workspace); err != nil {
		return fmt.Errorf("run DevServer %s: %w", name, err)
	}
	server, err := s.createForRun(ctx, name, spec)
	if err != nil {
		return err
	}
	server.Workspace = o.workspace
	made, returned := *server, false // fn may do to server what it likes
	defer func() {
		failed := made.remove(context.WithoutCancel(ctx))
		switch {
		case failed != nil && returned:
			err = errors.Join(err, failed)
		case failed != nil:
			slog.ErrorContext(ctx, "devserver: after a panic", "error", failed)
		}
	}()
	if err = server.waitWithin(ctx, o.wait); err == nil {
		defer server.KeepActive(ctx)()
		err = fn(ctx, server)
	}
	returned = true
	return err
}

func (s *Server) waitWithin(ctx context.Context, d time.Duration) error {
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	return s.WaitUntilRunning(ctx)
}

// createForRun makes a server, or leaves none behind: a create whose outcome is unknown is tried again, and the server's own
// mark tells whether one that is there by then is the one that was asked for. So it must not be cut short either.
func (s Servers) createForRun(ctx context.Context, name string, spec v1.DevServerSpec) (*Server, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("run DevServer %s: %w", name, err)
	}
	ctx = context.WithoutCancel(ctx)
	mark := rand.Text()
	for try := 1; ; try++ {
		obj := &Object{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{runAnnotation: mark}}, Spec: spec}
		server, err := s.CreateObject(ctx, obj)
		if try > 1 && errors.Is(err, kubesdk.ErrAlreadyExists) {
			there, getErr := s.Get(ctx, name)
			if getErr == nil && there.Annotations[runAnnotation] == mark {
				return there, nil
			}
		}
		var e *kubesdk.Error
		if err == nil || !errors.As(err, &e) || e.Verb != "create" || e.Attempts == 0 || refused(e) {
			return server, err
		}
		if try == createTries {
			return nil, fmt.Errorf("%w; whether it was made is unknown: see if there is a DevServer %s, and delete it", err, name)
		}
	}
}

// refused says whether the server has answered, and not made anything.
func refused(e *kubesdk.Error) bool { return e.FromServer() && e.Code < 500 }

// remove deletes the server and waits until it is gone from the API.
func (s *Server) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	persistent := kubesdk.RetryPolicy{Attempts: 1000, Backoff: kubesdk.Exponential(100 * time.Millisecond).Capped(2 * time.Second).Jittered()}
	err := s.Delete(ctx, kubesdk.Retry(persistent), kubesdk.Timeout(deleteTimeout))
	if errors.Is(err, kubesdk.ErrNotFound) || errors.Is(err, kubesdk.ErrConflict) { // gone, and perhaps another one has its name
		return nil
	}
	if err == nil {
		meta := kubesdk.For[*metav1.PartialObjectMetadata](s.client, kubesdk.TypeOf[*v1.DevServer]()).Namespace(s.Namespace)
		_, err = wait.For(ctx, meta, s.Name, wait.Deleted[*metav1.PartialObjectMetadata](s.UID))
	}
	if err != nil {
		return fmt.Errorf("DevServer %s/%s may be left behind, delete it: %w", s.Namespace, s.Name, err)
	}
	return nil
}
