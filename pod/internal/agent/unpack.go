package agent

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// unpack unpacks an archive into a new folder in or beside the target, says where that is, and lists what is in it.
func (a agent) unpack(target, name, hasher string) (err error) {
	in := target
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in = filepath.Dir(target)
		if err := os.MkdirAll(in, 0o755); err != nil {
			return err
		}
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: Not a directory", target)
	}
	stage := in + "/" + name // not cleaned: ./x stays that
	if in == "/" {
		stage = "/" + name
	}
	if err := os.Mkdir(stage, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(stage) // the first error is the one to tell
		}
	}()
	if err := extract(a.in, stage); err != nil {
		return err
	}
	if err := fillSparse(stage); err != nil {
		return err
	}
	if _, err := io.WriteString(a.out, stage+"\x00"); err != nil {
		return err
	}
	return a.list(stage, hasher)
}

// extract writes an archive below dir. Folders get their modes and times at the end.
func extract(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // everything in it was closed
	var dirs []*tar.Header
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir {
			dirs = append(dirs, h)
		}
		if err := entry(root, tr, h); err != nil {
			return err
		}
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := finish(root, dirs[i]); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

func entry(root *os.Root, tr *tar.Reader, h *tar.Header) error {
	name := filepath.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		return nil
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(filepath.Clean(h.Linkname), name)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, tr); err != nil {
			_ = f.Close() // the first error is the one to tell
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		return finish(root, h)
	}
	return fmt.Errorf("%s: type %q", name, h.Typeflag)
}

func finish(root *os.Root, h *tar.Header) error {
	e := manifest.Entry{Mode: uint32(h.Mode) & 0o7777} //nolint:gosec // of 12 bits
	if err := root.Chmod(filepath.Clean(h.Name), e.FileMode()); err != nil {
		return err
	}
	return root.Chtimes(filepath.Clean(h.Name), h.ModTime, h.ModTime)
}

// fillSparse puts the data of sparse files into place: see package archive.
func fillSparse(stage string) error {
	dir := filepath.Join(stage, archive.Sparse)
	list, err := os.ReadFile(filepath.Join(dir, "list"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		if err := fill(dir, strings.Fields(line)); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

const block = 4096

func fill(dir string, fields []string) error {
	if len(fields) < 3 {
		return errors.New("the list of sparse files is broken")
	}
	data := filepath.Join(dir, fields[0])
	numbers := make([]int64, len(fields))
	for i, f := range fields {
		base := 10
		if i == 2 {
			base = 8
		}
		n, err := strconv.ParseInt(f, base, 64)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	from, err := os.Open(data)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(data+".out", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = to.Truncate(numbers[1])
	for at := 3; at+2 < len(numbers) && err == nil; at += 3 {
		_, err = io.Copy(io.NewOffsetWriter(to, numbers[at+1]*block), io.NewSectionReader(from, numbers[at]*block, numbers[at+2]*block))
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	e := manifest.Entry{Mode: uint32(numbers[2])} //nolint:gosec // of 12 bits
	if err := os.Chmod(data+".out", e.FileMode()); err != nil {
		return err
	}
	return os.Chtimes(data+".out", time.Now(), info.ModTime())
}

// commit moves what is staged into the target and sets the modes and times of folders.
func (a agent) commit(stage, target string, force bool) error {
	if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
		if err := os.Chmod(stage, 0o755); err != nil {
			return err
		}
		if err := os.Rename(stage, target); err != nil {
			return err
		}
	} else {
		if err := merge(stage, target, "", force, true); err != nil {
			return err
		}
		if err := merge(stage, target, "", force, false); err != nil {
			return err
		}
		if err := os.RemoveAll(stage); err != nil {
			return err
		}
	}
	return extract(a.in, target)
}

// merge moves what is in one folder to another, or only checks that nothing is in the way.
func merge(stage, target, rel string, force, check bool) error {
	entries, err := os.ReadDir(filepath.Join(stage, rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := filepath.Join(rel, e.Name())
		there := filepath.Join(target, p)
		info, err := os.Lstat(there)
		switch {
		case err == nil && info.IsDir() && e.IsDir():
			if err := merge(stage, target, p, force, check); err != nil {
				return err
			}
			continue
		case err == nil && info.IsDir() != e.IsDir() && !force:
			return fmt.Errorf("%s is in the way: one is a folder, the other is not", there)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case check:
			continue
		case err == nil && info.IsDir() != e.IsDir():
			if err := os.RemoveAll(there); err != nil {
				return err
			}
		}
		if err := os.Rename(filepath.Join(stage, p), there); err != nil {
			return err
		}
	}
	return nil
}
