package stream_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/stream"
)

// gate is a writer that waits until it is opened.
type gate struct {
	open chan struct{}
	io.Writer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.Writer.Write(p)
}

// TestSpoolStalledReader writes far more than fits into memory while nobody reads, then reads it all.
func TestSpoolStalledReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := sha256.New()
		g := &gate{make(chan struct{}), got}
		s := stream.NewSpool(g, 1<<30)
		want := sha256.New()
		random := rand.New(rand.NewPCG(1, 2))
		start := time.Now()
		for range 400 {
			p := make([]byte, random.IntN(100_000))
			for i := range p {
				p[i] = byte(random.Uint32())
			}
			want.Write(p)
			if _, err := s.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited > 2*time.Second {
			t.Errorf("the writer was held up for %s by a reader that does not read", waited)
		}
		close(g.open)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want.Sum(nil), got.Sum(nil)) {
			t.Error("what was read is not what was written")
		}
	})
}

func TestSpoolBrokenReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r, w := io.Pipe()
	_ = r.CloseWithError(broken)
	s := stream.NewSpool(w, 1<<20)
	for range 1000 {
		if _, err := s.Write(make([]byte, 50_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestSpoolLimit: past the limit the writer waits for the reader.
func TestSpoolLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got bytes.Buffer
		g := &gate{make(chan struct{}), &got}
		s := stream.NewSpool(g, 1<<20)
		go func() {
			time.Sleep(time.Hour)
			close(g.open)
		}()
		start := time.Now()
		for range 200 {
			if _, err := s.Write(make([]byte, 50_000)); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(start) < time.Hour {
			t.Error("the writer did not wait")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got.Len() != 200*50_000 {
			t.Errorf("%d bytes arrived", got.Len())
		}
	})
}
