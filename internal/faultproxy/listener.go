package faultproxy

import (
	"net"
	"sync"
)

// listener can stop to listen, so that connections are refused, and begin again at the same address.
type listener struct {
	addr net.Addr

	mu     sync.Mutex
	inner  net.Listener  // nil while closed
	opened chan struct{} // closed when inner is there or the listener has ended
	ended  bool
}

func newListener(inner net.Listener) *listener {
	l := &listener{addr: inner.Addr(), inner: inner, opened: make(chan struct{})}
	close(l.opened)
	return l
}

// Addr is the same for as long as the listener lives.
func (l *listener) Addr() net.Addr { return l.addr }

// Accept waits through the times in which nobody listens.
func (l *listener) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		inner, opened, ended := l.inner, l.opened, l.ended
		l.mu.Unlock()
		switch {
		case ended:
			return nil, net.ErrClosed
		case inner == nil:
			<-opened
			continue
		}
		c, err := inner.Accept()
		if err == nil {
			return c, nil
		}
		l.mu.Lock()
		again := l.ended || l.inner != inner // closed on purpose, by close or Close
		l.mu.Unlock()
		if !again {
			return nil, err
		}
	}
}

// Close ends the listener for good.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	l.ended = true
	if l.inner == nil {
		close(l.opened)
		return nil
	}
	return l.inner.Close()
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		return
	}
	inner := l.inner
	l.inner, l.opened = nil, make(chan struct{})
	_ = inner.Close()
}

func (l *listener) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner != nil || l.ended {
		return nil
	}
	inner, err := net.Listen(l.addr.Network(), l.addr.String())
	if err != nil {
		return err
	}
	l.inner = inner
	close(l.opened)
	return nil
}
