package sweep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

const cgroupRoot = "/sys/fs/cgroup"

// Cgroup is the name of the cgroup, at the top of every hierarchy, that holds the cluster's pods.
func Cgroup(dir state.Dir) string { return "localkube-" + dir.ID() }

// Hierarchies are the directories at which a cgroup of the name is to be made or found: one on cgroup v2, one for each
// controller on v1, where a machine may have v2 besides for no controller.
func Hierarchies(name string) []string {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return []string{filepath.Join(cgroupRoot, name)}
	}
	entries, _ := os.ReadDir(cgroupRoot)
	var dirs []string
	for _, e := range entries {
		if e.IsDir() { // the others are links like cpu -> cpu,cpuacct
			dirs = append(dirs, filepath.Join(cgroupRoot, e.Name(), name))
		}
	}
	return dirs
}

// cgroupProcesses finds the processes in the cgroup and those below it.
func cgroupProcesses(name string) []int {
	var pids []int
	for _, top := range Hierarchies(name) {
		_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.Name() != "cgroup.procs" {
				return nil //nolint:nilerr // cgroups come and go meanwhile
			}
			data, _ := os.ReadFile(path)
			for _, field := range strings.Fields(string(data)) {
				// A process of another pid namespace reads as 0.
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// removeCgroups removes the cgroup and those below it, which the kernel refuses for a moment after their processes ended.
func removeCgroups(name string) error {
	var err error
	for range 200 {
		err = nil
		for _, top := range Hierarchies(name) {
			err = errors.Join(err, removeTree(top))
		}
		if err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("remove the cgroups of the cluster's pods: %w", err)
}

func removeTree(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for _, dir := range slices.Backward(dirs) {
		if rmErr := os.Remove(dir); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
	}
	return err
}
