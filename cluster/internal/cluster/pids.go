package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// machinePIDs replaces the process ids that hold in the node's pid namespace by those of this machine.
func machinePIDs(dir state.Dir, components []state.Component) {
	leader, err := dir.PID()
	if err != nil {
		return
	}
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", leader))
	if err != nil {
		return
	}
	byNamespaced := map[int]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range dirs {
		if ns, err := os.Readlink(proc + "/ns/pid"); err != nil || ns != namespace {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(proc))
		byNamespaced[namespaced(proc)] = pid
	}
	for i := range components {
		components[i].PID = byNamespaced[components[i].PID]
	}
}

// namespaced is the process's id in the innermost of its pid namespaces.
func namespaced(proc string) int {
	data, err := os.ReadFile(proc + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			ids := strings.Fields(rest)
			pid, _ := strconv.Atoi(ids[len(ids)-1])
			return pid
		}
	}
	return 0
}
