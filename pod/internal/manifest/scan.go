package manifest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Stage is what the names of folders begin with in which transfers under way keep what is not complete.
const Stage = ".kubesdk-stage-"

// Scan lists a local tree or file. The top may be a symbolic link. keep says which entries to list; what it leaves out is
// left out with all that is in it.
func Scan(ctx context.Context, top string, keep func(path string, dir bool) bool) (*Manifest, error) {
	info, err := os.Stat(top)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Now: time.Now(), Single: !info.IsDir()}
	if m.Single {
		e := entryOf(filepath.Base(top), info)
		if e.Kind == Other {
			return nil, fmt.Errorf("%s is a %s: only files, folders and symbolic links can be copied", top, e.Kind)
		}
		m.Entries = []Entry{e}
		return m, nil
	}
	real, err := filepath.EvalSymlinks(top)
	if err != nil {
		return nil, err
	}
	m.Top = entryOf(".", info)
	err = filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p == real {
			return nil
		}
		rel, err := filepath.Rel(real, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if strings.HasPrefix(d.Name(), Stage) || keep != nil && !keep(rel, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entryOf(rel, info)
		if e.Kind == Symlink {
			if e.Target, err = os.Readlink(p); err != nil {
				return err
			}
		}
		m.Entries = append(m.Entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, m.finish()
}

func entryOf(p string, info fs.FileInfo) Entry {
	e := Entry{Path: p, MTime: info.ModTime(), Mode: uint32(info.Mode().Perm()), Kind: Other}
	for bit, set := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if info.Mode()&bit != 0 {
			e.Mode |= set
		}
	}
	switch info.Mode().Type() {
	case 0:
		e.Kind, e.Size = File, info.Size()
	case fs.ModeDir:
		e.Kind = Dir
	case fs.ModeSymlink:
		e.Kind = Symlink
	}
	e.system(info)
	return e
}

// FileMode is an entry's mode as package os has it.
func (e *Entry) FileMode() fs.FileMode {
	m := fs.FileMode(e.Mode & 0o777)
	for bit, set := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.Mode&set != 0 {
			m |= bit
		}
	}
	return m
}
