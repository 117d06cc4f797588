package manifest

import (
	"io/fs"
	"syscall"
	"time"
)

// system adds what only the system's own stat knows.
func (e *Entry) system(info fs.FileInfo) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	e.CTime = time.Unix(s.Ctim.Unix())
	if e.Kind != File {
		return
	}
	e.Sparse = s.Blocks*512 < s.Size
	if s.Nlink > 1 {
		e.inode = [2]uint64{s.Dev, s.Ino}
	}
}
