package supervisor

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func newDir(t *testing.T) state.Dir {
	t.Helper()
	dir, err := state.In(t.TempDir(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Create(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForwardPassesBothWaysAndTheEnd(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// It answers only when it has seen the end of the question.
		question, _ := io.ReadAll(conn)
		conn.Write(append(question, '!'))
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := front.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	front.Close()
	stop, err := forward(socket, server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	conn, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("hello"))
	conn.(*net.TCPConn).CloseWrite()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if answer, err := io.ReadAll(conn); string(answer) != "hello!" {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestForwardClosesWhatLeadsNowhere(t *testing.T) {
	t.Parallel()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := front.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	address := front.Addr().String()
	front.Close()
	stop, err := forward(socket, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection stays open: %v", err)
	}
}

func TestLockIdle(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	if lock := lockIdle(dir, time.Minute); lock != nil {
		t.Error("a cluster without a lease is idle")
	}
	if err := dir.Touch(); err != nil {
		t.Fatal(err)
	}
	if lock := lockIdle(dir, time.Minute); lock != nil {
		t.Error("a cluster in use is idle")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir.Path("lease"), old, old); err != nil {
		t.Fatal(err)
	}
	held, err := dir.TryLock()
	if err != nil {
		t.Fatal(err)
	}
	if lock := lockIdle(dir, time.Minute); lock != nil {
		t.Error("a cluster that a command is at work on is idle")
	}
	held.Release()
	lock := lockIdle(dir, time.Minute)
	if lock == nil {
		t.Fatal("an idle cluster is not seen")
	}
	lock.Release()
}

func TestPhaseFollowsFromComponents(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s := newSupervisor(dir, state.Config{Name: "c"})
	set := func(phase state.Phase) {
		for i := range s.status.Components {
			s.status.Components[i].Phase = phase
		}
	}
	for _, tt := range []struct {
		all, first, want state.Phase
	}{
		{state.Waiting, state.Waiting, state.Starting},
		{state.Ready, state.Starting, state.Starting},
		{state.Ready, state.Ready, state.Ready},
		{state.Ready, state.Exited, state.Degraded},
		{state.Starting, state.Exited, state.Degraded},
	} {
		set(tt.all)
		s.status.Components[0].Phase = tt.first
		if err := s.report(); err != nil {
			t.Fatal(err)
		}
		got, err := dir.ReadStatus()
		if err != nil || got.Phase != tt.want {
			t.Errorf("all %s, one %s: %s, %v; want %s", tt.all, tt.first, got.Phase, err, tt.want)
		}
	}
}

func TestStoppingIsReported(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	if err := newSupervisor(dir, state.Config{Name: "c"}).reportStopping(); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.ReadStatus(); err != nil || got.Phase != state.Stopping {
		t.Errorf("%s, %v", got.Phase, err)
	}
}

func TestEventsOfAnEarlierStartAreStale(t *testing.T) {
	t.Parallel()
	s := newSupervisor(newDir(t), state.Config{Name: "c"})
	s.started[0] = time.Now()
	s.status.Components[0].Phase = state.Starting
	s.handle(event{step: 0, started: s.started[0].Add(-time.Second)})
	if got := s.status.Components[0].Phase; got != state.Starting {
		t.Errorf("a stale event made it %s", got)
	}
	s.handle(event{step: 0, started: s.started[0]})
	if got := s.status.Components[0].Phase; got != state.Ready {
		t.Errorf("the event made it %s", got)
	}
}
