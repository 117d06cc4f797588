package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// names are all that the tests give to clusters: from them follow the names of cgroups.
var names = []string{"lk-a", "lk-b"}

// leftovers finds what belongs to the farm's clusters: processes, mounts, cgroups.
func (f farm) leftovers() []string {
	var found []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		env, _ := os.ReadFile(proc + "/environ")
		args, _ := os.ReadFile(proc + "/cmdline")
		// A process inherits the farm's directory in its environment, whichever program it is.
		if strings.Contains(string(env), f.dir) {
			found = append(found, fmt.Sprintf("process %s: %s", filepath.Base(proc), strings.ReplaceAll(string(args), "\x00", " ")))
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, f.dir) {
			found = append(found, "mount "+line)
		}
	}
	for _, name := range names {
		dir, err := state.In(f.root(), name)
		if err != nil {
			found = append(found, err.Error())
			continue
		}
		for _, path := range sweep.Hierarchies(sweep.Cgroup(dir)) {
			if _, err := os.Stat(path); err == nil {
				found = append(found, "cgroup "+path)
			}
		}
	}
	return found
}

// network lists the machine's interfaces and firewall tables, none of which a cluster may add to.
func network() (string, error) {
	var b strings.Builder
	links, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, l := range links {
		fmt.Fprintln(&b, "interface", l.Name)
	}
	tables, err := exec.Command("nft", "list", "tables").Output()
	b.Write(tables)
	namespaces, _ := filepath.Glob("/run/netns/*")
	fmt.Fprintln(&b, namespaces)
	return b.String(), err
}
