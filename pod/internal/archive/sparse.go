package archive

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// BusyBox' tar knows no sparse files. So the data of one is sent as a file of its own, without the holes, and dd puts it
// into place. The folder Sparse has, for each sparse file with the number N: N, the data; N.out, the file itself, empty,
// which the real path is a hard link to; and a line in the list: N, size, octal mode, then for each piece of data where it
// is in N, where it goes, and its length, in blocks.

const (
	// Sparse is the folder in the archive.
	Sparse      = ".kubesdk-sparse"
	block       = 4096
	maxSegments = 512 // dd runs for each
)

type segment struct{ offset, length int64 } // in bytes, beginning at a block

type sparseFile struct {
	size     int64
	mode     uint32
	segments []segment
}

func (w *Writer) sparseFile(e manifest.Entry, f *os.File, pieces []segment) error {
	n := len(w.sparse)
	w.sparse = append(w.sparse, sparseFile{e.Size, e.Mode, pieces})
	if err := w.dir(Sparse); err != nil {
		return err
	}
	var packed int64
	for _, s := range pieces {
		packed += s.length
	}
	data := fmt.Sprintf("%s/%d", Sparse, n)
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: data, Mode: 0o600, Size: packed, ModTime: e.MTime}); err != nil {
		return err
	}
	h := w.newHash()
	var at int64
	for _, s := range pieces {
		hashZeros(h, s.offset-at)
		if err := w.copy(e.Path, w.tw, h, io.NewSectionReader(f, s.offset, s.length), s.length); err != nil {
			return err
		}
		at = s.offset + s.length
	}
	hashZeros(h, e.Size-at)
	w.Hashes[e.Path] = hex.EncodeToString(h.Sum(nil))
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: data + ".out", Mode: 0o600, ModTime: e.MTime}); err != nil {
		return err
	}
	return w.header(&tar.Header{Typeflag: tar.TypeLink, Name: e.Path, Linkname: "./" + data + ".out", Mode: 0o600, ModTime: e.MTime})
}

var zeros [64 << 10]byte

func hashZeros(h hash.Hash, n int64) {
	for n > 0 {
		part := min(n, int64(len(zeros)))
		_, _ = h.Write(zeros[:part]) // it never fails
		n -= part
	}
}

func (w *Writer) sparseList() error {
	if len(w.sparse) == 0 {
		return nil
	}
	var list bytes.Buffer
	for n, f := range w.sparse {
		fmt.Fprintf(&list, "%d %d %o", n, f.size, f.mode)
		var packed int64
		for _, s := range f.segments {
			fmt.Fprintf(&list, " %d %d %d", packed/block, s.offset/block, (s.length+block-1)/block)
			packed += s.length
		}
		list.WriteByte('\n')
	}
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: Sparse + "/list", Mode: 0o600, Size: int64(list.Len())}); err != nil {
		return err
	}
	_, err := w.tw.Write(list.Bytes())
	return err
}

// align makes segments begin and end at blocks, the last at the end of the file, and joins those that meet.
func align(pieces []segment, size int64) []segment {
	var out []segment
	for _, s := range pieces {
		begin, end := s.offset/block*block, min((s.offset+s.length+block-1)/block*block, size)
		if n := len(out); n > 0 && out[n-1].offset+out[n-1].length >= begin {
			out[n-1].length = end - out[n-1].offset
			continue
		}
		if end > begin {
			out = append(out, segment{begin, end - begin})
		}
	}
	return out
}
