// Package sweep takes away what a cluster has left on the machine, after its supervisor ended in whatever way: processes,
// mounts, cgroups and the directory. It needs nothing that a killed cluster could have failed to write.
package sweep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// Mark is the environment variable, "NAME=value", that every process of the cluster carries, and by which Remove finds it.
func Mark(dir state.Dir) string { return "LOCALKUBE_CLUSTER=" + dir.Path() }

// Remove takes away everything the cluster has left, and its directory last. It may be called again when it failed, and
// when there is nothing left. The supervisor must not be running; only the supervisor itself may call it for its own
// cluster.
func Remove(dir state.Dir) error {
	if err := Stop(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir.Path()); err != nil {
		return fmt.Errorf("remove the directory of cluster %q: %w", dir.Name(), err)
	}
	return nil
}

// RemoveIdle is [Remove] for a cluster that ends by itself, unless a command is at work on it: that will find a dead cluster
// and clean up.
func RemoveIdle(dir state.Dir) error {
	lock, err := dir.TryLock()
	if errors.Is(err, state.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	return Remove(dir)
}

// Stop is [Remove] without the directory, for those who want to read the logs in it.
func Stop(dir state.Dir) error {
	if err := killProcesses(dir); err != nil {
		return err
	}
	if err := removeCgroups(Cgroup(dir)); err != nil {
		return err
	}
	return UnmountBelow(dir.Path())
}

// killProcesses ends every process that carries the cluster's mark or runs in its cgroups, and waits until they are gone.
func killProcesses(dir state.Dir) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		pids := append(marked(Mark(dir)), cgroupProcesses(Cgroup(dir))...)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of cluster %q do not end, though killed", pids, dir.Name())
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// marked finds the processes whose environment has the variable, but for this one and the first of a pid namespace, which
// none of its own can kill.
func marked(variable string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || pid == 1 {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), variable) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// UnmountBelow unmounts everything that is mounted in dir or deeper, in the mount namespace of this process.
func UnmountBelow(dir string) error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	var points []string
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) > 4 {
			if point := unescape(fields[4]); strings.HasPrefix(point, dir+"/") {
				points = append(points, point)
			}
		}
	}
	var errs []error
	for _, point := range slices.Backward(points) {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}

// unescape undoes what the kernel does to blanks and the like in mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
