// Package manifest describes a tree of files (type, mode, size, times, links, and hashes where they are wanted), says what
// differs between two, and reads the description that [List] makes in a container. A copy is right when the manifest of
// what arrived is that of what was sent; a sync sends what differs; a continuous or a two-way one compares again.
//
//	plan := manifest.Compare(want, have, manifest.Policy{Delete: true})
package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Kind is what an entry is.
type Kind byte

// The kinds that can be copied, and the rest.
const (
	File    Kind = 'f'
	Dir     Kind = 'd'
	Symlink Kind = 'l'
	Other   Kind = 'o' // a device, a socket, a named pipe
)

// String is for people.
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Dir:
		return "folder"
	case Symlink:
		return "symbolic link"
	}
	return "device, socket or named pipe"
}

// Entry is one file.
type Entry struct {
	Path   string // relative, with slashes; any bytes but zero
	Kind   Kind
	Mode   uint32 // permissions with the bits 07000 for set-user-ID, set-group-ID and sticky
	Size   int64  // of files, in bytes
	MTime  time.Time
	CTime  time.Time // when anything of it last changed, by the clock of its machine; zero if unknown
	Target string    // of symbolic links
	First  string    // the first path of a file with several (hard links), for all but that one
	Sparse bool      // it takes less room than its size
	Hash   string    // of files, in hex; empty if not asked for

	inode [2]uint64 // device and number, where there are several links
}

// Manifest is a tree, sorted by path. The top itself is not an entry of it.
type Manifest struct {
	Entries []Entry
	Top     Entry     // the folder that the paths are in
	Now     time.Time // the clock of its machine
	Single  bool      // the top is no folder but the file that is the one entry
}

// Find returns the entry of a path.
func (m *Manifest) Find(p string) (*Entry, bool) {
	i, ok := slices.BinarySearchFunc(m.Entries, p, func(e Entry, p string) int { return cmp.Compare(e.Path, p) })
	if !ok {
		return nil, false
	}
	return &m.Entries[i], true
}

// Files counts files that have contents of their own, and their bytes.
func (m *Manifest) Files() (n int, bytes int64) {
	for _, e := range m.Entries {
		if e.Kind == File && e.First == "" {
			n++
			bytes += e.Size
		}
	}
	return n, bytes
}

// finish sorts, finds hard links, and checks that the paths make a tree.
func (m *Manifest) finish() error {
	slices.SortFunc(m.Entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	dirs := map[string]bool{".": true}
	for i := range m.Entries {
		e := &m.Entries[i]
		if err := CheckPath(e.Path); err != nil {
			return err
		}
		if i > 0 && m.Entries[i-1].Path == e.Path {
			return fmt.Errorf("%q is listed twice", e.Path)
		}
		dirs[e.Path] = e.Kind == Dir
	}
	m.Relink()
	for _, e := range m.Entries {
		if !dirs[path.Dir(e.Path)] {
			return fmt.Errorf("%q lies in what is not a folder", e.Path)
		}
	}
	return nil
}

// ErrPath is the error of a path that leaves its tree or names nothing.
var ErrPath = errors.New("refused")

// CheckPath refuses paths that could mean anything outside the tree, or the same as another.
func CheckPath(p string) error {
	switch {
	case p == "" || strings.HasPrefix(p, "/"):
		return fmt.Errorf("path %q: %w: it is absolute or empty", p, ErrPath)
	case strings.IndexByte(p, 0) >= 0:
		return fmt.Errorf("path %q: %w: it contains a zero byte", p, ErrPath)
	}
	for element := range strings.SplitSeq(p, "/") {
		if element == "" || element == "." || element == ".." {
			return fmt.Errorf("path %q: %w: it contains the element %q", p, ErrPath, element)
		}
	}
	return nil
}

// CheckLink refuses a symbolic link that points out of its tree.
func CheckLink(p, target string) error {
	if strings.HasPrefix(target, "/") {
		return fmt.Errorf("symbolic link %q to %q: %w: it is absolute", p, target, ErrPath)
	}
	depth := strings.Count(p, "/")
	for element := range strings.SplitSeq(target, "/") {
		switch element {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return fmt.Errorf("symbolic link %q to %q: %w: it leads out of the tree", p, target, ErrPath)
		}
	}
	return nil
}
