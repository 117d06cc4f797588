package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/briandowns/spinner"
	"golang.org/x/term"

	"github.com/kubesdk/kubesdk/cluster/internal/cluster"
)

// progress tells a user what is going on: on a terminal with a spinner and the time elapsed, else by plain lines.
type progress struct {
	out   io.Writer
	spin  *spinner.Spinner
	began time.Time
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, began: time.Now()}
	if f, ok := out.(*os.File); ok && isTerminal(f) && os.Getenv("TERM") != "dumb" {
		p.spin = spinner.New(spinner.CharSets[14], 100*time.Millisecond, spinner.WithWriterFile(f))
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *progress) reporter() cluster.Reporter {
	return cluster.Reporter{Note: p.note, Waiting: p.waiting, Done: p.done}
}

// waiting shows what is being waited for, on a terminal only.
func (p *progress) waiting(names []string) {
	if p.spin == nil || len(names) == 0 {
		return
	}
	const shown = 2 // of the names, so that the line fits a terminal
	if more := len(names) - shown; more > 1 {
		names = append(slices.Clone(names[:shown]), fmt.Sprintf("%d more", more))
	}
	p.spin.Lock()
	p.spin.Suffix = fmt.Sprintf(" %s  %.0fs", strings.Join(names, ", "), time.Since(p.began).Seconds())
	p.spin.Unlock()
	p.spin.Start()
}

func (p *progress) note(text string) { p.line("  %s\n", text) }

func (p *progress) done(name string, took time.Duration) {
	p.line("✓ %-28s %6.1fs\n", name, took.Seconds())
}

// total is the last line.
func (p *progress) total(text string, took time.Duration) {
	p.line("✓ %-28s %6.1fs\n", text, took.Seconds())
}

func (p *progress) stop() {
	if p.spin != nil {
		p.spin.Stop()
	}
}

// line prints a line that stays.
func (p *progress) line(format string, args ...any) {
	p.stop()
	_, _ = fmt.Fprintf(p.out, format, args...)
}
