package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	configFile = "cluster.json"
	statusFile = "status.json"
	pidFile    = "supervisor.pid"
	aliveFile  = "supervisor.lock"
)

// Config is what a cluster was started with.
type Config struct {
	Name string `json:"name"`
	// Node says that pods can run: there are a kubelet, a container runtime, a proxy and a DNS server.
	Node bool `json:"node"`
	// Port is the API server's, on 127.0.0.1.
	Port int `json:"port"`
	// APIServerArgs are the user's own, "--name=value", after all others.
	APIServerArgs []string `json:"apiServerArgs,omitempty"`
	// IdleTimeout stops the cluster when its lease was not renewed for that long; zero is never.
	IdleTimeout time.Duration `json:"idleTimeout,omitempty"`
	Created     time.Time     `json:"created"`
	// Cgroup is the name of the cgroup for the pods of a node.
	Cgroup string `json:"cgroup,omitempty"`
	// CNIBin is the directory of the machine's CNI plugins.
	CNIBin string `json:"cniBin,omitempty"`
}

// Phase is what a cluster or one of its components is doing.
type Phase string

// The phases of a cluster. A component is Waiting for others, Starting, Ready or Exited.
const (
	Starting Phase = "Starting"
	Ready    Phase = "Ready"
	// Degraded is a cluster of which a component has died.
	Degraded Phase = "Degraded"
	// Dead is a cluster whose supervisor was killed; it is never written, only concluded.
	Dead Phase = "Dead"
	// Stopping is a cluster that will be gone in a moment.
	Stopping Phase = "Stopping"
	Waiting  Phase = "Waiting"
	Exited   Phase = "Exited"
)

// Status is what a cluster's supervisor reports.
type Status struct {
	Phase   Phase     `json:"phase"`
	Started time.Time `json:"started"`
	// Revived counts how often the dead components were started again.
	Revived    int         `json:"revived,omitempty"`
	Components []Component `json:"components"`
}

// Component is one step of starting a cluster, most of them a process that stays.
type Component struct {
	Name  string `json:"name"`
	Phase Phase  `json:"phase"`
	// PID is the process id as this machine sees it; zero when there is no process.
	PID int `json:"pid,omitempty"`
	// ReadyAfter is the time from the start of the component until it was ready.
	ReadyAfter time.Duration `json:"readyAfter,omitempty"`
	// ExitCode is that of an Exited process; -1 if a signal ended it.
	ExitCode int `json:"exitCode,omitempty"`
	// Message says how an Exited process ended, Log is the end of what it wrote.
	Message string `json:"message,omitempty"`
	Log     string `json:"log,omitempty"`
}

// WriteConfig records cfg.
func (d Dir) WriteConfig(cfg Config) error { return writeJSON(d.Path(configFile), cfg) }

// ReadConfig is what the cluster was started with; the error wraps [ErrNotFound] if there is no such cluster.
func (d Dir) ReadConfig() (Config, error) {
	var cfg Config
	err := readJSON(d.Path(configFile), &cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, fmt.Errorf("cluster %q: %w in %s", d.name, ErrNotFound, d.root)
	}
	return cfg, err
}

// WriteStatus records s for readers of [Dir.ReadStatus].
func (d Dir) WriteStatus(s Status) error { return writeJSON(d.Path(statusFile), s) }

// ReadStatus is what the supervisor reported last, which may be long ago: see [Dir.Alive]. Before its first report the
// status is zero.
func (d Dir) ReadStatus() (Status, error) {
	var s Status
	err := readJSON(d.Path(statusFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, err
}

// WritePID records the process id of the supervisor as this machine sees it.
func (d Dir) WritePID(pid int) error {
	return os.WriteFile(d.Path(pidFile), []byte(strconv.Itoa(pid)+"\n"), 0o600)
}

// PID is the process id that WritePID recorded. It means something only while the cluster is [Dir.Alive].
func (d Dir) PID() (int, error) {
	data, err := os.ReadFile(d.Path(pidFile))
	if err != nil {
		return 0, fmt.Errorf("find the supervisor: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(path, append(data, '\n'))
}

// WriteFile replaces path by data at once, so that a reader sees the old or the new content and never a part. Only the
// owner may read it.
func WriteFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
