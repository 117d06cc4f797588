package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
)

// ForwardOptions say what to forward.
type ForwardOptions struct {
	// Port is the port in the pod.
	Port int
	// Listen is the local address. Empty: a free port of 127.0.0.1.
	Listen string
	// Logger is told of connections that failed. Nil: nobody is.
	Logger *slog.Logger
}

// Forwarder accepts connections on a local port and passes them on to a port of a pod. It is safe for concurrent use.
type Forwarder struct {
	listener net.Listener
	dialer   *Dialer
	options  ForwardOptions
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	once     sync.Once
}

// Forward begins to forward a local port to a port of the target, until the context ends or Close is called. What happens
// to one connection does not touch the others. Where the connection to the pod breaks, the next client opens it again;
// with a target by selector, to another pod if this one is gone.
//
// It returns when the pod can be reached. Whether something listens on the port shows only when it is used: a client's
// connection is closed if nothing does.
func Forward(ctx context.Context, t Target, o ForwardOptions) (*Forwarder, error) {
	fail := func(err error) error { return fmt.Errorf("forward port %d of %s: %w", o.Port, t, err) }
	if o.Port < 1 || o.Port > 65535 {
		return nil, fail(errors.New("want a port from 1 to 65535"))
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	d := NewDialer(t)
	if _, err := d.connection(ctx); err != nil {
		_ = d.Close() // the first error is the one to tell
		return nil, fail(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		_ = d.Close() // the first error is the one to tell
		return nil, fail(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Forwarder{listener: listener, dialer: d, options: o, cancel: cancel}
	context.AfterFunc(ctx, f.stop)
	f.wg.Go(func() { f.accept(ctx) })
	return f, nil
}

// Addr is the local address.
func (f *Forwarder) Addr() net.Addr { return f.listener.Addr() }

// Close ends the forwarder and its connections, and waits for them.
func (f *Forwarder) Close() error {
	f.cancel()
	f.stop()
	f.wg.Wait()
	return nil
}

func (f *Forwarder) stop() {
	f.once.Do(func() {
		_ = f.listener.Close() // nobody is served any more, whatever it says
		_ = f.dialer.Close()
	})
}

func (f *Forwarder) accept(ctx context.Context) {
	for {
		conn, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			if conn != nil {
				_ = conn.Close() // it came too late
			}
			return
		}
		if err != nil { // too many open files, a client that is gone: the next one may do better
			f.log(ctx, err)
			if pause(ctx, acceptPause) != nil {
				return
			}
			continue
		}
		f.wg.Go(func() {
			if err := f.serve(ctx, conn); err != nil {
				f.log(ctx, err)
			}
		})
	}
}

func (f *Forwarder) log(ctx context.Context, err error) {
	if f.options.Logger != nil && ctx.Err() == nil {
		f.options.Logger.WarnContext(ctx, "a forwarded connection failed", "target", f.dialer.target.String(), "port", f.options.Port, "error", err)
	}
}

// serve passes one connection on, in both directions, until both have ended.
func (f *Forwarder) serve(ctx context.Context, local net.Conn) error {
	defer func() { _ = local.Close() }() // both directions have ended
	stop := context.AfterFunc(ctx, func() { _ = local.Close() })
	defer stop()
	there, err := f.dialer.Dial(ctx, f.options.Port)
	if err != nil {
		abort(local)
		return err
	}
	defer func() { _ = there.Close() }() // both directions have ended
	up := make(chan error, 1)
	go func() {
		_, err := io.Copy(there, local)
		if err != nil {
			_ = there.Close() // the client is gone: so is its request
		} else {
			err = there.CloseWrite()
		}
		up <- err
	}()
	_, err = io.Copy(local, there)
	if err != nil {
		abort(local)
	} else if half, ok := local.(interface{ CloseWrite() error }); ok {
		err = half.CloseWrite()
	}
	if err != nil {
		_ = there.Close() // so that the other direction ends too
	}
	return errors.Join(err, <-up)
}

// abort tells the client by a reset that it was no orderly end.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it ends in the usual way
	}
	_ = c.Close()
}
