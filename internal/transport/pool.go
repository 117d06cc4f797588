package transport

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

const (
	// streamsPerConnection is how many calls share one connection before another is opened. The API server allows 100
	// streams on an HTTP/2 connection; past that calls queue, unseen, behind each other.
	streamsPerConnection = 90
	maxConnections       = 64
)

// pool spreads calls over connections. Each lane is an http.RoundTripper with a connection (HTTP/2) of its own; lanes are
// opened when those there are have no room left, and the first with room is taken, so that a light load keeps one warm.
type pool struct {
	open func() (http.RoundTripper, error)

	mu    sync.Mutex // guards opening a lane
	lanes atomic.Pointer[[]*lane]
}

type lane struct {
	rt       http.RoundTripper
	inFlight atomic.Int64
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
	p := &pool{open: func() (http.RoundTripper, error) { return openLane(*tc) }}
	p.lanes.Store(&[]*lane{})
	if _, err := p.grow(0); err != nil {
		return nil, err
	}
	return p, nil
}

// openLane makes a RoundTripper that shares no connection with any other: client-go caches transports by their dialer.
func openLane(tc transport.Config) (http.RoundTripper, error) {
	dial := (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	if tc.DialHolder != nil {
		dial = tc.DialHolder.Dial
	}
	tc.DialHolder = &transport.DialHolder{Dial: dial}
	rt, err := transport.New(&tc)
	if err != nil {
		return nil, fmt.Errorf("TLS and credentials: %w", err)
	}
	return rt, nil
}

// roundTrip sends r on a lane with room. release gives the place back, once the body is done with.
func (p *pool) roundTrip(r *http.Request) (res *http.Response, release func(), err error) {
	l, err := p.take()
	if err != nil {
		return nil, nil, err
	}
	release = func() { l.inFlight.Add(-1) }
	res, err = l.rt.RoundTrip(r)
	if err != nil {
		release()
		return nil, nil, err
	}
	return res, release, nil
}

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
	rt, err := p.open()
	if err != nil {
		return nil, err
	}
	l := &lane{rt: rt}
	if seen > 0 { // the first is opened before any call
		l.inFlight.Add(1)
	}
	grown := append(append([]*lane{}, *p.lanes.Load()...), l)
	p.lanes.Store(&grown)
	return l, nil
}

func (p *pool) closeIdle() {
	for _, l := range *p.lanes.Load() {
		utilnet.CloseIdleConnectionsFor(l.rt)
	}
}
