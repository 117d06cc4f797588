package manifest

import (
	"bufio"
	"fmt"
	"io"
)

// Write writes a listing that Parse reads, as the script [List] does.
func (m *Manifest) Write(w io.Writer, hashed bool) error {
	b := bufio.NewWriter(w) // its Flush tells of errors
	kind := "dir"
	if m.Single {
		kind = "file"
	} else {
		top := m.Top
		top.Path = "."
		m = &Manifest{Entries: append([]Entry{top}, m.Entries...), Now: m.Now}
	}
	_, _ = fmt.Fprintf(b, "T %d %s\n", m.Now.Unix(), kind)
	for _, e := range m.Entries {
		e.write(b, hashed)
	}
	_, _ = fmt.Fprintln(b, "E")
	return b.Flush()
}

func (e *Entry) write(b *bufio.Writer, hashed bool) {
	kinds := map[Kind]uint32{File: 0o100000, Dir: 0o040000, Symlink: 0o120000, Other: 0o010000}
	links, blocks := 1, (e.Size+511)/512
	if e.inode != [2]uint64{} {
		links = 2
	}
	if e.Sparse {
		blocks = 0
	}
	_, _ = fmt.Fprintf(b, "B 1\n./%s\x00%x %d %d %d %d %d %d %d %s\n", e.Path, kinds[e.Kind]|e.Mode, e.Size, e.MTime.Unix(), e.CTime.Unix(), links,
		e.inode[1], e.inode[0], blocks, e.MTime.UTC().Format("2006-01-02 15:04:05.000000000"))
	if e.Kind == Symlink {
		_, _ = fmt.Fprintf(b, "%s\x00", e.Target)
	}
	if e.Kind == File && hashed {
		_, _ = fmt.Fprintf(b, "%s  ./%s\n", e.Hash, e.Path)
	}
}
