package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk"
)

// LogOptions are the options of logs. The zero value is all that the container has written, up to now.
type LogOptions struct {
	// Follow goes on with what is written after, until the containers have ended for good or the context ends. With a
	// selector, pods that come later take part.
	Follow bool
	// Since leaves out what is older; 0: nothing. SinceTime does the same from a point in time.
	Since     time.Duration
	SinceTime time.Time
	// Tail is how many of the last lines of each container to begin with. 0 is all of them, below 0 none.
	Tail int
	// Previous is the log of the container's last instance before the one that runs.
	Previous bool
	// Containers are those to read; empty: the target's, or the default. AllContainers reads all of each pod, with those
	// that initialize it.
	Containers    []string
	AllContainers bool
	// Timestamps and Names begin the lines of [LogReader] with the time and with pod and container; [Line] has them
	// anyway.
	Timestamps bool
	Names      bool
}

// Line is one line of a log.
type Line struct {
	Pod, Container string
	Time           time.Time // when the container runtime took it
	Text           string    // without the line's end; any bytes
}

// Logs reads the log of the target's container, or of several. A connection that is cut is opened again: no line is lost or
// comes twice, also across restarts of the container. Lines of one container are in order; those of several are ordered by
// their times, with Follow as they come. It ends with the first error, which it yields.
func Logs(ctx context.Context, t Target, o LogOptions) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if err := logs(ctx, t, o, yield); err != nil {
			yield(Line{}, fmt.Errorf("logs of %s: %w", t, err))
		}
	}
}

// errStop ends logs when the caller has left the loop.
var errStop = errors.New("stop")

func logs(ctx context.Context, t Target, o LogOptions, yield func(Line, error) bool) error {
	if err := t.check(); err != nil {
		return err
	}
	if o.Since > 0 && o.SinceTime.IsZero() {
		o.SinceTime = time.Now().Add(-o.Since)
	}
	each := func(l Line) error {
		if !yield(l, nil) {
			return errStop
		}
		return nil
	}
	var err error
	switch {
	case o.Follow && t.name == "":
		err = followSelected(ctx, t, o, each)
	default:
		var sources []source
		if sources, err = findSources(ctx, t, o); err == nil {
			err = merge(ctx, sources, o, each)
		}
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// findSources are the containers whose logs are wanted now.
func findSources(ctx context.Context, t Target, o LogOptions) ([]source, error) {
	if t.name != "" {
		p, err := t.pods().Get(ctx, t.name)
		if err != nil {
			return nil, err
		}
		return sourcesOf(t, p, o)
	}
	list, err := t.pods().List(ctx, kubesdk.Labels(t.selector))
	if err != nil {
		return nil, err
	}
	var all []source
	for _, p := range list.Items {
		sources, err := sourcesOf(t, p, o)
		if err != nil {
			return nil, err
		}
		all = append(all, sources...)
	}
	return all, nil
}

func sourcesOf(t Target, p *corev1.Pod, o LogOptions) ([]source, error) {
	wanted := o.Containers
	switch {
	case o.AllContainers:
		wanted = names(p)
	case len(wanted) == 0 && t.container != "":
		wanted = []string{t.container}
	case len(wanted) == 0:
		wanted = []string{defaultContainer(p)}
	}
	var sources []source
	for _, name := range wanted {
		if !declared(p, name) {
			return nil, fmt.Errorf("pod %s has no container %q, only %q", p.Name, name, names(p))
		}
		s := source{target: t, options: o}
		s.target.name, s.target.container = p.Name, name
		status, _ := statusOf(p, name)
		s.restart = status.RestartCount
		sources = append(sources, s)
	}
	return sources, nil
}

// merge reads several sources at once. Without Follow it orders lines by time.
func merge(ctx context.Context, sources []source, o LogOptions, each func(Line) error) error {
	if len(sources) == 1 {
		return sources[0].read(ctx, each)
	}
	if o.Follow {
		return newFunnel(ctx).all(sources, each)
	}
	return mergeSorted(ctx, sources, each)
}

type pulled struct {
	line Line
	next func() (Line, error, bool)
	stop func()
}

func mergeSorted(ctx context.Context, sources []source, each func(Line) error) error {
	var heads []*pulled
	defer func() {
		for _, h := range heads {
			h.stop()
		}
	}()
	for _, s := range sources {
		next, stop := iter.Pull2(s.lines(ctx))
		h := &pulled{next: next, stop: stop}
		heads = append(heads, h)
	}
	live := slices.Clone(heads)
	advance := func(h *pulled) (ok bool, err error) {
		h.line, err, ok = h.next()
		return ok, err
	}
	for i := 0; i < len(live); {
		ok, err := advance(live[i])
		switch {
		case err != nil:
			return err
		case !ok:
			live = slices.Delete(live, i, i+1)
			continue
		}
		i++
	}
	for len(live) > 0 {
		first := slices.MinFunc(live, func(a, b *pulled) int { return a.line.Time.Compare(b.line.Time) })
		if err := each(first.line); err != nil {
			return err
		}
		ok, err := advance(first)
		if err != nil {
			return err
		}
		if !ok {
			live = slices.DeleteFunc(live, func(h *pulled) bool { return h == first })
		}
	}
	return nil
}

// LogReader is [Logs] as a stream of bytes. Each line ends with a line feed; with Names it begins with the pod and the
// container in brackets, with Timestamps then with its time. Close ends it; it must be called.
func LogReader(ctx context.Context, t Target, o LogOptions) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	read, write := io.Pipe()
	go func() {
		var buf []byte
		for line, err := range Logs(ctx, t, o) {
			if err != nil {
				_ = write.CloseWithError(err) // of a pipe: it never fails
				return
			}
			buf = appendLine(buf[:0], line, o)
			if _, err := write.Write(buf); err != nil {
				return // it was closed
			}
		}
		_ = write.Close() // of a pipe: it never fails
	}()
	return &logReader{read, cancel}
}

func appendLine(b []byte, l Line, o LogOptions) []byte {
	if o.Names {
		b = append(b, "["+l.Pod+" "+l.Container+"] "...)
	}
	if o.Timestamps {
		b = append(l.Time.AppendFormat(b, time.RFC3339Nano), ' ')
	}
	return append(append(b, l.Text...), '\n')
}

type logReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (r *logReader) Close() error {
	r.cancel()
	return r.PipeReader.Close()
}
