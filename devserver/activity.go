package devserver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/pod"
)

// activityInterval is how often a server in use is marked so, at least.
const activityInterval = time.Minute

// KeepActive marks the server as used, now and again until stop is called, so that its idle timeout does not end it. What
// runs by [Server.Command] and its sisters, [Server.Sync] and [Servers.Run] does that by itself: it is for what goes by
// [Server.Target], such as forwarded ports. For a server without an idle timeout it does nothing. That a mark could not be
// made is logged by slog's default logger, and otherwise ignored.
func (s *Server) KeepActive(ctx context.Context) (stop func()) {
	return s.activity().keep(ctx)
}

// activity is what keeps a server from being idle. It is independent of the Server.
type activity struct {
	servers  kubesdk.Resource[*metav1.PartialObjectMetadata]
	name     string
	interval time.Duration // 0: there is no idle timeout
}

func (s *Server) activity() activity {
	a := activity{name: s.Name}
	if s.Spec.Lifecycle == nil || s.Spec.Lifecycle.IdleTimeout == "" || s.client == nil {
		return a
	}
	a.servers = kubesdk.For[*metav1.PartialObjectMetadata](s.client, kubesdk.TypeOf[*v1.DevServer]()).Namespace(s.Namespace)
	a.interval = activityInterval
	if timeout, err := time.ParseDuration(string(s.Spec.Lifecycle.IdleTimeout)); err == nil && timeout > 0 {
		a.interval = min(a.interval, timeout/3)
	}
	return a
}

func (a activity) keep(ctx context.Context) (stop func()) {
	if a.interval == 0 {
		return func() {}
	}
	a.mark(ctx)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(a.interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				a.mark(ctx)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

func (a activity) mark(ctx context.Context) {
	now := time.Now().UTC().Format(time.RFC3339)
	annotation := patch.Merge(map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1.AnnotationLastActivity: now}}})
	if _, err := a.servers.Patch(ctx, a.name, annotation, kubesdk.Timeout(a.interval)); err != nil && ctx.Err() == nil {
		slog.WarnContext(ctx, "devserver: the server in use may be taken for idle", "error", err)
	}
}

// Cmd is a command in a server: a [pod.Cmd] that keeps the server from being idle as long as it runs.
type Cmd struct {
	*pod.Cmd
	activity activity
	stop     func() // after Start
}

// Run is [pod.Cmd.Run].
func (c *Cmd) Run(ctx context.Context) error {
	defer c.activity.keep(ctx)()
	return c.Cmd.Run(ctx)
}

// Output is [pod.Cmd.Output].
func (c *Cmd) Output(ctx context.Context) ([]byte, error) {
	defer c.activity.keep(ctx)()
	return c.Cmd.Output(ctx)
}

// CombinedOutput is [pod.Cmd.CombinedOutput].
func (c *Cmd) CombinedOutput(ctx context.Context) ([]byte, error) {
	defer c.activity.keep(ctx)()
	return c.Cmd.CombinedOutput(ctx)
}

// Start is [pod.Cmd.Start].
func (c *Cmd) Start(ctx context.Context) error {
	stop := c.activity.keep(ctx)
	if err := c.Cmd.Start(ctx); err != nil {
		stop()
		return err
	}
	c.stop = stop
	return nil
}

// Wait is [pod.Cmd.Wait].
func (c *Cmd) Wait() error {
	if c.stop != nil {
		defer c.stop()
	}
	return c.Cmd.Wait()
}
