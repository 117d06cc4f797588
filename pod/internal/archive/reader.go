package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// Extract writes the files of one or more tar archives, one after the other in r, below the folder into of root. It takes
// regular files that are in want and nothing else; their folders must be there. It returns their hashes: all that are in
// want have arrived with the size they should have if there is no error, else those that it returns. A file that has arrived
// in part is gone again.
func Extract(r io.Reader, root *os.Root, into string, want map[string]manifest.Entry, newHash func() hash.Hash, received func(path string, n int64)) (map[string]string, error) {
	x := &extraction{root: root, into: into, want: want, newHash: newHash, received: received, got: map[string]string{}, buf: make([]byte, 256<<10)}
	buffered := bufio.NewReaderSize(r, 128<<10)
	for {
		more, err := skipZeros(buffered)
		if err != nil {
			x.leave()
			return x.got, err
		}
		if !more {
			break
		}
		if err := x.archive(tar.NewReader(buffered)); err != nil {
			x.leave()
			return x.got, err
		}
	}
	x.leave()
	if len(x.got) != len(want) {
		for p := range want {
			if _, ok := x.got[p]; !ok {
				return x.got, fmt.Errorf("the archive ended after %d of %d files: %q is missing", len(x.got), len(want), p)
			}
		}
	}
	return x.got, nil
}

// skipZeros goes to the next archive, if there is one: an archive ends with blocks of zeros.
func skipZeros(r *bufio.Reader) (more bool, err error) {
	for {
		b, err := r.Peek(512)
		switch {
		case len(b) == 0 && errors.Is(err, io.EOF):
			return false, nil
		case len(b) < 512:
			return false, fmt.Errorf("the archive ends in the middle of a block: %w", io.ErrUnexpectedEOF)
		case !bytes.Equal(b, zeros[:512]):
			return true, nil
		}
		_, _ = r.Discard(512) // it is buffered
	}
}

type extraction struct {
	root     *os.Root
	into     string
	want     map[string]manifest.Entry
	newHash  func() hash.Hash
	received func(string, int64)
	got      map[string]string
	buf      []byte

	dir  *os.Root // the folder of the last file: the next is mostly in it too
	name string   // of dir
}

// enter opens the folder that a file goes to.
func (x *extraction) enter(name string) (*os.Root, error) {
	if x.dir != nil && x.name == name {
		return x.dir, nil
	}
	x.leave()
	dir, err := x.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	x.dir, x.name = dir, name
	return dir, nil
}

func (x *extraction) leave() {
	if x.dir != nil {
		_ = x.dir.Close() // everything in it was closed
		x.dir = nil
	}
}

func (x *extraction) archive(tr *tar.Reader) error {
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if err := manifest.CheckPath(name); err != nil {
			return fmt.Errorf("the archive from the pod: %w", err)
		}
		e, wanted := x.want[name]
		_, again := x.got[name]
		switch {
		case !wanted:
			return fmt.Errorf("the archive from the pod: path %q: %w: nobody asked for it", name, manifest.ErrPath)
		case again:
			return fmt.Errorf("the archive from the pod: path %q: %w: it comes twice", name, manifest.ErrPath)
		case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse:
			return fmt.Errorf("the archive from the pod: path %q: %w: it is no regular file (type %q)", name, manifest.ErrPath, h.Typeflag)
		case h.Size != e.Size:
			return fmt.Errorf("%s changed while it was copied: it had %d bytes and has %d", name, e.Size, h.Size)
		}
		hash, err := x.file(tr, e)
		if err != nil {
			return err
		}
		x.got[name] = hash
	}
}

// file writes one file. It must not be there yet: nothing is ever written through a link.
func (x *extraction) file(r io.Reader, e manifest.Entry) (string, error) {
	in, name := filepath.Split(filepath.Join(x.into, filepath.FromSlash(e.Path)))
	dir, err := x.enter(filepath.Clean(in))
	if err != nil {
		return "", err
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := x.newHash()
	if err := x.contents(f, r, h, e); err != nil {
		_ = f.Close() // the first error is the one to tell
		_ = dir.Remove(name)
		return "", err
	}
	if err := f.Chmod(e.FileMode()); err != nil {
		_ = f.Close() // the first error is the one to tell
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	if err := dir.Chtimes(name, e.MTime, e.MTime); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contents writes the bytes of a file. Blocks of zeros in one that is sparse become holes.
func (x *extraction) contents(f *os.File, r io.Reader, h hash.Hash, e manifest.Entry) error {
	for left := e.Size; left > 0; {
		n, err := io.ReadFull(r, x.buf[:min(int64(len(x.buf)), left)])
		if err != nil {
			return fmt.Errorf("read %s from the archive: %w", e.Path, err)
		}
		p := x.buf[:n]
		_, _ = h.Write(p) // it never fails
		if err := put(f, p, e.Sparse); err != nil {
			return err
		}
		left -= int64(n)
		if x.received != nil {
			x.received(e.Path, int64(n))
		}
	}
	if e.Sparse {
		return f.Truncate(e.Size)
	}
	return nil
}

func put(f *os.File, p []byte, sparse bool) error {
	if !sparse {
		_, err := f.Write(p)
		return err
	}
	for len(p) > 0 {
		part := p[:min(block, len(p))]
		p = p[len(part):]
		var err error
		if bytes.Equal(part, zeros[:len(part)]) {
			_, err = f.Seek(int64(len(part)), io.SeekCurrent)
		} else {
			_, err = f.Write(part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
