package stream

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	chunkSize = 64 << 10
	// inMemory is how far a reader may fall behind before the writer waits for it, in bytes.
	inMemory = 4 << 20
	// patience is how long a writer waits in all, since the reader last caught up, before it goes on into a file.
	patience = time.Second
)

// Spool stands between a connection that must be read on and a reader that may be slow, so that the one never blocks the
// other for long. What does not fit into memory goes into a temporary file, which has no name from the start.
type Spool struct {
	limit int64 // bytes that may lie in the file; past that the writer waits

	mu      sync.Mutex
	changed sync.Cond
	chunks  [][]byte
	size    int    // bytes in chunks
	used    []byte // what was taken last: it is free when the next is taken
	free    [][]byte
	file    *os.File
	read    int64
	written int64
	waited  time.Duration
	closed  bool
	broken  error // of the reader
	done    chan struct{}
	err     error
}

// NewSpool begins to copy what is written to out. At most limit bytes lie in a file.
func NewSpool(out io.Writer, limit int64) *Spool {
	s := &Spool{limit: limit, done: make(chan struct{})}
	s.changed.L = &s.mu
	go s.drain(out)
	return s
}

// Write keeps p. Its error is one of the temporary file: an error of the reader is told by Close.
func (s *Spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.broken != nil:
			return len(p), nil // nobody wants it any more
		case s.file != nil && s.written-s.read > 0 || s.size+len(p) > inMemory && s.waited >= patience:
			if s.written-s.read < s.limit {
				return s.spill(p)
			}
			s.changed.Wait()
		case s.size == 0 || s.size+len(p) <= inMemory:
			s.keep(p)
			s.changed.Broadcast()
			return len(p), nil
		default:
			s.waitABit()
		}
	}
}

// waitABit waits for room for as long as patience lasts.
func (s *Spool) waitABit() {
	start := time.Now()
	wake := time.AfterFunc(patience-s.waited, func() {
		s.mu.Lock() // or it could come before the wait and be lost
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	s.changed.Wait()
	wake.Stop()
	s.waited += time.Since(start)
}

func (s *Spool) keep(p []byte) {
	s.size += len(p)
	if n := len(s.chunks); n > 0 {
		last := s.chunks[n-1]
		fits := min(cap(last)-len(last), len(p))
		s.chunks[n-1] = append(last, p[:fits]...)
		p = p[fits:]
	}
	if len(p) > 0 {
		s.chunks = append(s.chunks, append(s.chunk(len(p)), p...))
	}
}

// chunk is an empty one with room for n bytes.
func (s *Spool) chunk(n int) []byte {
	if last := len(s.free) - 1; last >= 0 && cap(s.free[last]) >= n {
		c := s.free[last]
		s.free = s.free[:last]
		return c[:0]
	}
	return make([]byte, 0, max(chunkSize, n))
}

func (s *Spool) spill(p []byte) (int, error) {
	if s.file == nil {
		f, err := os.CreateTemp("", "kubesdk-spool-")
		if err != nil {
			return 0, fmt.Errorf("keep output that is not read yet: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			_ = f.Close() // nothing is in it
			return 0, fmt.Errorf("keep output that is not read yet: %w", err)
		}
		s.file = f
	}
	n, err := s.file.WriteAt(p, s.written)
	s.written += int64(n)
	s.changed.Broadcast()
	if err != nil {
		return n, fmt.Errorf("keep output that is not read yet: %w", err)
	}
	return n, nil
}

// Close waits until everything written has been copied and returns the error of the copy.
func (s *Spool) Close() error {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	<-s.done
	return s.err
}

func (s *Spool) drain(out io.Writer) {
	defer close(s.done)
	buf := make([]byte, chunkSize)
	for {
		p, err := s.next(buf)
		if err == nil && p != nil {
			_, err = out.Write(p)
		}
		if err != nil || p == nil {
			s.finish(err)
			return
		}
	}
}

func (s *Spool) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.broken, s.chunks, s.size = err, err, nil, 0
	if s.file != nil {
		_ = s.file.Close() // it has no name and nobody reads it again
	}
	s.changed.Broadcast()
}

// next takes what is to be copied next, in the order of writing: memory is older than the file.
func (s *Spool) next(buf []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used != nil {
		s.free, s.used = append(s.free, s.used), nil
	}
	for {
		switch {
		case len(s.chunks) > 0:
			p := s.chunks[0]
			s.chunks = s.chunks[1:]
			s.size -= len(p)
			s.used = p
			s.changed.Broadcast()
			return p, nil
		case s.written > s.read:
			n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.written-s.read)], s.read)
			if n == 0 {
				return nil, fmt.Errorf("read back output that was not read yet: %w", err)
			}
			s.read += int64(n)
			if s.read == s.written {
				s.read, s.written = 0, 0
			}
			s.changed.Broadcast()
			return buf[:n], nil
		case s.closed:
			return nil, nil
		}
		s.waited = 0
		s.changed.Wait()
	}
}
