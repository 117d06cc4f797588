package pod

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// download makes a local tree as a plan says.
type download struct {
	remote *remote
	top    string // the tree or file in the container
	to     string // where it goes
	want   *manifest.Manifest
	plan   manifest.Plan
	force  bool // what is in the way may be deleted
	meter  *meter

	root  *os.Root // everything is written below it and nowhere else
	dest  string   // the destination in root: "." if it was there
	stage string   // in root
}

// base is the folder that the paths of the manifest are in, in the container.
func (d *download) base() string {
	if d.want.Single {
		return path.Dir(d.top)
	}
	return d.top
}

func (d *download) run(ctx context.Context) error {
	if err := d.check(); err != nil {
		return err
	}
	source := map[string]string{}
	if d.want.Single {
		if len(d.want.Entries) != 1 {
			return fmt.Errorf("%s lists %d entries for one file", d.remote.target, len(d.want.Entries))
		}
		e := &d.want.Entries[0]
		source[filepath.Base(d.to)] = e.Path
		e.Path = filepath.Base(d.to)
		d.plan = manifest.Everything(d.want)
	}
	if err := d.open(); err != nil {
		return err
	}
	defer func() {
		_ = d.root.RemoveAll(d.stage) // a stage that is left over does no harm: it is passed over
		_ = d.root.Close()            // everything in it was closed
	}()
	if err := d.clash(); err != nil {
		return err
	}
	if err := d.fetch(ctx, source); err != nil {
		return err
	}
	if err := d.link(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return d.commit()
}

// check refuses what must not be made on this machine.
func (d *download) check() error {
	if err := checkKinds(d.want); err != nil {
		return err
	}
	for _, s := range d.plan.Steps {
		if s.Entry.Kind == manifest.Symlink && s.Action != manifest.Delete {
			if err := manifest.CheckLink(s.Entry.Path, s.Entry.Target); err != nil {
				return fmt.Errorf("%w; ignore it to copy the rest", err)
			}
		}
	}
	return nil
}

// open finds the folder to work in: the destination if it is there, else the one it will be in.
func (d *download) open() error {
	info, err := os.Stat(d.to)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in := d.to
	d.dest = "."
	switch {
	case d.want.Single && there && info.IsDir():
		return fmt.Errorf("%s is a folder: name the file in it", d.to)
	case d.want.Single:
		in = filepath.Dir(d.to)
	case there && !info.IsDir():
		return fmt.Errorf("%s %w", d.to, errNoFolder)
	case !there:
		in, d.dest = filepath.Dir(d.to), filepath.Base(d.to)
	}
	if err := os.MkdirAll(in, 0o755); err != nil {
		return err
	}
	if d.root, err = os.OpenRoot(in); err != nil {
		return err
	}
	d.stage = stageName()
	return d.root.Mkdir(d.stage, 0o700)
}

// clash refuses to replace a folder by something else and the other way around, unless that is wanted.
func (d *download) clash() error {
	if d.force || d.dest != "." {
		return nil
	}
	for _, s := range d.plan.Steps {
		if s.Action == manifest.Delete {
			continue
		}
		info, err := d.root.Lstat(filepath.FromSlash(s.Entry.Path))
		if err == nil && info.IsDir() != (s.Entry.Kind == manifest.Dir) {
			return fmt.Errorf("%s is in the way: it is not a %s", filepath.Join(d.to, filepath.FromSlash(s.Entry.Path)), s.Entry.Kind)
		}
	}
	return nil
}

func (d *download) staged(p string) string { return filepath.Join(d.stage, filepath.FromSlash(p)) }

// fetch receives the contents of files into the stage and compares them with what the container says of them.
func (d *download) fetch(ctx context.Context, source map[string]string) error {
	want := map[string]manifest.Entry{} // by their paths in the container
	var paths, unknown []string
	var size int64
	made := map[string]bool{}
	for _, s := range d.plan.Steps {
		e := s.Entry
		if s.Action != manifest.Create && s.Action != manifest.Change {
			continue
		}
		dir := path.Dir(e.Path)
		if e.Kind == manifest.Dir {
			dir = e.Path
		}
		if !made[dir] {
			if err := d.root.MkdirAll(d.staged(dir), 0o755); err != nil {
				return err
			}
			made[dir] = true
		}
		if e.Kind != manifest.File || e.First != "" {
			continue
		}
		from := e.Path
		if p, ok := source[e.Path]; ok {
			from = p
		}
		want[from] = e
		paths = append(paths, from)
		if e.Hash == "" {
			unknown = append(unknown, from)
		}
		size += e.Size
	}
	d.meter.total(len(want), size)
	if len(paths) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		hashes map[string]string
		err    error
	}
	said := make(chan result, 1)
	go func() {
		h, err := d.remote.hashes(ctx, d.remote.kit.proof, d.base(), unknown)
		said <- result{h, err}
	}()
	got := map[string]string{}
	err := again(ctx, func() error {
		paths = slices.DeleteFunc(paths, func(p string) bool { _, ok := got[p]; return ok })
		return d.receive(ctx, paths, want, got)
	})
	if err != nil {
		cancel()
		<-said
		return err
	}
	there := <-said
	if there.err != nil {
		return there.err
	}
	for p := range want {
		hash := want[p].Hash
		if hash == "" {
			hash = there.hashes[p]
		}
		if got[p] != hash {
			return fmt.Errorf("%q changed while it was copied, or arrived wrong: its contents are not those in the container", p)
		}
	}
	return nil
}

// receive gets files and adds their hashes to got, also to those of them that came before an error.
func (d *download) receive(ctx context.Context, paths []string, want map[string]manifest.Entry, got map[string]string) error {
	if len(paths) == 0 { // only the end was missing
		return nil
	}
	wanted := make(map[string]manifest.Entry, len(paths))
	for _, p := range paths {
		wanted[p] = want[p]
	}
	read, write := io.Pipe()
	packed := make(chan error, 1)
	whole := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		buffered := bufio.NewWriterSize(write, handOver)
		err := d.remote.run(ctx, opPack, pathList(paths), buffered, d.base(), d.remote.kit.packFlags())
		if err == nil {
			err = buffered.Flush()
		}
		_ = write.CloseWithError(err) // of a pipe: it never fails
		packed <- err
	}()
	var last string
	var lastBytes int64
	arrived, err := archive.Extract(read, d.root, d.stage, wanted, d.remote.kit.proof.New, func(p string, n int64) {
		if p != last {
			last, lastBytes = p, 0
			d.meter.file(p)
		}
		lastBytes += n
		d.meter.bytes(p, n)
	})
	maps.Copy(got, arrived)
	if _, whole := arrived[last]; !whole && last != "" {
		d.meter.undo(lastBytes)
	}
	_ = read.CloseWithError(errReceiveEnded) // of a pipe: it never fails
	if err != nil {
		cancel()
	}
	packErr := <-packed
	if whole.Err() != nil {
		return context.Cause(whole)
	}
	if packErr != nil && (err == nil || !errors.Is(packErr, context.Canceled)) && !errors.Is(packErr, errReceiveEnded) {
		err = packErr
	}
	return err
}

var errReceiveEnded = errors.New("what is packed is not wanted any more")

// link makes links in the stage, when all files are there: none is ever written through one.
func (d *download) link() error {
	for _, s := range d.plan.Steps {
		e := s.Entry
		if s.Action != manifest.Create && s.Action != manifest.Change {
			continue
		}
		var err error
		switch {
		case e.Kind == manifest.Symlink:
			err = d.root.Symlink(e.Target, d.staged(e.Path))
		case e.Kind == manifest.File && e.First != "":
			err = d.root.Link(d.staged(e.First), d.staged(e.Path))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commit puts into place what is staged, one rename for each file, and then sets modes and times.
func (d *download) commit() error {
	if d.dest != "." { // all of it is new
		return d.commitNew()
	}
	for i := len(d.plan.Steps) - 1; i >= 0; i-- {
		if s := d.plan.Steps[i]; s.Action == manifest.Delete {
			if err := d.root.Remove(filepath.FromSlash(s.Entry.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	for _, s := range d.plan.Steps {
		if err := d.place(s); err != nil {
			return err
		}
	}
	return d.setDirs(".")
}

func (d *download) place(s manifest.Step) error {
	e, name := s.Entry, filepath.FromSlash(s.Entry.Path)
	switch {
	case s.Action == manifest.Delete:
		return nil
	case s.Action == manifest.Adjust && e.Kind == manifest.File:
		if err := d.root.Chmod(name, e.FileMode()); err != nil {
			return err
		}
		return d.root.Chtimes(name, e.MTime, e.MTime)
	case s.Action == manifest.Adjust:
		return nil
	}
	info, err := d.root.Lstat(name)
	if err == nil && info.IsDir() != (e.Kind == manifest.Dir) {
		if !d.force {
			return fmt.Errorf("%s is in the way: it is not a %s", filepath.Join(d.to, name), e.Kind)
		}
		if err := d.root.RemoveAll(name); err != nil {
			return err
		}
	}
	if e.Kind != manifest.Dir {
		return d.root.Rename(d.staged(e.Path), name)
	}
	if err := d.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (d *download) commitNew() error {
	if err := d.setDirs(d.stage); err != nil {
		return err
	}
	top := d.want.Top
	if err := d.root.Chmod(d.stage, top.FileMode()|0o700); err != nil {
		return err
	}
	if err := d.root.Rename(d.stage, d.dest); err != nil {
		return err
	}
	if err := d.root.Chmod(d.dest, top.FileMode()); err != nil {
		return err
	}
	return d.root.Chtimes(d.dest, top.MTime, top.MTime)
}

// setDirs sets modes and times of folders, the inner ones first.
func (d *download) setDirs(in string) error {
	touched := touchedDirs(d.plan.Steps)
	for i := len(d.want.Entries) - 1; i >= 0; i-- {
		e := d.want.Entries[i]
		if e.Kind != manifest.Dir || !touched[e.Path] {
			continue
		}
		name := filepath.Join(in, filepath.FromSlash(e.Path))
		if err := d.root.Chmod(name, e.FileMode()); err != nil {
			return err
		}
		if err := d.root.Chtimes(name, e.MTime, e.MTime); err != nil {
			return err
		}
	}
	return nil
}
