package batch

import (
	"sync"
	"time"
)

// Progress is how far a batch has come.
type Progress struct {
	Total    int // items in all; 0 if that is not known
	Done     int
	Failed   int
	Unknown  int
	NotSent  int           // known only at the end
	InFlight int           // operations under way
	Limit    int           // requests that may be sent at the same time: below [InFlight] at the start, and after the server asked for less
	Elapsed  time.Duration // since the start
	Rate     float64       // items ended per second, over the last ten seconds
	ETA      time.Duration // what is left at this rate; 0 if Total or Rate are not known
}

// Ended is how many items are over, however they went.
func (p Progress) Ended() int { return p.Done + p.Failed + p.Unknown + p.NotSent }

const rateWindow = 10 * time.Second

// meter counts results and reports them.
type meter struct {
	limiter *limiter
	report  func(Progress) // nil: nobody asked
	total   int
	start   time.Time

	mu     sync.Mutex
	counts [len(stateNames)]int

	marks []mark // of the last rateWindow; only report's goroutine uses it
	stop  chan struct{}
	ended chan struct{}
}

type mark struct {
	at    time.Time
	ended int
}

func newMeter(c *config, l *limiter, total int) *meter {
	m := &meter{limiter: l, report: c.progress, total: total, start: time.Now()}
	if m.report == nil {
		return m
	}
	m.marks = []mark{{at: m.start}}
	m.stop, m.ended = make(chan struct{}), make(chan struct{})
	go m.run(c.interval)
	return m
}

func (m *meter) count(s State) {
	m.mu.Lock()
	m.counts[s]++
	m.mu.Unlock()
}

// run reports until stop, and once more then.
func (m *meter) run(interval time.Duration) {
	defer close(m.ended)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := -1
	for {
		select {
		case <-m.stop:
			m.report(m.progress())
			return
		case <-ticker.C:
		}
		if p := m.progress(); p.Ended() != last {
			last = p.Ended()
			m.report(p)
		}
	}
}

// finish reports for the last time; unsent items were never given to count.
func (m *meter) finish(unsent int) {
	if m.report == nil {
		return
	}
	m.mu.Lock()
	m.counts[NotSent] += unsent
	m.mu.Unlock()
	close(m.stop)
	<-m.ended
}

func (m *meter) progress() Progress {
	m.mu.Lock()
	counts := m.counts
	m.mu.Unlock()
	now := time.Now()
	p := Progress{
		Total: m.total, Done: counts[Done], Failed: counts[Failed], Unknown: counts[Unknown], NotSent: counts[NotSent],
		Elapsed: now.Sub(m.start),
	}
	p.Limit, p.InFlight = m.limiter.now()
	sent := p.Ended() - p.NotSent
	for len(m.marks) > 1 && now.Sub(m.marks[1].at) >= rateWindow {
		m.marks = m.marks[1:]
	}
	if over := now.Sub(m.marks[0].at); over > 0 {
		p.Rate = float64(sent-m.marks[0].ended) / over.Seconds()
	}
	m.marks = append(m.marks, mark{now, sent})
	if left := p.Total - p.Ended(); left > 0 && p.Rate > 0 {
		p.ETA = time.Duration(float64(left) / p.Rate * float64(time.Second))
	}
	return p
}
