// Package archive carries files in tar streams. What goes out is written from a manifest, what comes in is held to one:
// anything that was not asked for is refused by name, and nothing is written outside of the folder that is given.
package archive

import (
	"archive/tar"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// Writer writes a tar stream that GNU tar or BusyBox' tar unpacks in an empty folder.
type Writer struct {
	tw      *tar.Writer
	gnu     bool
	newHash func() hash.Hash
	root    *os.Root
	buf     []byte
	// Sent is told how many bytes of contents of a file went out; nil: nobody.
	Sent func(path string, n int64)
	// Hashes are those of the contents that were sent, by path.
	Hashes map[string]string
	sparse []sparseFile
	dirs   map[string]bool
}

// NewWriter writes files of root to w. gnu says that GNU tar reads it, which takes times to the nanosecond.
func NewWriter(w io.Writer, root *os.Root, gnu bool, newHash func() hash.Hash) *Writer {
	return &Writer{tw: tar.NewWriter(w), root: root, gnu: gnu, newHash: newHash, buf: make([]byte, 128<<10), Hashes: map[string]string{}, dirs: map[string]bool{".": true}}
}

// Add writes one entry, which is at the local path source, and the folders that it is in. Folders are writable: see
// [Writer.AddDir] for their own modes.
func (w *Writer) Add(e manifest.Entry, source string) error {
	if err := w.parents(e.Path); err != nil {
		return err
	}
	switch {
	case e.Kind == manifest.Dir:
		return w.dir(e.Path)
	case e.Kind == manifest.Symlink:
		return w.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: e.Path, Linkname: e.Target, Mode: 0o777, ModTime: e.MTime})
	case e.First != "":
		return w.header(&tar.Header{Typeflag: tar.TypeLink, Name: e.Path, Linkname: "./" + e.First, Mode: int64(e.Mode), ModTime: e.MTime})
	case e.Kind == manifest.File:
		return w.file(e, source)
	}
	return fmt.Errorf("%q is a %s: only files, folders and symbolic links can be copied", e.Path, e.Kind)
}

// AddDir writes a folder with its own mode and time.
func (w *Writer) AddDir(e manifest.Entry) error {
	return w.header(&tar.Header{Typeflag: tar.TypeDir, Name: e.Path, Mode: int64(e.Mode), ModTime: e.MTime})
}

func (w *Writer) parents(p string) error {
	if d := path.Dir(p); !w.dirs[d] {
		if err := w.parents(d); err != nil {
			return err
		}
		return w.dir(d)
	}
	return nil
}

func (w *Writer) dir(p string) error {
	if w.dirs[p] {
		return nil
	}
	w.dirs[p] = true
	return w.header(&tar.Header{Typeflag: tar.TypeDir, Name: p, Mode: 0o755, ModTime: time.Unix(0, 0)})
}

func (w *Writer) header(h *tar.Header) error {
	h.Name = "./" + h.Name
	h.Format = tar.FormatGNU
	if w.gnu {
		h.Format = tar.FormatPAX
	} else {
		h.ModTime = h.ModTime.Truncate(time.Second)
	}
	if err := w.tw.WriteHeader(h); err != nil {
		return fmt.Errorf("pack %q: %w", h.Name, err)
	}
	return nil
}

func (w *Writer) file(e manifest.Entry, source string) error {
	f, err := w.root.Open(filepath.FromSlash(source))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	if e.Sparse {
		if holes, err := segments(f, e.Size); err == nil && len(holes) <= maxSegments {
			return w.sparseFile(e, f, holes)
		}
	}
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: e.Path, Mode: int64(e.Mode), Size: e.Size, ModTime: e.MTime}); err != nil {
		return err
	}
	h := w.newHash()
	if err := w.copy(e.Path, w.tw, h, f, e.Size); err != nil {
		return err
	}
	w.Hashes[e.Path] = hex.EncodeToString(h.Sum(nil))
	return nil
}

// copy sends size bytes of r, no fewer.
func (w *Writer) copy(name string, to io.Writer, h hash.Hash, r io.Reader, size int64) error {
	for size > 0 {
		n, err := r.Read(w.buf[:min(int64(len(w.buf)), size)])
		if n > 0 {
			_, _ = h.Write(w.buf[:n]) // it never fails
			if _, err := to.Write(w.buf[:n]); err != nil {
				return err
			}
			size -= int64(n)
			if w.Sent != nil {
				w.Sent(name, int64(n))
			}
		}
		if err != nil && size > 0 {
			return fmt.Errorf("%s became shorter while it was copied, by %d bytes: %w", name, size, err)
		}
	}
	return nil
}

// Close writes what sparse files need, and the end of the archive.
func (w *Writer) Close() error {
	if err := w.sparseList(); err != nil {
		return err
	}
	return w.tw.Close()
}
