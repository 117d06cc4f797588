package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrMissing reports that this machine or user lacks something that a node needs. The message names all of it.
var ErrMissing = errors.New("a node can't run here")

// programs are what a node runs, by the Debian package that has them.
var programs = []struct{ name, pkg string }{
	{"containerd", "containerd"},
	{"containerd-shim-runc-v2", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{"nft", "nftables"},
	{"mount", "mount"},
	{"umount", "mount"},
}

// Programs are the names of the programs that a node runs, all that it needs in PATH.
func Programs() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.name)
	}
	return names
}

// cniPlugins must be together in one of cniDirs.
var (
	cniPlugins = []string{"ptp", "host-local", "loopback"}
	cniDirs    = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
)

const cniPackage = "containernetworking-plugins"

// Requirements are what Check found.
type Requirements struct {
	// CNIBin is the directory of the CNI plugins.
	CNIBin string
}

// Check finds what a node needs on this machine. The error wraps [ErrMissing] and names everything that is not there and
// the Debian packages to install.
func Check() (Requirements, error) {
	r, problems, packages := Requirements{}, []string{}, []string{}
	switch {
	case os.Geteuid() != 0:
		problems = append(problems, "it needs root")
	case !capable(unix.CAP_SYS_ADMIN) || !capable(unix.CAP_NET_ADMIN):
		problems = append(problems, "root lacks the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN (a container must be privileged)")
	}
	missing := func(what, pkg string) {
		problems = append(problems, what+" is missing")
		if !slices.Contains(packages, pkg) {
			packages = append(packages, pkg)
		}
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			missing(p.name, p.pkg)
		}
	}
	r.CNIBin = findCNI(cniDirs)
	if r.CNIBin == "" {
		missing(fmt.Sprintf("the set of CNI plugins %s in %s", strings.Join(cniPlugins, ", "), strings.Join(cniDirs, " or ")), cniPackage)
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
		problems = append(problems, "no cgroups are mounted at /sys/fs/cgroup")
	}
	if !canWatchFiles(inotifyInstances) {
		problems = append(problems, fmt.Sprintf("the kernel refuses this user %d more inotify instances (stop another cluster, "+
			"or raise the limit: sysctl fs.inotify.max_user_instances=512)", inotifyInstances))
	}
	if len(problems) == 0 {
		return r, nil
	}
	hint := ""
	if len(packages) > 0 {
		hint = "; on Debian: apt-get install " + strings.Join(packages, " ")
	}
	return r, fmt.Errorf("%w: %s%s", ErrMissing, strings.Join(problems, ", "), hint)
}

// inotifyInstances is about how many a cluster with a node has open. Without them the kubelet and kube-proxy end at once.
const inotifyInstances = 20

// canWatchFiles reports whether this user can have so many more inotify instances.
func canWatchFiles(instances int) bool {
	for range instances {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return false
		}
		defer func() { _ = unix.Close(fd) }()
	}
	return true
}

// capable reports whether this process has the capability.
func capable(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}

func findCNI(dirs []string) string {
	for _, dir := range dirs {
		if !slices.ContainsFunc(cniPlugins, func(name string) bool {
			_, err := exec.LookPath(filepath.Join(dir, name))
			return err != nil
		}) {
			return dir
		}
	}
	return ""
}
