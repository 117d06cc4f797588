package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// The channels of v5.channel.k8s.io: the first byte of every message (KEP-4006).
const (
	channelStdin  = 0
	channelStdout = 1
	channelStderr = 2
	channelStatus = 3
	channelResize = 4
	channelClose  = 255
)

// webSocket is a Conn over one WebSocket connection.
type webSocket struct {
	conn *websocket.Conn
	done chan struct{}
	once sync.Once

	write sync.Mutex // one message at a time
	// heard is when the peer last gave a sign of life, in Unix nanoseconds. busy counts what may keep it from giving one
	// through no fault of its own: a writer of ours that is slow, and input that the command does not read yet.
	heard atomic.Int64
	busy  atomic.Int32
	dead  atomic.Bool
}

func newWebSocket(conn *websocket.Conn) *webSocket {
	w := &webSocket{conn: conn, done: make(chan struct{})}
	w.alive()
	conn.SetPongHandler(func(string) error {
		w.alive()
		return nil
	})
	go w.watch()
	return w
}

func (w *webSocket) alive() { w.heard.Store(time.Now().UnixNano()) }

// pause is around what may take long without the peer being to blame.
func (w *webSocket) pause() (resume func()) {
	w.busy.Add(1)
	return func() {
		w.alive()
		w.busy.Add(-1)
	}
}

// watch pings the peer and gives the connection up when nothing is heard.
func (w *webSocket) watch() {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-ticker.C:
		}
		// A ping that cannot be sent now is no loss: the reader will find out what is wrong, or silence will.
		_ = w.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(pingEvery))
		if w.busy.Load() == 0 && time.Since(time.Unix(0, w.heard.Load())) > silence {
			w.dead.Store(true)
			_ = w.Close() // the reader reports it
			return
		}
	}
}

func (w *webSocket) Run(stdout, stderr io.Writer) ([]byte, error) {
	buf := make([]byte, frame+1)
	for {
		kind, r, err := w.conn.NextReader()
		if err != nil {
			return nil, w.ended(err)
		}
		w.alive()
		if kind != websocket.BinaryMessage {
			return nil, fmt.Errorf("protocol error: a message of type %d instead of binary", kind)
		}
		if _, err := io.ReadFull(r, buf[:1]); err != nil {
			return nil, w.ended(err)
		}
		var out io.Writer
		switch buf[0] {
		case channelStdout:
			out = stdout
		case channelStderr:
			out = stderr
		case channelStatus:
			status, err := io.ReadAll(r)
			if err != nil {
				return nil, w.ended(err)
			}
			if len(status) > 0 {
				return status, nil // everything else was sent before it
			}
		}
		if err := w.forward(out, r, buf); err != nil {
			return nil, err
		}
	}
}

// forward copies one message to out, or drops it if there is none.
func (w *webSocket) forward(out io.Writer, r io.Reader, buf []byte) error {
	for {
		n, err := r.Read(buf)
		if n > 0 && out != nil {
			resume := w.pause()
			_, writeErr := out.Write(buf[:n])
			resume()
			if writeErr != nil {
				return writeErr
			}
		}
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return w.ended(err)
		}
	}
}

// ended turns a read error into nil for an orderly end.
func (w *webSocket) ended(err error) error {
	if w.dead.Load() {
		return ErrSilent
	}
	if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return nil
	}
	return fmt.Errorf("the connection broke: %w", err)
}

func (w *webSocket) Write(p []byte) (int, error) {
	sent := 0
	for len(p) > 0 {
		part := p[:min(len(p), frame)]
		if err := w.send(channelStdin, part); err != nil {
			return sent, err
		}
		sent += len(part)
		p = p[len(part):]
	}
	return sent, nil
}

func (w *webSocket) send(channel byte, p []byte) error {
	defer w.pause()()
	w.write.Lock()
	defer w.write.Unlock()
	m, err := w.conn.NextWriter(websocket.BinaryMessage)
	if err != nil {
		return err
	}
	if _, err := m.Write([]byte{channel}); err != nil {
		return err
	}
	if _, err := m.Write(p); err != nil {
		return err
	}
	return m.Close()
}

func (w *webSocket) CloseInput() error { return w.send(channelClose, []byte{channelStdin}) }

func (w *webSocket) Resize(width, height uint16) error {
	size, err := json.Marshal(terminalSize{width, height})
	if err != nil {
		return err
	}
	return w.send(channelResize, size)
}

type terminalSize struct{ Width, Height uint16 }

func (w *webSocket) Close() error {
	var err error
	w.once.Do(func() {
		close(w.done)
		// A peer that does not take it is told by the end of the connection.
		_ = w.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		err = w.conn.Close()
	})
	return err
}
