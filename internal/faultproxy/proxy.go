package faultproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// Request is one that the proxy has seen, whatever became of it.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte
	Proto  string // "HTTP/2.0"
}

// Proxy is safe for concurrent use.
type Proxy struct {
	server   *httptest.Server
	listener *listener
	upstream http.Handler

	mu       sync.Mutex
	rules    []*rule
	seen     []seen
	conns    map[net.Conn]struct{}
	released chan struct{} // closed unless everything is stalled
}

type rule struct {
	left  int // below 0: for ever
	match Match
	fault Fault
}

type seen struct {
	request *http.Request
	body    []byte
}

// Start begins to serve on a free loopback port, until the test ends, in front of the server of config.
func Start(t testing.TB, config *rest.Config) *Proxy {
	t.Helper()
	upstream, err := newUpstream(config)
	if err != nil {
		t.Fatalf("start a fault proxy for %s: %v", config.Host, err)
	}
	p := &Proxy{upstream: upstream, conns: map[net.Conn]struct{}{}, released: make(chan struct{})}
	close(p.released)
	p.server = httptest.NewUnstartedServer(p)
	p.listener = newListener(p.server.Listener)
	p.server.Listener = p.listener
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that break are what it is for
	p.server.Config.ConnContext = p.track
	p.server.StartTLS()
	t.Cleanup(func() {
		p.Resume()
		p.Break()
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// Config is for clients of the proxy. It has no credentials: the proxy has.
func (p *Proxy) Config() *rest.Config {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	return &rest.Config{Host: p.server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

// Fail lets the next n requests that match meet fault; below 0 it is all of them. Rules are tried in the order in which
// they were given, and one that is used up is passed over.
func (p *Proxy) Fail(n int, match Match, fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, &rule{left: n, match: match, fault: fault})
}

// Heal drops all rules.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

// Break resets all connections that are open now.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		resetConn(c)
		delete(p.conns, c)
	}
}

// Stall stops every byte of every answer, those under way too, until Resume.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.released:
		p.released = make(chan struct{})
	default:
	}
}

// Resume ends Stall.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.released:
	default:
		close(p.released)
	}
}

// Down refuses new connections and resets those there are, until Up.
func (p *Proxy) Down() {
	p.listener.close()
	p.Break()
}

// Up ends Down: the proxy listens at the same address again.
func (p *Proxy) Up() error { return p.listener.open() }

// Requests are those seen so far that match, in order of arrival.
func (p *Proxy) Requests(match Match) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Request
	for _, s := range p.seen {
		if match == nil || match(s.request) {
			found = append(found, Request{
				Method: s.request.Method, URL: s.request.URL, Header: s.request.Header, Body: s.body, Proto: s.request.Proto,
			})
		}
	}
	return found
}

// Count is the number of requests seen so far that match.
func (p *Proxy) Count(match Match) int { return len(p.Requests(match)) }

// Forget drops what was seen so far.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = nil
}

// ServeHTTP is the proxy's handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := p.arrive(r)
	gated := &gatedWriter{ResponseWriter: w, proxy: p, done: r.Context().Done()}
	if fault == nil {
		p.upstream.ServeHTTP(gated, r)
		return
	}
	fault(gated, r, p.upstream)
}

// arrive records r and finds the fault that it meets, if any.
func (p *Proxy) arrive(r *http.Request) Fault {
	record := seen{request: r.Clone(context.WithoutCancel(r.Context()))}
	if r.Header.Get("Upgrade") == "" {
		record.body, _ = io.ReadAll(r.Body) // what came is what is passed on
		r.Body = io.NopCloser(bytes.NewReader(record.body))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, record)
	i := slices.IndexFunc(p.rules, func(u *rule) bool { return u.left != 0 && (u.match == nil || u.match(record.request)) })
	if i < 0 {
		return nil
	}
	p.rules[i].left--
	return p.rules[i].fault
}

func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.released
}

// gatedWriter waits while the proxy is stalled.
type gatedWriter struct {
	http.ResponseWriter
	proxy *Proxy
	done  <-chan struct{}
}

func (w *gatedWriter) wait() {
	select {
	case <-w.proxy.gate():
	case <-w.done:
	}
}

func (w *gatedWriter) WriteHeader(status int) {
	w.wait()
	w.ResponseWriter.WriteHeader(status)
}

func (w *gatedWriter) Write(b []byte) (int, error) {
	w.wait()
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the writer that can flush and be hijacked.
func (w *gatedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type connKey struct{}

// track remembers a connection while it may still be open.
func (p *Proxy) track(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	})
	return context.WithValue(ctx, connKey{}, c)
}

// reset ends the request's connection with a TCP reset, and the handler with it.
func reset(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		resetConn(c)
	}
	panic(http.ErrAbortHandler)
}

// hangUp ends the request's connection without a reset, and the handler with it. It closes only this side: to close a socket
// that has something left to read is a reset too.
func hangUp(r *http.Request) {
	time.Sleep(20 * time.Millisecond) // net/http says of HTTP/2 frames that they are written before it has flushed them
	if c, ok := r.Context().Value(connKey{}).(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	panic(http.ErrAbortHandler)
}

func resetConn(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that Close sends RST and not FIN
	}
	_ = c.Close()
}

// newUpstream passes requests on to the server of config.
func newUpstream(config *rest.Config) (http.Handler, error) {
	target, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	route := &router{}
	for _, one := range []struct {
		rt          *http.RoundTripper
		credentials bool
		http1       bool
	}{
		{&route.own, true, false}, {&route.anonymous, false, false},
		{&route.ownUpgrade, true, true}, {&route.anonymousUpgrade, false, true},
	} {
		c := rest.CopyConfig(config)
		if !one.credentials {
			c = rest.AnonymousClientConfig(config)
		}
		if one.http1 {
			c.NextProtos = []string{"http/1.1"} // HTTP/2 cannot be upgraded
		}
		if *one.rt, err = rest.TransportFor(c); err != nil {
			return nil, err
		}
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = ""
		},
		Transport:     route,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}, nil
}

// router chooses credentials and protocol for a request.
type router struct{ own, anonymous, ownUpgrade, anonymousUpgrade http.RoundTripper }

func (t *router) RoundTrip(r *http.Request) (*http.Response, error) {
	carries, upgrade := r.Header.Get("Authorization") != "", r.Header.Get("Upgrade") != ""
	switch {
	case carries && upgrade:
		return t.anonymousUpgrade.RoundTrip(r)
	case carries:
		return t.anonymous.RoundTrip(r)
	case upgrade:
		return t.ownUpgrade.RoundTrip(r)
	}
	return t.own.RoundTrip(r)
}
