package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked reports that another process holds the lock.
var ErrLocked = errors.New("another localkube is at work on this cluster")

// Lock is held by the process that changes a cluster. It ends with the process, however that ends.
type Lock struct {
	file *os.File
}

// Lock takes the cluster's lock, waiting for whoever holds it until ctx ends. waiting, which may be nil, is called once
// when it has to wait. The error wraps [ErrLocked] when ctx ended first.
func (d Dir) Lock(ctx context.Context, waiting func()) (*Lock, error) {
	for {
		l, err := d.TryLock()
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cluster %q: %w: %w", d.name, ErrLocked, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TryLock takes the cluster's lock if it is free, else its error wraps [ErrLocked].
func (d Dir) TryLock() (*Lock, error) {
	if err := os.MkdirAll(d.root, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory for clusters: %w", err)
	}
	path := filepath.Join(d.root, d.name+".lock")
	for {
		f, err := lockFile(path)
		if err != nil {
			return nil, err
		}
		// Release removes the file, so the one locked may have lost its name meanwhile: then it locks nobody out.
		held, err1 := f.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return &Lock{f}, nil
		}
		_ = f.Close()
	}
}

// Release gives the lock up and leaves no file behind.
func (l *Lock) Release() {
	_ = os.Remove(l.file.Name())
	_ = l.file.Close()
}

// HoldAlive marks the calling process as the cluster's supervisor until the file is closed. The error wraps [ErrLocked] if
// there is one already.
func (d Dir) HoldAlive() (*os.File, error) {
	for try := 0; ; try++ {
		f, err := lockFile(d.Path(aliveFile))
		// Alive takes the lock for a moment when it asks.
		if !errors.Is(err, ErrLocked) || try == 20 {
			return f, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Alive reports whether the cluster's supervisor runs. It asks the kernel for the supervisor's lock, so no process that
// happens to have got the same process id can be mistaken for it.
func (d Dir) Alive() bool {
	f, err := os.Open(d.Path(aliveFile))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		_ = f.Close()
		return nil, ErrLocked
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}
