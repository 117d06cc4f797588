package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"time"
)

// DefaultName is the name of the cluster that a command means when none is given.
const DefaultName = "default"

// ErrNotFound reports that no cluster of the given name has a directory.
var ErrNotFound = errors.New("no such cluster")

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// ValidateName reports why name can't name a cluster: names are DNS labels of at most 40 characters, since they appear in
// file names, kubeconfig contexts and certificates.
func ValidateName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("invalid cluster name %q: use at most 40 lower-case letters, digits and '-', "+
			"beginning and ending with a letter or digit", name)
	}
	return nil
}

// DefaultRoot is the directory that holds the clusters of this user: $XDG_STATE_HOME/localkube, else
// ~/.local/state/localkube.
func DefaultRoot() (string, error) {
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "localkube"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the directory for clusters: %w; give one with --dir", err)
	}
	return filepath.Join(home, ".local", "state", "localkube"), nil
}

// Dir is a cluster's directory. The zero value is not useful; make one with [In]. It is safe for concurrent use.
type Dir struct {
	root, name string
}

// In is the directory of the cluster name under root, which need not exist. A relative root is taken from the working directory.
func In(root, name string) (Dir, error) {
	if err := ValidateName(name); err != nil {
		return Dir{}, err
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return Dir{}, fmt.Errorf("find the directory %s: %w", root, err)
	}
	return Dir{root: abs, name: name}, nil
}

// At is the cluster whose directory is path.
func At(path string) (Dir, error) { return In(filepath.Dir(path), filepath.Base(path)) }

// List names the clusters under root that have a directory with a configuration, sorted. A missing root holds none.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() || ValidateName(e.Name()) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, e.Name(), configFile)); err == nil {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// Name is the cluster's name.
func (d Dir) Name() string { return d.name }

// Path is the absolute path of the cluster's directory, or of the file in it that elem names.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.root, d.name}, elem...)...)
}

// Log is the path of a component's log.
func (d Dir) Log(component string) string { return d.Path("logs", component+".log") }

// Kubeconfig is the path of the administrator's kubeconfig.
func (d Dir) Kubeconfig() string { return d.Path("kubeconfig") }

// ID tells this cluster apart from every other of this machine, also from one of the same name under another root. It is
// short enough for the name of a network interface.
func (d Dir) ID() string {
	sum := sha256.Sum256([]byte(d.Path()))
	return hex.EncodeToString(sum[:4])
}

// Exists reports whether the directory is there.
func (d Dir) Exists() bool {
	_, err := os.Stat(d.Path())
	return err == nil
}

// Create makes the directory, readable by its owner only: it holds private keys and an unprotected etcd socket.
func (d Dir) Create() error {
	if err := os.MkdirAll(d.Path("logs"), 0o700); err != nil {
		return fmt.Errorf("create the cluster's directory: %w", err)
	}
	return os.Chmod(d.Path(), 0o700)
}

// Touch renews the lease: a cluster with an idle timeout stops itself when nobody has done so for that long.
func (d Dir) Touch() error {
	path := d.Path("lease")
	now := time.Now()
	err := os.Chtimes(path, now, now)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		return fmt.Errorf("renew the lease of cluster %q: %w", d.name, err)
	}
	return nil
}

// Leased is when the lease was last renewed.
func (d Dir) Leased() (time.Time, error) {
	info, err := os.Stat(d.Path("lease"))
	if err != nil {
		return time.Time{}, fmt.Errorf("read the lease of cluster %q: %w", d.name, err)
	}
	return info.ModTime(), nil
}
