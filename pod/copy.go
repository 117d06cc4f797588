package pod

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// CopyOptions are the options of copies. The zero value copies everything.
type CopyOptions struct {
	// Include has patterns in the syntax of gitignore(5). If there are any, only what they match is copied, with the
	// folders that it is in.
	Include []string
	// Ignore has patterns of what is not copied; they win over Include.
	Ignore []string
	// IgnoreFile is the name of files in the source, such as ".gitignore", with more patterns to ignore, each for the
	// folder that it is in. Empty: there are none.
	IgnoreFile string
	// Progress is called now and then, from one goroutine at a time. It must not block for long.
	Progress func(Progress)
	// Helper is for containers without a shell or the usual tools.
	Helper HelperOptions
}

// Progress is how far a transfer has come.
type Progress struct {
	Path       string // of the file that is under way
	Files      int    // that have been begun
	TotalFiles int
	Bytes      int64 // of contents
	TotalBytes int64
}

// Report is what a transfer did, or, of a dry run, what it would do.
type Report struct {
	Changes []Change      // sorted by path
	Files   int           // whose contents were sent
	Bytes   int64         // of contents that were sent
	Took    time.Duration // from beginning to end
}

// Change is one change that a transfer makes to the destination.
type Change struct {
	Action string // "create", "change" (what it is or holds), "adjust" (only mode or time) or "delete"
	Path   string // relative to the destination, with slashes
	Kind   string // "file", "folder" or "symbolic link"
	Size   int64  // of files, in bytes
}

// String is one line for people.
func (c Change) String() string { return fmt.Sprintf("%s %s %s", c.Action, c.Kind, c.Path) }

func report(steps []manifest.Step) *Report {
	r := &Report{}
	for _, s := range steps {
		r.Changes = append(r.Changes, Change{string(s.Action), s.Entry.Path, s.Entry.Kind.String(), s.Entry.Size})
	}
	return r
}

// CopyTo copies a local file or tree into the container. to is the path that it gets there: a file's own path, not that of
// the folder it goes into; what is in a folder goes into the folder to. Folders above are made as needed; what is there
// already and not in the source stays.
//
// Modes, modification times, symbolic and hard links, empty folders and holes are kept; times to the second where the
// container's tar is BusyBox', else to the nanosecond. Owners are not, and the mode and time of the folder to itself only
// where the copy makes it. Devices, sockets and named pipes are an error.
//
// Nothing is in its place until all of it has arrived and been compared: number, size, hash, mode, time. Then each file
// replaces what was there by one rename. If the copy fails before, the old files are untouched.
//
// The container needs /bin/sh, tar and the usual commands of BusyBox or coreutils; see [HelperOptions] for others.
func CopyTo(ctx context.Context, t Target, from, to string, o CopyOptions) (*Report, error) {
	fail := func(err error) error { return fmt.Errorf("copy %s to %s in %s: %w", from, to, t, err) }
	start := time.Now()
	want, err := newFilter(o).scan(ctx, from)
	if err != nil {
		return nil, fail(err)
	}
	r, err := newRemote(ctx, t, o.Helper)
	if err != nil {
		return nil, fail(err)
	}
	u := &upload{remote: r, top: from, to: cleanRemote(to), want: want, plan: manifest.Everything(want), meter: newMeter(o.Progress)}
	if err := u.run(ctx); err != nil {
		return nil, fail(err)
	}
	return u.meter.report(u.plan.Steps, start), nil
}

// CopyFrom copies a file or tree of the container to this machine. It is CopyTo in the other direction, with the same
// rules. Times are kept to the nanosecond. What is cut off is asked for again, up to twice, but for whole files that have
// arrived.
//
// The container is not trusted: paths that are absolute or lead elsewhere, symbolic links that lead out of the tree, and
// devices are refused and named, before anything is in its place. Ignore what is not wanted.
func CopyFrom(ctx context.Context, t Target, from, to string, o CopyOptions) (*Report, error) {
	fail := func(err error) error { return fmt.Errorf("copy %s in %s to %s: %w", from, t, to, err) }
	start := time.Now()
	r, err := newRemote(ctx, t, o.Helper)
	if err != nil {
		return nil, fail(err)
	}
	from = cleanRemote(from)
	want, err := r.list(ctx, from, true)
	if err != nil {
		return nil, fail(err)
	}
	f := newFilter(o)
	if err := f.readRemote(ctx, r, from, want); err != nil {
		return nil, fail(err)
	}
	f.only(want)
	d := &download{remote: r, top: from, to: filepath.Clean(to), want: want, plan: manifest.Everything(want), meter: newMeter(o.Progress)}
	if err := d.run(ctx); err != nil {
		return nil, fail(err)
	}
	return d.meter.report(d.plan.Steps, start), nil
}

// cleanRemote makes a path that no program takes for an option.
func cleanRemote(p string) string {
	p = path.Clean(p)
	if !path.IsAbs(p) && p != "." {
		p = "./" + p
	}
	return p
}

// checkKinds refuses what cannot be copied.
func checkKinds(m *manifest.Manifest) error {
	for _, e := range m.Entries {
		if e.Kind == manifest.Other {
			return fmt.Errorf("path %q: %w: it is a %s; ignore it to copy the rest", e.Path, manifest.ErrPath, e.Kind)
		}
	}
	return nil
}

var errNoFolder = fmt.Errorf("is not a folder: %w", fs.ErrInvalid)
