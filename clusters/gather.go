package clusters

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/kubesdk/kubesdk"
)

// Result is what one cluster answered.
type Result[R any] struct {
	Cluster string
	Value   R // meaningful if Err is nil
	Err     error
}

// Option changes how [Gather] asks.
type Option interface{ apply(*config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

type config struct{ limit int }

// Limit bounds how many clusters are asked at the same time. The default is all of them; values below 1 mean that too.
func Limit(n int) Option {
	return option(func(c *config) { c.limit = n })
}

// Gather calls f for each cluster of the set, at the same time, and returns what came of each, in the set's order. The error
// is an *[Error] if any of them failed, and nil otherwise; the others' values are there all the same. When ctx ends, what
// was not begun fails with its cause.
func Gather[R any](ctx context.Context, s *Set, f func(ctx context.Context, name string, c *kubesdk.Client) (R, error), opts ...Option) ([]Result[R], error) {
	var c config
	for _, o := range opts {
		o.apply(&c)
	}
	if c.limit < 1 {
		c.limit = s.Len()
	}
	results := make([]Result[R], s.Len())
	room := make(chan struct{}, c.limit)
	var group sync.WaitGroup
	for i, name := range s.names {
		results[i].Cluster = name
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			results[i].Err = context.Cause(ctx)
			continue
		}
		group.Go(func() {
			results[i].Value, results[i].Err = f(ctx, name, s.clients[name])
			<-room
		})
	}
	group.Wait()
	e := &Error{Total: len(results)}
	for _, r := range results {
		if r.Err != nil {
			e.failed = append(e.failed, fmt.Errorf("%s: %w", r.Cluster, r.Err))
		}
	}
	if len(e.failed) == 0 {
		return results, nil
	}
	return results, e
}

// Error is the error of a [Gather] in which clusters failed. It wraps what each of them failed with, for [errors.Is] and
// [errors.As].
type Error struct {
	Total  int // clusters that were asked
	failed []error
}

func (e *Error) Error() string {
	texts := make([]string, len(e.failed))
	for i, err := range e.failed {
		texts[i] = err.Error()
	}
	return fmt.Sprintf("%d of %d clusters failed: %s", len(e.failed), e.Total, strings.Join(texts, "; "))
}

// Unwrap returns what failed, each with the name of its cluster before it.
func (e *Error) Unwrap() []error { return e.failed }
