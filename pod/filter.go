package pod

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kubesdk/kubesdk/pod/internal/ignore"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// filter says which paths of a tree take part.
type filter struct {
	ignored ignore.Matcher
	include *ignore.Matcher // nil: all
	file    string          // name of ignore files
}

func newFilter(o CopyOptions) *filter {
	f := &filter{file: o.IgnoreFile}
	f.ignored.Add("", strings.Join(o.Ignore, "\n"))
	if len(o.Include) > 0 {
		f.include = ignore.New(strings.Join(o.Include, "\n"))
	}
	return f
}

// scan lists a local tree. Ignore files are read on the way, each before what it is about.
func (f *filter) scan(ctx context.Context, top string) (*manifest.Manifest, error) {
	if err := f.readLocal(top, ""); err != nil {
		return nil, err
	}
	var readErr error
	m, err := manifest.Scan(ctx, top, func(p string, dir bool) bool {
		if f.ignored.Ignored(p, dir) {
			return false
		}
		if dir && readErr == nil {
			readErr = f.readLocal(top, p)
		}
		return true
	})
	if err == nil {
		err = readErr
	}
	if err != nil {
		return nil, err
	}
	f.only(m)
	return m, nil
}

func (f *filter) readLocal(top, dir string) error {
	if f.file == "" {
		return nil
	}
	lines, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(dir), f.file))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err != nil && dir == "" && !isDir(top):
		return nil
	case err != nil:
		return err
	}
	f.ignored.Add(dir, string(lines))
	return nil
}

func isDir(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}

// readRemote reads the ignore files of a tree in the container.
func (f *filter) readRemote(ctx context.Context, r *remote, top string, m *manifest.Manifest) error {
	if f.file == "" || m.Single {
		return nil
	}
	for _, e := range m.Entries {
		if path.Base(e.Path) != f.file || e.Kind != manifest.File {
			continue
		}
		var lines bytes.Buffer
		if err := r.run(ctx, operation{"cat", `cat "$1"`}, nil, &lines, path.Join(top, e.Path)); err != nil {
			return err
		}
		dir := path.Dir(e.Path)
		if dir == "." {
			dir = ""
		}
		f.ignored.Add(dir, lines.String())
	}
	return nil
}

// out says whether a path or a folder above it is ignored.
func (f *filter) out(p string, dir bool) bool {
	for i := range len(p) {
		if p[i] == '/' && f.ignored.Ignored(p[:i], true) {
			return true
		}
	}
	return f.ignored.Ignored(p, dir)
}

// in says whether a path is asked for by itself or with a folder above it.
func (f *filter) in(p string, dir bool) bool {
	if f.include == nil {
		return true
	}
	for i := range len(p) {
		if p[i] == '/' && f.include.Ignored(p[:i], true) {
			return true
		}
	}
	return f.include.Ignored(p, dir)
}

// protects says whether a path must not be deleted, because it takes no part.
func (f *filter) protects(p string, dir bool) bool {
	return f.out(p, dir) || f.include != nil && !dir && !f.in(p, dir)
}

// only drops from a manifest what takes no part. Folders stay if they are asked for or something in them is.
func (f *filter) only(m *manifest.Manifest) {
	if m.Single {
		return
	}
	needed := map[string]bool{}
	for i := len(m.Entries) - 1; i >= 0; i-- { // what is in a folder comes after it
		e := &m.Entries[i]
		if f.out(e.Path, e.Kind == manifest.Dir) || !needed[e.Path] && !f.in(e.Path, e.Kind == manifest.Dir) {
			continue
		}
		needed[e.Path] = true
		needed[path.Dir(e.Path)] = true
	}
	kept := m.Entries[:0]
	for _, e := range m.Entries {
		if needed[e.Path] && !f.out(e.Path, e.Kind == manifest.Dir) {
			kept = append(kept, e)
		}
	}
	m.Entries = kept
	m.Relink()
}
