package transport

import (
	"context"
	"fmt"
	"net"
	"net/http"
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
}

var epoch = time.Now() // a monotonic clock for lane.heard

// openLane makes a lane with a dialer of its own: client-go caches transports by their dialer.
func openLane(tc transport.Config) (*lane, error) {
	l := &lane{}
	dial := (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	if tc.DialHolder != nil {
		dial = tc.DialHolder.Dial
	}
	tc.DialHolder = &transport.DialHolder{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &listened{Conn: conn, lane: l}, nil
	}}
	rt, err := transport.New(&tc)
	if err != nil {
		return nil, fmt.Errorf("TLS and credentials: %w", err)
	}
	l.rt = rt
	return l, nil
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

// listened is a connection that notes when something comes.
type listened struct {
	net.Conn
	lane *lane
}

func (c *listened) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.lane.heard.Store(int64(time.Since(epoch)))
	}
	return n, err
}
