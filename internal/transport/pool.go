package transport

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

const (
	// streamsPerConnection is how many calls share one connection before another is opened. The API server allows 100
	// streams on an HTTP/2 connection; past that calls queue, unseen, behind each other.
	streamsPerConnection = 90
	maxConnections       = 64
)

// pool spreads calls over connections. Each lane has a connection (HTTP/2) of its own; lanes are
// opened when those there are have no room left, and the first with room is taken, so that a light load keeps one warm.
type pool struct {
	open func() (*lane, error) // nil if there is only one, which is not ours

	mu    sync.Mutex // guards opening a lane
	lanes atomic.Pointer[[]*lane]
}

func newPool(cfg *rest.Config) (*pool, error) {
	if cfg.Transport != nil { // the caller's own transport: it alone decides about connections
		rt, err := rest.TransportFor(cfg)
		if err != nil {
			return nil, fmt.Errorf("transport of the given config: %w", err)
		}
		p := &pool{}
		p.lanes.Store(&[]*lane{{rt: rt}})
		return p, nil
	}
	tc, err := cfg.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("credentials of the given config: %w", err)
	}
	p := &pool{open: func() (*lane, error) { return openLane(*tc) }}
	first, err := p.open() // before any call, so that what is wrong with the config shows now
	if err != nil {
		return nil, err
	}
	p.lanes.Store(&[]*lane{first})
	return p, nil
}

// minSilence is how long a connection must have been silent at least for a deadline to be blamed on it.
const minSilence = time.Second

// suspect takes a lane out of use whose calls ran into a deadline and over which nothing came for as long: its connection
// may be dead, and HTTP/2 would send all further calls into it until its own ping notices. Calls under way stay on it.
func (p *pool) suspect(l *lane, silence time.Duration) {
	if p.open == nil || !l.silent(max(silence, minSilence)) || !l.retired.CompareAndSwap(false, true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []*lane
	for _, other := range *p.lanes.Load() {
		if other != l {
			rest = append(rest, other)
		}
	}
	p.lanes.Store(&rest)
}

// take finds a place on a lane. Its leave gives it back.
func (p *pool) take() (*lane, error) {
	lanes := *p.lanes.Load()
	for _, l := range lanes {
		if l.inFlight.Add(1) <= streamsPerConnection || p.open == nil {
			return l, nil
		}
		l.inFlight.Add(-1)
	}
	if len(lanes) < maxConnections {
		return p.grow(len(lanes))
	}
	best := lanes[0]
	for _, l := range lanes[1:] {
		if l.inFlight.Load() < best.inFlight.Load() {
			best = l
		}
	}
	best.inFlight.Add(1)
	return best, nil
}

// grow adds a lane, unless another call did since the caller saw seen of them; then it looks again.
func (p *pool) grow(seen int) (*lane, error) {
	p.mu.Lock()
	if now := *p.lanes.Load(); len(now) != seen {
		p.mu.Unlock()
		return p.take()
	}
	defer p.mu.Unlock()
	l, err := p.open()
	if err != nil {
		return nil, err
	}
	l.inFlight.Add(1)
	grown := append(append([]*lane{}, *p.lanes.Load()...), l)
	p.lanes.Store(&grown)
	return l, nil
}

func (p *pool) closeIdle() {
	for _, l := range *p.lanes.Load() {
		utilnet.CloseIdleConnectionsFor(l.rt)
	}
}
