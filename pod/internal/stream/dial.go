package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/client-go/transport/spdy"
)

const (
	protocolV5 = "v5.channel.k8s.io"
	protocolV4 = "v4.channel.k8s.io"
	// frame is how many bytes of standard input one message carries. The server reads each message whole into memory.
	frame         = 32 << 10
	handshakeTime = 45 * time.Second
	maxRefusal    = 64 << 10 // bytes of a refusal that are worth reading
)

// Request is what to connect to.
type Request struct {
	Namespace, Pod string
	Subresource    string     // "exec" or "attach"
	Query          url.Values // container, command
	Stdin, Stderr  bool       // standard output is always there
	TTY            bool
}

// RefusedError is an answer to the handshake other than the switch of protocols: nothing has run.
type RefusedError struct {
	Code   int
	Status *metav1.Status // nil where the answer was none of Kubernetes
	Text   string
}

func (e *RefusedError) Error() string {
	if e.Status != nil {
		return e.Status.Message
	}
	return fmt.Sprintf("%s (%d %s)", e.Text, e.Code, http.StatusText(e.Code))
}

// Dialer opens connections to one API server. It is safe for concurrent use.
type Dialer struct {
	config *rest.Config
	base   *url.URL
	wire   *transport.Config
	tls    *tls.Config
}

// NewDialer prepares for the server of config. The config's Timeout does not apply to streams.
func NewDialer(config *rest.Config) (*Dialer, error) {
	config = rest.CopyConfig(config)
	config.Timeout = 0
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	wire, err := config.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	secure, err := transport.TLSConfigFor(wire)
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	if secure == nil {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	secure.NextProtos = []string{"http/1.1"} // upgrades are HTTP/1.1's
	if secure.ClientSessionCache == nil {
		secure.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return &Dialer{config: config, base: base, wire: wire, tls: secure}, nil
}

// URL is the address of a subresource of a pod.
func (d *Dialer) URL(namespace, pod, subresource string, query url.Values) *url.URL {
	u := *d.base
	u.Path = path.Join("/", u.Path, "api/v1/namespaces", namespace, "pods", pod, subresource)
	u.RawQuery = query.Encode()
	return &u
}

// Command connects to exec or attach. Its error is a *RefusedError if the server answered and said no.
func (d *Dialer) Command(ctx context.Context, r Request) (Conn, error) {
	query := url.Values{"stdout": {"true"}}
	for k, v := range r.Query {
		query[k] = v
	}
	for name, on := range map[string]bool{"stdin": r.Stdin, "stderr": r.Stderr && !r.TTY, "tty": r.TTY} {
		if on {
			query.Set(name, "true")
		}
	}
	u := d.URL(r.Namespace, r.Pod, r.Subresource, query)
	ws, err := d.webSocket(ctx, u, protocolV5)
	if err == nil {
		return newWebSocket(ws), nil
	}
	if !otherWay(err) {
		return nil, err
	}
	conn, spdyErr := d.spdy(ctx, u, r)
	if spdyErr == nil {
		return conn, nil
	}
	var refused *RefusedError
	if errors.As(spdyErr, &refused) && refused.Status == nil && ctx.Err() == nil {
		return nil, err // neither is understood: the first answer says more
	}
	return nil, spdyErr
}

// otherWay says whether SPDY is worth trying: where the answer is not Kubernetes' own, a proxy may not know WebSocket; and
// servers before 1.35 let a user open one only with the verb get, while SPDY needs create.
func otherWay(err error) bool {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return false
	}
	return refused.Status == nil && refused.Code != http.StatusTooManyRequests || refused.Code == http.StatusForbidden
}

// webSocket opens a WebSocket with one of the subprotocols.
func (d *Dialer) webSocket(ctx context.Context, u *url.URL, protocols ...string) (*websocket.Conn, error) {
	up := &upgrader{dialer: websocket.Dialer{
		Proxy: proxyOf(d.config), TLSClientConfig: d.tls, NetDialContext: d.connect, Subprotocols: protocols,
		HandshakeTimeout: handshakeTime, ReadBufferSize: frame + 1<<10, WriteBufferSize: frame + 1<<10,
	}}
	rt, err := transport.HTTPWrappersForConfig(d.wire, up)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := rt.RoundTrip(req)
	if up.conn == nil {
		return nil, err
	}
	_ = res.Body.Close() // empty after a switch of protocols
	if up.conn.Subprotocol() == "" {
		_ = up.conn.Close() // nothing was sent
		return nil, &RefusedError{Code: http.StatusSwitchingProtocols, Text: fmt.Sprintf("the server did not agree to the subprotocols %q", protocols)}
	}
	return up.conn, nil
}

// connect opens a connection whose incoming bytes are taken in large pieces: TLS asks for one record of 16 KiB at a time.
func (d *Dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	dial := d.config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: handshakeTime}).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &buffered{Conn: conn, in: bufio.NewReaderSize(conn, 4*frame)}, nil
}

type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// upgrader is a RoundTripper for one request: client-go's wrappers put the credentials into it.
type upgrader struct {
	dialer websocket.Dialer
	conn   *websocket.Conn
}

func (up *upgrader) RoundTrip(r *http.Request) (*http.Response, error) {
	u := *r.URL
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	conn, res, err := up.dialer.DialContext(r.Context(), u.String(), r.Header)
	if err == nil {
		up.conn = conn
		return res, nil
	}
	if errors.Is(err, websocket.ErrBadHandshake) && res != nil {
		return nil, refusal(res)
	}
	if cause := context.Cause(r.Context()); cause != nil {
		return nil, cause
	}
	return nil, err
}

func refusal(res *http.Response) error {
	defer func() { _ = res.Body.Close() }() // what can be read is read
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	return refused(res.StatusCode, body)
}

func refused(code int, body []byte) *RefusedError {
	r := &RefusedError{Code: code, Text: strings.TrimSpace(string(body))}
	if r.Text == "" {
		r.Text = "the server did not switch protocols"
	}
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		r.Status = &status
	}
	return r
}

func proxyOf(config *rest.Config) func(*http.Request) (*url.URL, error) {
	if config.Proxy != nil {
		return config.Proxy
	}
	return utilnet.NewProxierWithNoProxyCIDR(http.ProxyFromEnvironment)
}

// spdyTransport is what SPDY connections are made with: one for each, as client-go demands.
func (d *Dialer) spdyTransport() (http.RoundTripper, spdy.Upgrader, error) {
	rt, up, err := spdy.RoundTripperFor(d.config)
	if err != nil {
		return nil, nil, fmt.Errorf("SPDY transport: %w", err)
	}
	return rt, up, nil
}
