package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/portforward"
	forward "k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

const tunnelPing = 10 * time.Second

// PortForward connects to the portforward subresource of a pod: SPDY in a WebSocket, or by itself where that is not
// understood.
func (d *Dialer) PortForward(ctx context.Context, namespace, pod string) (httpstream.Connection, error) {
	u := d.URL(namespace, pod, "portforward", nil)
	ws, err := d.webSocket(ctx, u, portforward.WebsocketsSPDYTunnelingPortForwardV1)
	if err == nil {
		conn, err := spdy.NewClientConnectionWithPings(forward.NewTunnelingConnection("client", ws), tunnelPing)
		if err != nil {
			_ = ws.Close() // nothing was sent
			return nil, fmt.Errorf("begin SPDY in the WebSocket: %w", err)
		}
		return conn, nil
	}
	if !otherWay(err) {
		return nil, err
	}
	rt, up, spdyErr := d.spdyTransport()
	if spdyErr != nil {
		return nil, spdyErr
	}
	conn, spdyErr := negotiate(ctx, rt, up, u, portforward.PortForwardV1Name)
	var refused *RefusedError
	if spdyErr != nil && errors.As(spdyErr, &refused) && refused.Status == nil && refused.Code != http.StatusForbidden {
		return nil, err
	}
	return conn, spdyErr
}
