package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
)

const (
	acceptPause = 50 * time.Millisecond
	// checkEvery is how often a pod that was selected is looked at before another connection goes to it.
	checkEvery = time.Second
)

// Dialer opens connections to ports of a pod, over one connection to the API server, which it opens again when it breaks.
// It is safe for concurrent use. containerd ends a connection one second after either side has ended what it sends: a client
// that half-closes gets what comes within that second. Use its DialContext in an http.Transport, or wherever a program takes a dialer.
type Dialer struct {
	target Target

	mu      sync.Mutex
	current *podConn
	closed  bool
}

// podConn is a connection to one pod.
type podConn struct {
	conn    httpstream.Connection
	pod     string
	checked time.Time
	suspect atomic.Bool // a stream of it failed for a reason that may be the pod's end
	ids     atomic.Int64
}

// NewDialer makes a dialer for the target. It connects when it is first used.
func NewDialer(t Target) *Dialer { return &Dialer{target: t} }

// Close ends the dialer and all its connections.
func (d *Dialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.drop()
	return nil
}

func (d *Dialer) drop() {
	if d.current != nil {
		_ = d.current.conn.Close() // it is of no use any more
		d.current = nil
	}
}

// DialContext is for whoever wants a dialer of package net: only the port of the address matters.
func (d *Dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", text, err)
	}
	return d.Dial(ctx, port)
}

// Dial opens a connection to a port. That nothing listens there is told by the first Read.
func (d *Dialer) Dial(ctx context.Context, port int) (*Conn, error) {
	var err error
	for range 3 { // a connection to a pod that is gone shows only when it is used
		var p *podConn
		if p, err = d.connection(ctx); err != nil {
			break
		}
		var c *Conn
		if c, err = p.open(port); err == nil {
			return c, nil
		}
		d.mu.Lock()
		if d.current == p {
			d.drop()
		}
		d.mu.Unlock()
	}
	return nil, fmt.Errorf("connect to port %d of %s: %w", port, d.target, err)
}

// connection returns the connection to the pod, a new one if the last is of no use.
func (d *Dialer) connection(ctx context.Context) (*podConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, net.ErrClosed
	}
	if d.current != nil && !d.usable(ctx) {
		d.drop()
	}
	if d.current != nil {
		return d.current, nil
	}
	t, err := d.target.resolve(ctx)
	if err != nil {
		return nil, err
	}
	dialer, err := t.dialer()
	if err != nil {
		return nil, err
	}
	conn, err := dialer.PortForward(ctx, t.namespace, t.name)
	if mayBeNotReady(err) {
		if _, err := t.await(ctx); err != nil {
			return nil, err
		}
		conn, err = dialer.PortForward(ctx, t.namespace, t.name)
	}
	if err != nil {
		return nil, apiError(t, "portforward", err)
	}
	d.current = &podConn{conn: conn, pod: t.name, checked: time.Now()}
	return d.current, nil
}

// usable says whether the connection lives and leads to a pod that does.
func (d *Dialer) usable(ctx context.Context) bool {
	c := d.current
	select {
	case <-c.conn.CloseChan():
		return false
	default:
	}
	if d.target.name != "" && !c.suspect.Load() || time.Since(c.checked) < checkEvery && !c.suspect.Load() {
		return true
	}
	p, ok, err := d.target.pods().Lookup(ctx, c.pod)
	if err != nil {
		return true // who cannot tell does not cut
	}
	c.checked = time.Now()
	if d.target.name != "" {
		return ok && !c.suspect.CompareAndSwap(true, false)
	}
	return ok && podReady(p) && !c.suspect.CompareAndSwap(true, false)
}

// Conn is a connection to a port of a pod. It has the methods of [net.Conn], and CloseWrite as a TCP connection has.
type Conn struct {
	port   int
	pod    *podConn
	data   httpstream.Stream
	errors httpstream.Stream

	// What is read and written goes through pipes: they know deadlines, which streams do not.
	in, out net.Conn
	once    sync.Once
	refused atomic.Pointer[string]
	told    chan struct{} // closed when the error stream has ended
}

// open asks for a pair of streams: one for data, one for what goes wrong.
func (p *podConn) open(port int) (*Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(p.ids.Add(1), 10))
	errs, err := p.conn.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	_ = errs.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := p.conn.CreateStream(headers)
	if err != nil {
		_ = errs.Reset()
		p.conn.RemoveStreams(errs)
		return nil, err
	}
	c := &Conn{port: port, pod: p, data: data, errors: errs, told: make(chan struct{})}
	var in, out net.Conn
	c.in, in = net.Pipe()
	c.out, out = net.Pipe()
	go c.listen()
	go c.receive(in)
	go c.send(out)
	return c, nil
}

// listen reads what goes wrong.
func (c *Conn) listen() {
	defer close(c.told)
	message, err := io.ReadAll(io.LimitReader(c.errors, 64<<10))
	text := strings.TrimSpace(string(message))
	if text == "" && err != nil {
		text = err.Error()
	}
	if text != "" {
		c.refused.Store(&text)
		if !strings.Contains(text, "refused") { // nobody listens: that is no fault of the pod
			c.pod.suspect.Store(true)
		}
		_ = c.data.Reset() // reading ends
	}
}

func (c *Conn) receive(in net.Conn) {
	_, _ = io.Copy(in, struct{ io.Reader }{c.data}) // what ended it is told by the error stream
	select {                                        // the reason comes on another stream, a moment later
	case <-c.told:
	case <-time.After(time.Second):
	}
	_ = in.Close()
}

func (c *Conn) send(out net.Conn) {
	_, err := io.Copy(struct{ io.Writer }{c.data}, out)
	if err == nil {
		_ = c.data.Close() // half of it: reading goes on
	}
	_ = out.Close()
}

// Read reads what the pod sends. If nothing listens on the port, its error says so.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if errors.Is(err, io.EOF) {
		if text := c.refused.Load(); text != nil {
			return n, &net.OpError{Op: "read", Net: "pod", Addr: c.RemoteAddr(), Err: errors.New(*text)}
		}
		select {
		case <-c.pod.conn.CloseChan():
			return n, &net.OpError{Op: "read", Net: "pod", Addr: c.RemoteAddr(), Err: fmt.Errorf("the connection to the pod broke: %w", io.ErrUnexpectedEOF)}
		default:
		}
	}
	return n, err
}

// Write sends to the pod.
func (c *Conn) Write(p []byte) (int, error) { return c.out.Write(p) }

// CloseWrite ends what is sent; reading goes on.
func (c *Conn) CloseWrite() error { return c.out.Close() }

// Close ends the connection.
func (c *Conn) Close() error {
	c.once.Do(func() {
		_ = c.in.Close() // pipes: they never fail
		_ = c.out.Close()
		_ = c.data.Reset() // so that the pod's side ends too
		_ = c.errors.Reset()
		c.pod.conn.RemoveStreams(c.data, c.errors)
	})
	return nil
}

// podAddr is a port of a pod.
type podAddr string

func (podAddr) Network() string  { return "pod" }
func (a podAddr) String() string { return string(a) }

// LocalAddr is this side: it has no port of its own.
func (c *Conn) LocalAddr() net.Addr { return podAddr("local") }

// RemoteAddr is the pod's name and port.
func (c *Conn) RemoteAddr() net.Addr {
	return podAddr(net.JoinHostPort(c.pod.pod, strconv.Itoa(c.port)))
}

// SetDeadline is that of [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.in.SetReadDeadline(t), c.out.SetWriteDeadline(t))
}

// SetReadDeadline is that of [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.SetReadDeadline(t) }

// SetWriteDeadline is that of [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
