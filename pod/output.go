package pod

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/kubesdk/kubesdk/pod/internal/stream"
	"github.com/kubesdk/kubesdk/pod/internal/supervise"
)

// output is where what a command writes goes: through scanners for the script's words, the tail of standard error, and
// spools for writers that may be slow.
type output struct {
	stdout, stderr io.Writer // for the connection
	scanners       [2]*supervise.Scanner
	spools         []*stream.Spool
	tail           *tail
	ended          atomic.Int32 // on how many streams the script said that the command has ended
	mu             sync.Mutex
	err            error // of a direct writer
}

// newOutput calls heard for what the script says, and ended when it has said on both streams that the command has ended.
func newOutput(c *Cmd, mark supervise.Mark, proven bool, heard func(supervise.Words), ended func()) *output {
	o := &output{tail: &tail{max: stderrTail}}
	stdout := o.sink(c, c.Stdout)
	stderr := stdout
	if !same(c.Stdout, c.Stderr) {
		stderr = o.sink(c, c.Stderr)
	}
	stderr = io.MultiWriter(o.tail, stderr)
	if !proven {
		o.stdout, o.stderr = stdout, stderr
		return o
	}
	hear := func(w supervise.Words) {
		heard(w)
		if w.Ended && o.ended.Add(1) == 2 {
			ended()
		}
	}
	o.scanners[0] = supervise.NewScanner(mark, stdout, hear)
	o.scanners[1] = supervise.NewScanner(mark, stderr, hear)
	o.stdout, o.stderr = o.scanners[0], o.scanners[1]
	return o
}

// sink never returns an error: what arrives is read on, so that the end is learned.
func (o *output) sink(c *Cmd, w io.Writer) io.Writer {
	switch {
	case w == nil:
		return io.Discard
	case c.direct:
		return &directWriter{o: o, out: w}
	}
	limit := c.Spool
	if limit == 0 {
		limit = defaultSpool
	}
	s := stream.NewSpool(w, limit)
	o.spools = append(o.spools, s)
	return s
}

// same says whether both are one writer. Writers that cannot be compared are two.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // comparing values of an uncomparable type panics
	return a != nil && a == b
}

type directWriter struct {
	o   *output
	out io.Writer
}

func (d *directWriter) Write(p []byte) (int, error) {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	if d.o.err == nil {
		_, d.o.err = d.out.Write(p)
	}
	return len(p), nil
}

// close passes on all that is left and returns the first error of a writer.
func (o *output) close() error {
	var errs []error
	for _, s := range o.scanners {
		if s != nil {
			errs = append(errs, s.Flush())
		}
	}
	for _, s := range o.spools {
		errs = append(errs, s.Close())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(append(errs, o.err)...)
}

// words are what the script said on standard output and on standard error. On a terminal both are one.
func (o *output) words() (stdout, stderr supervise.Words) {
	if o.scanners[0] == nil {
		return stdout, stderr
	}
	stdout, stderr = o.scanners[0].Words(), o.scanners[1].Words()
	if stderr.Problem == "" {
		stderr.Problem = stdout.Problem
	}
	return stdout, stderr
}

// tail keeps the last bytes written to it.
type tail struct {
	max int
	mu  sync.Mutex
	b   []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*t.max {
		t.b = append(t.b[:0], t.b[len(t.b)-t.max:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b[max(0, len(t.b)-t.max):]
}
