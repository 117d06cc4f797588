package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// covered are the directories of the machine that the node has its own of, by their names in the cluster's directory.
var covered = []struct{ path, name string }{
	{"/run", "run"},
	{"/var/lib", "lib"},
	{"/var/log", "log"},
}

// sysctls are the settings of the whole machine that the kubelet insists on. It finds files with these values instead, so
// that it changes nothing that would outlive it.
var sysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

func furnish(dir state.Dir) error {
	if err := unix.Sethostname([]byte(plan.NodeName)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := mounts(dir); err != nil {
		return err
	}
	if err := network(); err != nil {
		return err
	}
	return cgroups(dir)
}

func mounts(dir state.Dir) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part the mounts from the machine's: %w", err)
	}
	real, err := filepath.EvalSymlinks(dir.Path())
	if err != nil {
		return err
	}
	home, err := os.Open(real)
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }()
	for _, c := range covered {
		source := filepath.Join(real, plan.NodeDir, c.name)
		if err := os.MkdirAll(source, 0o755); err != nil {
			return err
		}
		if err := bind(source, c.path); err != nil {
			return err
		}
		if strings.HasPrefix(real, c.path+"/") {
			if err := uncover(home, real); err != nil {
				return err
			}
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for name, value := range sysctls {
		if err := fakeSysctl(filepath.Join(real, plan.NodeDir, "sysctl"), name, value); err != nil {
			return err
		}
	}
	// Volumes are mounted by the kubelet and must reach the mount namespaces of containers.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts with containers: %w", err)
	}
	return nil
}

func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

// uncover brings the cluster's directory back, over which another was just mounted.
func uncover(home *os.File, path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return bind(fmt.Sprintf("/proc/self/fd/%d", home.Fd()), path)
}

func fakeSysctl(dir, name, value string) error {
	target := filepath.Join("/proc/sys", name)
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
		return nil // a kernel without it
	}
	source := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(source, []byte(value+"\n"), 0o644); err != nil {
		return err
	}
	return bind(source, target)
}

// network gives the namespace its one fixed address. It is on the loopback interface, the only one that every kernel has;
// pods get to it over their own links, which the CNI plugin makes.
func network() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring up the loopback interface: %w", err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(plan.NodeIP), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(lo, addr); err != nil {
		return fmt.Errorf("add the node's address %s: %w", plan.NodeIP, err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("let the node forward packets between pods: %w", err)
	}
	return nil
}

// cgroups makes the cgroup for pods, which the kubelet expects to find in every hierarchy.
func cgroups(dir state.Dir) error {
	for _, path := range sweep.Hierarchies(sweep.Cgroup(dir)) {
		delegate(filepath.Dir(path))
		if err := os.MkdirAll(path, 0o755); err != nil {
			return fmt.Errorf("make the cgroup of the pods: %w", err)
		}
		if err := inheritCpuset(path); err != nil {
			return err
		}
	}
	return nil
}

// delegate lets the cgroups in path have every controller that path itself has, which only cgroup v2 wants to be told. Which
// of them are needed the kubelet knows, and says.
func delegate(path string) {
	controllers, err := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
	if err != nil {
		return // cgroup v1
	}
	for _, c := range strings.Fields(string(controllers)) {
		// One by one, since one that can't be had would keep the others away.
		_ = os.WriteFile(filepath.Join(path, "cgroup.subtree_control"), []byte("+"+c), 0o644)
	}
}

// inheritCpuset fills in what cgroup v1 leaves empty in a new cpuset, in which no process could run.
func inheritCpuset(path string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			continue // another controller, or cgroup v2, which has nothing to fill in
		}
		if err := os.WriteFile(filepath.Join(path, name), value, 0o644); err != nil {
			return fmt.Errorf("give the pods' cgroup its processors: %w", err)
		}
	}
	return nil
}
