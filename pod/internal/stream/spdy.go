package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// spdyConn is a Conn over a SPDY/3.1 connection with a stream for each channel.
type spdyConn struct {
	conn                                  httpstream.Connection
	stdin, stdout, stderr, status, resize httpstream.Stream
}

// spdy connects by SPDY. Only protocols whose status is structured will do: older ones cannot tell how a command ended.
func (d *Dialer) spdy(ctx context.Context, u *url.URL, r Request) (Conn, error) {
	rt, up, err := d.spdyTransport()
	if err != nil {
		return nil, err
	}
	conn, err := negotiate(ctx, rt, up, u, protocolV5, protocolV4)
	if err != nil {
		return nil, err
	}
	c := &spdyConn{conn: conn}
	for _, s := range []struct {
		kind   string
		wanted bool
		into   *httpstream.Stream
	}{
		{corev1.StreamTypeError, true, &c.status},
		{corev1.StreamTypeStdin, r.Stdin, &c.stdin},
		{corev1.StreamTypeStdout, true, &c.stdout},
		{corev1.StreamTypeStderr, r.Stderr && !r.TTY, &c.stderr},
		{corev1.StreamTypeResize, r.TTY, &c.resize},
	} {
		if !s.wanted {
			continue
		}
		if *s.into, err = conn.CreateStream(http.Header{corev1.StreamType: {s.kind}}); err != nil {
			_ = conn.Close() // the first error is the one to tell
			return nil, fmt.Errorf("open the SPDY stream %s: %w", s.kind, err)
		}
	}
	return c, nil
}

// negotiate asks for the switch to SPDY and says in full why it was refused.
func negotiate(ctx context.Context, rt http.RoundTripper, up spdy.Upgrader, u *url.URL, protocols ...string) (httpstream.Connection, error) {
	seen := &recorder{next: rt}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: seen, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	conn, protocol, err := spdy.NegotiateStreaming(up, client, req, protocols...)
	switch {
	case err != nil && seen.code >= http.StatusBadRequest:
		return nil, refused(seen.code, seen.body)
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case protocol == "":
		_ = conn.Close() // nothing was sent
		return nil, &RefusedError{Code: http.StatusSwitchingProtocols, Text: fmt.Sprintf("the server did not agree to the subprotocols %q", protocols)}
	}
	return conn, nil
}

func (c *spdyConn) Run(stdout, stderr io.Writer) ([]byte, error) {
	var (
		wg       sync.WaitGroup
		failures = make(chan error, 2)
	)
	pump := func(from httpstream.Stream, to io.Writer) {
		if from == nil {
			return
		}
		if to == nil {
			to = io.Discard
		}
		wg.Go(func() {
			if _, err := io.Copy(to, from); err != nil {
				failures <- err
				_ = c.conn.Close() // the error is reported
			}
		})
	}
	pump(c.stdout, stdout)
	pump(c.stderr, stderr)
	if c.stdin != nil { // the server's end of it must be read for the connection to go on
		go func() { _, _ = io.Copy(io.Discard, c.stdin) }()
	}
	status, err := io.ReadAll(c.status)
	wg.Wait()
	close(failures)
	if failure := <-failures; failure != nil {
		return nil, failure
	}
	if err != nil {
		return nil, fmt.Errorf("the connection broke: %w", err)
	}
	if len(status) == 0 {
		status = nil
	}
	return status, nil
}

func (c *spdyConn) Write(p []byte) (int, error) {
	if c.stdin == nil {
		return 0, errors.New("standard input was not asked for")
	}
	return c.stdin.Write(p)
}

func (c *spdyConn) CloseInput() error { return c.stdin.Close() }

func (c *spdyConn) Resize(width, height uint16) error {
	return json.NewEncoder(c.resize).Encode(terminalSize{width, height})
}

func (c *spdyConn) Close() error { return c.conn.Close() }
