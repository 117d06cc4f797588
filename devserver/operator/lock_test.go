package operator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// alone waits until no other test program uses a cluster with an operator of its own: two operators on one cluster would be in
// each other's way. The lock ends with the program, or by the function.
func alone(cluster string) (done func(), err error) {
	path := filepath.Join(os.TempDir(), cluster+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close() // the lock's error says more
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // which unlocks
}
