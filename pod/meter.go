package pod

import (
	"sync"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// meter counts what goes over.
type meter struct {
	tell func(Progress)
	mu   sync.Mutex
	now  Progress
	last time.Time
}

const tellEvery = 50 * time.Millisecond

func newMeter(tell func(Progress)) *meter { return &meter{tell: tell} }

func (m *meter) total(files int, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.TotalFiles, m.now.TotalBytes = files, bytes
}

// file is told that the contents of a file begin.
func (m *meter) file(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Path = path
	m.now.Files++
	m.say(false)
}

// bytes is told of contents that went over.
func (m *meter) bytes(_ string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Bytes += n
	m.say(false)
}

// undo takes back a file of which n bytes went over: it will be sent again.
func (m *meter) undo(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Files--
	m.now.Bytes -= n
}

func (m *meter) say(now bool) {
	if m.tell == nil || !now && time.Since(m.last) < tellEvery {
		return
	}
	m.last = time.Now()
	m.tell(m.now)
}

func (m *meter) report(steps []manifest.Step, start time.Time) *Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say(true)
	r := report(steps)
	r.Files, r.Bytes, r.Took = m.now.Files, m.now.Bytes, time.Since(start)
	return r
}
