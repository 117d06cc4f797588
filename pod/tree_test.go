package pod_test

import (
	"crypto/md5"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod"
)

// file is what is compared of a file.
type file struct {
	Mode   fs.FileMode
	Size   int64
	Time   string
	Hash   string
	Target string
	Same   string // the first name of the same file
	Sparse bool
}

// tree lists a local tree, by other means than the package that is tested.
func tree(t testing.TB, dir string, unit time.Duration) map[string]file {
	t.Helper()
	found := map[string]file{}
	inodes := map[uint64]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(p)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		f := file{Mode: info.Mode(), Time: info.ModTime().Truncate(unit).UTC().Format(time.RFC3339Nano)}
		stat := info.Sys().(*syscall.Stat_t)
		switch {
		case info.Mode().IsRegular():
			f.Size, f.Sparse = info.Size(), stat.Blocks*512 < info.Size()
			h := md5.New()
			r, err := os.Open(p)
			if err != nil {
				return err
			}
			defer r.Close()
			if _, err := io.Copy(h, r); err != nil {
				return err
			}
			f.Hash = fmt.Sprintf("%x", h.Sum(nil))
			if stat.Nlink > 1 {
				if _, ok := inodes[stat.Ino]; !ok {
					inodes[stat.Ino] = rel
				}
				f.Same = inodes[stat.Ino]
			}
		case info.Mode()&fs.ModeSymlink != 0:
			f.Time = "" // nobody keeps it
			if f.Target, err = os.Readlink(p); err != nil {
				return err
			}
		}
		found[rel] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// everyKind makes a tree with every kind of entry.
func everyKind(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	random := rand.NewChaCha8([32]byte{5})
	write := func(name string, size int, mode fs.FileMode) {
		p := filepath.Join(dir, name)
		must(os.MkdirAll(filepath.Dir(p), 0o755))
		b := make([]byte, size)
		_, _ = random.Read(b)
		must(os.WriteFile(p, b, 0o600))
		must(os.Chmod(p, mode))
	}
	write("empty", 0, 0o644)
	write("one", 1, 0o600)
	write("block", 512, 0o640)
	write("big", 3_000_001, 0o644)
	write("run", 100, 0o755)
	write("setuid", 100, 0o4755|fs.ModeSetuid)
	write("read-only", 100, 0o400)
	write("-dash", 10, 0o644)
	write("--help", 10, 0o644)
	write(" blanks  in it ", 10, 0o644)
	write("new\nline\n", 10, 0o644)
	write("tab\tback\\slash'quote\"$(id)*?[a]", 10, 0o644)
	write("bytes\xff\x81\x88\x01", 10, 0o644)
	write("ümlaut/日本語", 10, 0o644)
	write(".hidden/..dots/...", 10, 0o644)
	write(strings.Repeat("long", 62)+"/"+strings.Repeat("name", 62), 10, 0o644)
	write("links/first", 1000, 0o644)
	must(os.Link(filepath.Join(dir, "links/first"), filepath.Join(dir, "links/second")))
	must(os.Link(filepath.Join(dir, "links/first"), filepath.Join(dir, "another")))
	must(os.Symlink("links/first", filepath.Join(dir, "symlink")))
	must(os.Symlink("../one", filepath.Join(dir, "links/up")))
	must(os.Symlink("nowhere\n", filepath.Join(dir, "dangling\n")))
	must(os.Symlink(".", filepath.Join(dir, "self")))
	must(os.Symlink("links", filepath.Join(dir, "folder-link")))
	must(os.MkdirAll(filepath.Join(dir, "empty folder/inner"), 0o755))
	sparse := func(name string, size int64, at ...int64) {
		f, err := os.Create(filepath.Join(dir, name))
		must(err)
		must(f.Truncate(size))
		for _, a := range at {
			_, err := f.WriteAt([]byte("some data here"), a)
			must(err)
		}
		must(f.Close())
	}
	sparse("sparse-middle", 10<<20, 4<<20, 6<<20+77)
	sparse("sparse-begin", 5<<20+13, 0)
	sparse("sparse-end", 5<<20+13, 5<<20)
	sparse("sparse-all", 3<<20)
	for i := range 30 {
		write(fmt.Sprintf("many/%d/%d", i%5, i), i*100, 0o644)
	}
	// Times last, the folders' after what is in them; some before 1970 and some with a fraction.
	at := time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)
	must(os.Chmod(filepath.Join(dir, "empty folder/inner"), 0o500))
	must(os.Chmod(filepath.Join(dir, "many"), 0o777|fs.ModeSticky))
	var dirs []string
	must(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		at = at.Add(86399 * time.Second)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			dirs = append(dirs, p)
		case d.Type()&fs.ModeSymlink == 0:
			return os.Chtimes(p, at, at)
		}
		return nil
	}))
	for i := len(dirs) - 1; i >= 0; i-- {
		at = at.Add(time.Hour)
		must(os.Chtimes(dirs[i], at, at))
	}
	return dir
}

// precision is that of the times that a container's tar keeps.
func precision(target pod.Target) time.Duration {
	if strings.Contains(target.String(), "busybox") {
		return time.Second
	}
	return time.Nanosecond
}

// sameTree compares two local trees, and their tops unless one was there before.
func sameTree(t testing.TB, want, got string, unit time.Duration, topWasThere bool) {
	t.Helper()
	a, b := tree(t, want, unit), tree(t, got, unit)
	if topWasThere {
		delete(a, ".")
		delete(b, ".")
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the trees differ, -want +got:\n%s", diff)
	}
}
