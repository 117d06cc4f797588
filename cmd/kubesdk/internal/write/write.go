package write

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stagePrefix begins the name of the folder inside the output folder where files wait until all are written.
const stagePrefix = ".kubesdk-stage-"

// Files are contents by slash-separated path relative to the output folder.
type Files map[string][]byte

// Changes are the difference between an output folder and the files that should be in it.
type Changes struct {
	// Created, Changed and Removed are sorted relative paths. Unchanged counts the rest.
	Created, Changed, Removed []string
	Unchanged                 int

	dir   string
	files Files
	stale []string // stages that a killed run left behind
}

// Options tell which files a folder may hold.
type Options struct {
	// Generated tells whether a file was written by the generator.
	Generated func(path string, content []byte) bool
	// Allowed are files of the user that are left alone, such as go.mod.
	Allowed []string
	// Keep are folders, relative to the output folder, whose generated files stay as they are.
	Keep []string
}

// Plan compares the folder with the files. It changes nothing. A folder that holds files which no generator
// wrote is an error that names them.
func Plan(dir string, files Files, opts Options) (*Changes, error) {
	c := &Changes{dir: dir, files: files}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("looking at the output folder: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("the output %s is a file: --output takes a folder", dir)
	default:
		if err := c.compare(opts); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, name := range c.Changed {
		seen[name] = true
	}
	for name := range files {
		if _, err := os.Lstat(c.path(name)); err != nil {
			c.Created = append(c.Created, name)
		} else if !seen[name] {
			c.Unchanged++
		}
	}
	slices.Sort(c.Created)
	return c, nil
}

// compare walks the folder.
func (c *Changes) compare(opts Options) error {
	var foreign []string
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(c.dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case entry.IsDir() && strings.HasPrefix(name, stagePrefix):
			c.stale = append(c.stale, name)
			return filepath.SkipDir
		case entry.IsDir() || slices.Contains(opts.Allowed, name):
			return nil
		case !entry.Type().IsRegular():
			foreign = append(foreign, name)
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		wanted, ours := c.files[name]
		switch {
		case !opts.Generated(name, content):
			foreign = append(foreign, name)
		case ours && !bytes.Equal(wanted, content):
			c.Changed = append(c.Changed, name)
		case !ours && !slices.ContainsFunc(opts.Keep, func(dir string) bool { return strings.HasPrefix(name, dir+"/") }):
			c.Removed = append(c.Removed, name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking at the output folder: %w", err)
	}
	if len(foreign) > 0 {
		shown := foreign[:min(len(foreign), 5)]
		more := ""
		if len(foreign) > len(shown) {
			more = fmt.Sprintf(" and %d more", len(foreign)-len(shown))
		}
		return fmt.Errorf("the output folder %s holds files that were not generated: %s%s; move them away or choose another folder", c.dir, strings.Join(shown, ", "), more)
	}
	return nil
}

func (c *Changes) path(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

// Empty tells that the folder is already as it should be.
func (c *Changes) Empty() bool { return len(c.Created)+len(c.Changed)+len(c.Removed) == 0 }

// Apply makes the folder hold the files. They are all written to a folder beside their places first; then
// they are moved into place, and moved back if that fails halfway. Once moving has begun ctx is no longer
// heeded: it takes milliseconds.
func (c *Changes) Apply(ctx context.Context) (err error) {
	made, err := mkdirs(c.dir)
	if err != nil {
		return fmt.Errorf("making the output folder: %w", err)
	}
	defer func() {
		if err != nil {
			removeEmpty(made)
		}
	}()
	for _, name := range c.stale {
		if err := os.RemoveAll(c.path(name)); err != nil {
			return fmt.Errorf("removing what an earlier run left: %w", err)
		}
	}
	stage, err := os.MkdirTemp(c.dir, stagePrefix+"*")
	if err != nil {
		return fmt.Errorf("making a folder to write to: %w", err)
	}
	defer func() { _ = os.RemoveAll(stage) }()
	for _, name := range slices.Concat(c.Created, c.Changed) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted, and nothing was changed: %w", err)
		}
		if err := writeFile(filepath.Join(stage, "new", filepath.FromSlash(name)), c.files[name]); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return c.swap(stage)
}

// swap moves old files out of the way and new ones into place.
func (c *Changes) swap(stage string) (err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for _, step := range slices.Backward(undo) {
				step()
			}
			err = fmt.Errorf("putting the files in place, and everything was put back: %w", err)
		}
	}()
	move := func(from, to string) error {
		made, err := mkdirs(filepath.Dir(to))
		undo = append(undo, func() { removeEmpty(made) })
		if err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
		undo = append(undo, func() { _ = os.Rename(to, from) })
		return nil
	}
	for _, name := range slices.Concat(c.Changed, c.Removed) {
		if err := move(c.path(name), filepath.Join(stage, "old", filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	for _, name := range slices.Concat(c.Created, c.Changed) {
		if err := move(filepath.Join(stage, "new", filepath.FromSlash(name)), c.path(name)); err != nil {
			return err
		}
	}
	emptied := map[string]bool{}
	for _, name := range c.Removed {
		for dir := filepath.Dir(filepath.FromSlash(name)); dir != "."; dir = filepath.Dir(dir) {
			emptied[filepath.Join(c.dir, dir)] = true
		}
	}
	removeEmpty(slices.Sorted(maps.Keys(emptied)))
	return nil
}

// mkdirs makes a folder and its parents and returns those that it made, outermost first.
func mkdirs(dir string) ([]string, error) {
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		missing = append([]string{d}, missing...)
	}
	for i, d := range missing {
		if err := os.Mkdir(d, 0o755); err != nil {
			return missing[:i], err
		}
	}
	return missing, nil
}

// removeEmpty removes folders, innermost first, as far as they are empty.
func removeEmpty(dirs []string) {
	for _, dir := range slices.Backward(dirs) {
		_ = os.Remove(dir)
	}
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
