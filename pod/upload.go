package pod

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// upload makes a tree in the container as a plan says.
type upload struct {
	remote *remote
	top    string // the local tree or file
	to     string // where it goes
	want   *manifest.Manifest
	plan   manifest.Plan
	force  bool // what is in the way may be deleted
	meter  *meter

	hashes map[string]string // of what was sent
}

// base is the folder that the paths of the manifest are in, in the container.
func (u *upload) base() string {
	if u.want.Single {
		return path.Dir(u.to)
	}
	return u.to
}

func (u *upload) run(ctx context.Context) error {
	if err := checkKinds(u.want); err != nil {
		return err
	}
	root, err := u.open()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it is only read from
	names := map[string]string{}
	if u.want.Single {
		e := &u.want.Entries[0]
		names[path.Base(u.to)] = e.Path
		e.Path = path.Base(u.to)
		u.plan = manifest.Everything(u.want)
	}
	var send []manifest.Entry
	for _, s := range u.plan.Steps {
		if s.Action == manifest.Create || s.Action == manifest.Change {
			send = append(send, s.Entry)
		}
	}
	u.count(send)
	stage, arrived, err := u.unpack(ctx, root, send, names)
	if err == nil {
		err = u.finish(ctx, stage, arrived, send)
	}
	if err != nil && stage != "" {
		u.remote.discard(ctx, stage)
	}
	return err
}

func (u *upload) open() (*os.Root, error) {
	dir := u.top
	if u.want.Single {
		real, err := filepath.EvalSymlinks(u.top)
		if err != nil {
			return nil, err
		}
		dir = filepath.Dir(real)
		u.want.Entries[0].Path = filepath.Base(real)
	}
	return os.OpenRoot(dir)
}

func (u *upload) count(send []manifest.Entry) {
	files, size := (&manifest.Manifest{Entries: send}).Files()
	u.meter.total(files, size)
}

// unpack sends what is to be made into a folder of its own in the container, and returns its path and what is in it then.
func (u *upload) unpack(ctx context.Context, root *os.Root, send []manifest.Entry, names map[string]string) (stage string, arrived *manifest.Manifest, err error) {
	kit := u.remote.kit
	var packErr error
	packed := inputSource(func(to io.Writer) error {
		buffered := bufio.NewWriterSize(to, packBuffer)
		w := archive.NewWriter(buffered, root, kit.gnu, kit.proof.New)
		w.Sent = u.meter.bytes
		err := u.pack(w, send, names)
		if err == nil {
			err = buffered.Flush()
		}
		u.hashes = w.Hashes
		if !errors.Is(err, errNotTaken) {
			packErr = err
		}
		return err
	})
	err = u.remote.runInto(ctx, opUnpack, packed, func(out io.Reader) error {
		said := bufio.NewReaderSize(out, handOver)
		where, err := said.ReadSlice(0)
		if err != nil {
			return fmt.Errorf("it did not say where it unpacked: %w", err)
		}
		stage = string(where[:len(where)-1])
		arrived, err = manifest.Parse(said, true)
		return err
	}, u.base(), stageName(), kit.unpackFlags(), kit.proof.Program, kit.fast)
	if packErr != nil {
		err = packErr
	}
	return stage, arrived, err
}

// packBuffer is how many bytes of small files are sent at once. Pieces of large ones are larger and pass it by.
const packBuffer = 64 << 10

// pack writes what is to be sent. names has the local paths of what has another name there.
func (u *upload) pack(w *archive.Writer, send []manifest.Entry, names map[string]string) error {
	for _, e := range send {
		from := e.Path
		if s, ok := names[e.Path]; ok {
			from = s
		}
		if e.Kind == manifest.File && e.First == "" {
			u.meter.file(e.Path)
		}
		if err := w.Add(e, from); err != nil {
			return err
		}
	}
	return w.Close()
}

// finish compares what has arrived with what was sent, and puts it into place.
func (u *upload) finish(ctx context.Context, stage string, arrived *manifest.Manifest, send []manifest.Entry) error {
	if err := u.compare(arrived, send); err != nil {
		return err
	}
	if err := u.adjust(ctx); err != nil {
		return err
	}
	if err := u.delete(ctx); err != nil {
		return err
	}
	dirs, err := u.dirs(path.Dir(stage) != u.base())
	if err != nil {
		return err
	}
	force := ""
	if u.force {
		force = "force"
	}
	return u.remote.run(ctx, opCommit, dirs, nil, stage, u.base(), force, u.remote.kit.unpackFlags())
}

// compare holds what has arrived to what was sent.
func (u *upload) compare(arrived *manifest.Manifest, send []manifest.Entry) error {
	count := 0
	for _, want := range send {
		got, ok := arrived.Find(want.Path)
		if !ok {
			return fmt.Errorf("%q did not arrive", want.Path)
		}
		hash := u.hashes[want.Path]
		if want.First != "" {
			hash = u.hashes[want.First]
		}
		var wrong string
		switch {
		case got.Kind != want.Kind:
			wrong = "it is a " + got.Kind.String()
		case want.Kind == manifest.Symlink && got.Target != want.Target:
			wrong = fmt.Sprintf("it links to %q", got.Target)
		case want.Kind == manifest.File && got.Size != want.Size:
			wrong = fmt.Sprintf("it has %d bytes instead of %d", got.Size, want.Size)
		case want.Kind == manifest.File && got.Hash != hash:
			wrong = "its contents are not those that were sent"
		case want.Kind == manifest.File && want.First == "" && (got.Mode != want.Mode || !manifest.SameTime(got.MTime, want.MTime)):
			wrong = fmt.Sprintf("its mode is %o and its time %s instead of %o and %s", got.Mode, got.MTime, want.Mode, want.MTime)
		}
		if wrong != "" {
			return fmt.Errorf("%q arrived wrong: %s", want.Path, wrong)
		}
		count++
	}
	for _, got := range arrived.Entries {
		if got.Kind != manifest.Dir {
			count--
		}
	}
	for _, want := range send {
		if want.Kind == manifest.Dir {
			count--
		}
	}
	if count != 0 {
		return fmt.Errorf("%d more entries arrived than were sent", -count)
	}
	return nil
}

// adjust sets modes and times of files whose contents are right.
func (u *upload) adjust(ctx context.Context) error {
	var list bytes.Buffer
	for _, s := range u.plan.Steps {
		if s.Action != manifest.Adjust || s.Entry.Kind != manifest.File {
			continue
		}
		seconds := strconv.FormatInt(s.Entry.MTime.Unix(), 10)
		if n := s.Entry.MTime.Nanosecond(); n != 0 && u.remote.kit.gnu {
			seconds += fmt.Sprintf(".%09d", n)
		}
		fmt.Fprintf(&list, "%o\x00%s\x00./%s\x00", s.Entry.Mode, seconds, s.Entry.Path)
	}
	if list.Len() == 0 {
		return nil
	}
	return u.remote.run(ctx, opAdjust, &list, nil, u.base())
}

func (u *upload) delete(ctx context.Context) error {
	paths := deletions(u.plan.Steps)
	if len(paths) == 0 {
		return nil
	}
	return u.remote.run(ctx, opDelete, pathList(paths), nil, u.base())
}

// deletions are the paths to delete, without what is in folders that are deleted.
func deletions(steps []manifest.Step) []string {
	var paths []string
	gone := map[string]bool{}
	for _, s := range steps { // folders come before what is in them
		if s.Action != manifest.Delete {
			continue
		}
		gone[s.Entry.Path] = true
		if !gone[path.Dir(s.Entry.Path)] {
			paths = append(paths, s.Entry.Path)
		}
	}
	return paths
}

// dirs is an archive of the folders whose mode or time must be set when everything is in its place.
func (u *upload) dirs(newTop bool) (io.Reader, error) {
	var b bytes.Buffer
	w := archive.NewWriter(&b, nil, u.remote.kit.gnu, u.remote.kit.proof.New)
	touched := touchedDirs(u.plan.Steps)
	for _, e := range u.want.Entries {
		if e.Kind == manifest.Dir && touched[e.Path] {
			if err := w.AddDir(e); err != nil {
				return nil, err
			}
		}
	}
	if newTop && !u.want.Single {
		top := u.want.Top
		top.Path = ""
		if err := w.AddDir(top); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &b, nil
}

// touchedDirs are the folders that a plan makes or changes, or changes something in.
func touchedDirs(steps []manifest.Step) map[string]bool {
	touched := map[string]bool{}
	for _, s := range steps {
		if s.Entry.Kind == manifest.Dir && s.Action != manifest.Delete {
			touched[s.Entry.Path] = true
		}
		if s.Action != manifest.Adjust {
			touched[path.Dir(s.Entry.Path)] = true
		}
	}
	return touched
}
