package transport

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/transport"
)

// lane is a RoundTripper that shares no connection with any other.
type lane struct {
	rt       http.RoundTripper
	inFlight atomic.Int64
	heard    atomic.Int64 // when a byte last came over it, as time since epoch
	retired  atomic.Bool

	connecting chan struct{} // held by the call that opens the connection; nil if that is not ours to do
	connected  atomic.Bool
	open       atomic.Int32 // connections
}

var epoch = time.Now() // a monotonic clock for lane.heard

// openLane makes a lane with a dialer of its own: client-go caches transports by their dialer.
func openLane(tc transport.Config) (*lane, error) {
	l := &lane{connecting: make(chan struct{}, 1)}
	dial := (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	if tc.DialHolder != nil {
		dial = tc.DialHolder.Dial
	}
	tc.DialHolder = &transport.DialHolder{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.open.Add(1)
		return &listened{Conn: conn, lane: l}, nil
	}}
	rt, err := transport.New(&tc)
	if err != nil {
		return nil, fmt.Errorf("TLS and credentials: %w", err)
	}
	bound(rt)
	l.rt = rt
	return l, nil
}

// streamBuffer is how much of one answer may wait here, in bytes as they are sent, because the caller is slower than the
// server. net/http's default of 4 MiB would be most of the memory that streaming a long list takes; this much still fills a
// line of 80 Mbit/s with a round trip of 100 ms.
const streamBuffer = 1 << 20

// bound bounds what waits. The transport is the lane's own, because its dialer is, and not in use yet.
func bound(rt http.RoundTripper) {
	for rt != nil {
		if t, ok := rt.(*http.Transport); ok {
			if t.HTTP2 == nil {
				t.HTTP2 = &http.HTTP2Config{}
			}
			t.HTTP2.MaxReceiveBufferPerStream = streamBuffer
			return
		}
		w, ok := rt.(utilnet.RoundTripperWrapper)
		if !ok {
			return
		}
		rt = w.WrappedRoundTripper()
	}
}

// roundTrip sends r. Of the calls that find no connection one opens it while the others wait: net/http would dial for each
// of them, as it does not know yet that they can share.
func (l *lane) roundTrip(r *http.Request) (*http.Response, error) {
	if l.connecting == nil || l.connected.Load() {
		return l.rt.RoundTrip(r)
	}
	select {
	case l.connecting <- struct{}{}:
	case <-r.Context().Done():
		return nil, &net.OpError{Op: "dial", Err: context.Cause(r.Context())}
	}
	release := sync.OnceFunc(func() { <-l.connecting })
	defer release()
	if l.connected.Load() {
		release()
		return l.rt.RoundTrip(r)
	}
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		l.connected.Store(true)
		release()
	}}
	return l.rt.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}

// leave gives a place on the lane back.
func (l *lane) leave() {
	if l.inFlight.Add(-1) <= 0 && l.retired.Load() {
		utilnet.CloseIdleConnectionsFor(l.rt)
	}
}

// silent says that nothing came over the lane for d.
func (l *lane) silent(d time.Duration) bool {
	return time.Since(epoch)-time.Duration(l.heard.Load()) >= d
}

// listened is a connection that notes when something comes, and when it ends.
type listened struct {
	net.Conn
	lane   *lane
	closed sync.Once
}

func (c *listened) Close() error {
	c.closed.Do(func() {
		if c.lane.open.Add(-1) <= 0 {
			c.lane.connected.Store(false)
		}
	})
	return c.Conn.Close()
}

func (c *listened) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.lane.heard.Store(int64(time.Since(epoch)))
	}
	return n, err
}
