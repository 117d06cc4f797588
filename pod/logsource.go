package pod

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/pod/internal/loglines"
)

const (
	maxLogBackoff = 5 * time.Second
	logAttempts   = 6 // without progress, where the log is not followed
)

// source is the log of one container.
type source struct {
	target  Target
	options LogOptions
	restart int32 // how often the container had been started again
}

// lines is the log as an iterator.
func (s source) lines(ctx context.Context) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		err := s.read(ctx, func(l Line) error {
			if !yield(l, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Line{}, err)
		}
	}
}

// reading is the state of a log that is read.
type reading struct {
	source
	each   func(Line) error
	seen   loglines.Resumer
	tail   int  // of the first request
	failed int  // attempts without progress
	final  bool // what follows is the rest
}

// read reads a log to its end: it asks again where the connection was cut, where the container was started again, and,
// followed, once more when it has ended, for what the first end may have been a cut.
func (s source) read(ctx context.Context, each func(Line) error) error {
	r := &reading{source: s, each: each, tail: s.options.Tail}
	for {
		progress, err := r.once(ctx)
		if progress {
			r.failed = 0
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errStop) || permanent(err):
			return err
		case err != nil:
			if r.failed++; !s.options.Follow && r.failed >= logAttempts {
				return err
			}
			if err := pause(ctx, min(maxLogBackoff, 100*time.Millisecond<<min(r.failed, 10))); err != nil {
				return err
			}
			continue
		case !s.options.Follow || r.final:
			return nil
		}
		if err := r.next(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// permanent errors are the server's and the caller's; what broke on the way is not.
func permanent(err error) bool {
	var e *kubesdk.Error
	if errors.As(err, &e) {
		return e.Code/100 == 4 && e.Code != http.StatusTooManyRequests
	}
	return errors.Is(err, ErrNotReady)
}

// next waits for what comes after the end of a followed log.
func (r *reading) next(ctx context.Context) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		p, ok, err := r.target.pods().Lookup(ctx, r.target.name)
		if err != nil && permanent(err) {
			return err
		}
		if err == nil {
			if !ok {
				return errStop // gone with its logs
			}
			status, _ := statusOf(p, r.target.container)
			is, _ := condition(p, r.target.container)
			switch {
			case is == running:
				return r.previous(ctx, status.RestartCount)
			case is == never || over(p, status):
				r.final = true
				return r.previous(ctx, status.RestartCount)
			}
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// over says that a container that has ended will not be started again.
func over(p *corev1.Pod, s corev1.ContainerStatus) bool {
	t := s.State.Terminated
	return t != nil && (p.Spec.RestartPolicy == corev1.RestartPolicyNever || p.Spec.RestartPolicy == corev1.RestartPolicyOnFailure && t.ExitCode == 0)
}

// previous reads what the last instance had left to say, if another was started meanwhile.
func (r *reading) previous(ctx context.Context, restarts int32) error {
	before := r.restart
	r.restart = restarts
	if restarts == before {
		return nil
	}
	o := r.options
	o.Previous, o.Follow = true, false
	last := &reading{source: source{target: r.target, options: o}, each: r.each, seen: r.seen, tail: r.tail}
	_, err := last.once(ctx)
	r.seen = last.seen
	if permanent(err) {
		return nil // its log is gone already
	}
	return err
}

// once makes one request and reads the answer to its end. progress says that there were new lines.
func (r *reading) once(ctx context.Context) (progress bool, err error) {
	body, err := r.open(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }() // what is not read is not wanted
	since, resumed := r.seen.Since()
	r.seen.Resume()
	in := bufio.NewReaderSize(body, 64<<10)
	last := since
	for {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return progress, fmt.Errorf("the connection broke: %w", err) // an unfinished line comes again
		}
		if len(line) > 0 {
			at, text, ok := loglines.Parse(bytes.TrimSuffix(line, []byte{'\n'}))
			if !ok {
				at = last
			}
			last = at
			if (ok || !resumed) && r.seen.New(at, text) {
				progress = true
				if err := r.each(Line{r.target.name, r.target.container, at, string(text)}); err != nil {
					return progress, err
				}
			}
			resumed = resumed && !ok // only the beginning of an answer can be the rest of a line
		}
		if err != nil {
			return progress, nil
		}
	}
}

func (r *reading) query() url.Values {
	o := r.options
	q := url.Values{"container": {r.target.container}, "timestamps": {"true"}}
	if o.Follow && !r.final {
		q.Set("follow", "true")
	}
	if o.Previous {
		q.Set("previous", "true")
	}
	since, resumed := r.seen.Since()
	switch {
	case resumed:
		q.Set("sinceTime", since.UTC().Format(time.RFC3339))
	case !o.SinceTime.IsZero():
		q.Set("sinceTime", o.SinceTime.UTC().Format(time.RFC3339))
	}
	if r.tail != 0 && !resumed {
		q.Set("tailLines", strconv.Itoa(max(0, r.tail)))
	}
	return q
}

// open asks for the log. The node refuses it while the container has not been started for the first time, or while it has
// not heard of the pod: that is waited for. A container that has ended has a log as well.
func (r *reading) open(ctx context.Context) (io.ReadCloser, error) {
	body, err := r.get(ctx)
	early := func(err error) bool { return says(err, http.StatusBadRequest) && !r.options.Previous }
	if !early(err) && !says(err, http.StatusNotFound) {
		return body, err
	}
	var why string
	waited := poll(ctx, r.target.ready, func() (bool, error) {
		p, err := r.target.pods().Get(ctx, r.target.name)
		if err != nil {
			return false, err
		}
		var is prospect
		is, why = condition(p, r.target.container)
		if status, _ := statusOf(p, r.target.container); !hasStarted(status) {
			if is == never {
				return false, fmt.Errorf("%s: %w", why, ErrNotReady)
			}
			return false, nil
		}
		if body, err = r.get(ctx); early(err) {
			why = err.Error()
			return false, nil
		}
		return true, err
	})
	return body, notReady(waited, why)
}

func says(err error, code int) bool {
	var e *kubesdk.Error
	return errors.As(err, &e) && e.Code == code
}

func (r *reading) get(ctx context.Context) (io.ReadCloser, error) {
	d, err := r.target.dialer()
	if err != nil {
		return nil, err
	}
	client, err := r.target.http()
	if err != nil {
		return nil, err
	}
	u := d.URL(r.target.namespace, r.target.name, "log", r.query())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }() // what can be read is read
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	e := &kubesdk.Error{Verb: "get", Resource: "pods/log", Namespace: r.target.namespace, Name: r.target.name, Attempts: 1, Code: res.StatusCode, Message: string(bytes.TrimSpace(text))}
	var status metav1.Status
	if json.Unmarshal(text, &status) == nil && status.Kind == "Status" {
		e = e.Answered(&status)
	}
	return nil, e
}

// http is the client for logs, made once for a target. It has no timeout: a log may be followed for days.
func (t Target) http() (*http.Client, error) {
	t.known.mu.Lock()
	defer t.known.mu.Unlock()
	if t.known.http == nil {
		config := t.client.Config()
		config.Timeout = 0
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return nil, err
		}
		t.known.http = client
	}
	return t.known.http, nil
}

// funnel brings the lines of sources that are read side by side to one goroutine.
type funnel struct {
	ctx    context.Context //nolint:containedctx // of all that it started
	cancel context.CancelFunc
	lines  chan Line
	errs   chan error
	wg     sync.WaitGroup
}

func newFunnel(ctx context.Context) *funnel {
	ctx, cancel := context.WithCancel(ctx)
	return &funnel{ctx: ctx, cancel: cancel, lines: make(chan Line, 100), errs: make(chan error, 1)}
}

// add reads one more source.
func (f *funnel) add(s source) {
	f.wg.Go(func() {
		err := s.read(f.ctx, func(l Line) error {
			select {
			case f.lines <- l:
				return nil
			case <-f.ctx.Done():
				return context.Cause(f.ctx)
			}
		})
		if err != nil && !errors.Is(err, errStop) {
			f.fail(fmt.Errorf("pod %s, container %s: %w", s.target.name, s.target.container, err))
		}
	})
}

func (f *funnel) fail(err error) {
	select {
	case f.errs <- err:
	default: // there is a first one already
	}
}

// run passes lines on until done is closed and all are there.
func (f *funnel) run(done <-chan struct{}, each func(Line) error) error {
	ended := make(chan struct{})
	go func() {
		<-done
		f.wg.Wait()
		close(ended)
	}()
	defer func() {
		f.cancel()
		<-ended
	}()
	for {
		select {
		case l := <-f.lines:
			if err := each(l); err != nil {
				return err
			}
		case err := <-f.errs:
			return err
		case <-ended:
			for {
				select {
				case l := <-f.lines:
					if err := each(l); err != nil {
						return err
					}
				case err := <-f.errs:
					return err
				default:
					return nil
				}
			}
		}
	}
}

func (f *funnel) all(sources []source, each func(Line) error) error {
	for _, s := range sources {
		f.add(s)
	}
	done := make(chan struct{})
	close(done)
	return f.run(done, each)
}

// followSelected follows the pods of a selector, also those that come later.
func followSelected(ctx context.Context, t Target, o LogOptions, each func(Line) error) error {
	f := newFunnel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		known := map[string]bool{}
		for event, err := range t.pods().Watch(f.ctx, kubesdk.Labels(t.selector)) {
			switch {
			case f.ctx.Err() != nil:
				return
			case err != nil && permanent(err):
				f.fail(err)
				return
			case err != nil || event.Object == nil || event.Type == kubesdk.Deleted || known[string(event.Object.UID)] || event.Object.Status.Phase == corev1.PodPending:
				continue
			}
			known[string(event.Object.UID)] = true
			sources, err := sourcesOf(t, event.Object, o)
			if err != nil {
				f.fail(err)
				return
			}
			for _, s := range sources {
				f.add(s)
			}
		}
		if f.ctx.Err() != nil {
			f.fail(context.Cause(f.ctx))
		}
	}()
	return f.run(done, each)
}
