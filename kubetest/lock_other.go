//go:build !unix

package kubetest

import (
	"errors"
	"runtime"
)

// lock: localkube is for Linux, and so is building it.
func lock(string) (unlock func(), err error) {
	return nil, errors.New("localkube does not run on " + runtime.GOOS + ": set " + kubeconfigEnv)
}
