package archive_test

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// hostile are archives that a pod may send to reach what it should not, and what the error has to name.
var hostile = []struct {
	entries []tar.Header
	names   string
}{
	{one(tar.Header{Name: "/etc/absolute", Typeflag: tar.TypeReg}), "/etc/absolute"},
	{one(tar.Header{Name: "//absolute", Typeflag: tar.TypeReg}), "//absolute"},
	{one(tar.Header{Name: "../outside", Typeflag: tar.TypeReg}), "../outside"},
	{one(tar.Header{Name: "a/../../outside", Typeflag: tar.TypeReg}), "a/../../outside"},
	{one(tar.Header{Name: "./../outside", Typeflag: tar.TypeReg}), "../outside"},
	{one(tar.Header{Name: "wanted/../../../outside", Typeflag: tar.TypeReg}), "wanted/../../../outside"},
	{one(tar.Header{Name: "..", Typeflag: tar.TypeDir}), ".."},
	{one(tar.Header{Name: strings.Repeat("../", 60) + "outside", Typeflag: tar.TypeReg, Format: tar.FormatPAX}), "outside"}, // its name is in another record
	{one(tar.Header{Name: strings.Repeat("../", 60) + "outside", Typeflag: tar.TypeReg, Format: tar.FormatGNU}), "outside"},
	{one(tar.Header{Name: "unasked", Typeflag: tar.TypeReg}), "unasked"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeSymlink, Linkname: "../outside"}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeLink, Linkname: "../outside"}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeBlock}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeFifo}), "wanted"},
	{one(tar.Header{Name: "wanted", Typeflag: tar.TypeDir}), "wanted"},
	{[]tar.Header{ // a link, and a file through it
		{Name: "wanted", Typeflag: tar.TypeSymlink, Linkname: "../../outside"},
		{Name: "wanted", Typeflag: tar.TypeReg},
	}, "wanted"},
	{[]tar.Header{
		{Name: "second", Typeflag: tar.TypeSymlink, Linkname: "../.."},
		{Name: "second/outside", Typeflag: tar.TypeReg},
	}, "second"},
	{[]tar.Header{ // a file that is wanted comes first
		{Name: "wanted", Typeflag: tar.TypeReg},
		{Name: "wanted", Typeflag: tar.TypeLink, Linkname: "../../outside"},
	}, "wanted"},
	{[]tar.Header{
		{Name: "wanted", Typeflag: tar.TypeReg},
		{Name: "wanted", Typeflag: tar.TypeReg},
	}, "twice"},
	{one(tar.Header{Name: "link/x", Typeflag: tar.TypeReg}), ""}, // it was asked for, and a link is in its place
}

func one(h tar.Header) []tar.Header { return []tar.Header{h} }

// pack writes an archive whose files have four bytes.
func pack(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte("evil")) // into memory
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// place is a folder to extract into, with something outside that must stay as it is.
type place struct {
	outer string
	root  *os.Root
}

func newPlace(t testing.TB) place {
	t.Helper()
	outer := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(outer, "target/stage"), 0o755), os.WriteFile(filepath.Join(outer, "outside"), []byte("untouched"), 0o600),
		os.Symlink("../..", filepath.Join(outer, "target/stage/link"))); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(outer, "target"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return place{outer, root}
}

// check says that nothing outside of the stage was touched.
func (p place) check(t testing.TB) {
	t.Helper()
	for dir, want := range map[string]string{p.outer: "outside target", filepath.Join(p.outer, "target"): "stage"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has %q", dir, got)
		}
	}
	if b, err := os.ReadFile(filepath.Join(p.outer, "outside")); err != nil || string(b) != "untouched" {
		t.Errorf("outside: %q, %v", b, err)
	}
}

func wanted(names ...string) map[string]manifest.Entry {
	want := map[string]manifest.Entry{}
	for _, n := range names {
		want[n] = manifest.Entry{Path: n, Kind: manifest.File, Mode: 0o600, Size: 4, MTime: time.Unix(1e9, 0)}
	}
	return want
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for i, h := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			_, err := archive.Extract(bytes.NewReader(pack(t, h.entries...)), p.root, "stage", wanted("wanted", "second", "link/x"), md5.New, nil)
			if err == nil || !strings.Contains(err.Error(), h.names) {
				t.Errorf("error %v, want one that names %q", err, h.names)
			}
			p.check(t)
		})
	}
}

// FuzzExtract gives Extract streams that are no archives, or nearly.
func FuzzExtract(f *testing.F) {
	good := pack(f, tar.Header{Name: "./wanted", Typeflag: tar.TypeReg}, tar.Header{Name: "./second", Typeflag: tar.TypeReg})
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...)) // as xargs makes several
	for _, h := range hostile {
		f.Add(pack(f, h.entries...))
		f.Add(append(pack(f, tar.Header{Name: "./second", Typeflag: tar.TypeReg}), pack(f, h.entries...)...))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		p := newPlace(t)
		got, err := archive.Extract(bytes.NewReader(stream), p.root, "stage", wanted("wanted", "second", "link/x"), md5.New, nil)
		if err == nil && len(got) != 3 {
			t.Errorf("no error with %d of 3 files", len(got))
		}
		p.check(t)
	})
}

// TestCutAnywhere cuts an archive at every place: it must be an error.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for _, name := range []string{"wanted", "second"} { // two archives, as xargs makes them
		w := tar.NewWriter(&b)
		_ = w.WriteHeader(&tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Size: 4, Mode: 0o600})
		_, _ = w.Write([]byte("good"))
		_ = w.Close()
	}
	whole := b.Bytes()
	if _, err := archive.Extract(bytes.NewReader(whole), newPlace(t).root, "stage", wanted("wanted", "second"), md5.New, nil); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 2560+4; n += 13 { // to the end of the second file's data
		if _, err := archive.Extract(bytes.NewReader(whole[:n]), newPlace(t).root, "stage", wanted("wanted", "second"), md5.New, nil); err == nil {
			t.Fatalf("cut after %d of %d bytes: no error", n, len(whole))
		}
	}
}

// TestRoundTrip packs random files and extracts them again.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	source := t.TempDir()
	contents := map[string]string{}
	for i := range 50 {
		b := make([]byte, random.IntN(300_000))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		name := fmt.Sprintf("%s-%d", strings.Repeat("n", random.IntN(150)), i)
		contents[name] = string(b)
		if err := os.WriteFile(filepath.Join(source, name), b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	m, err := manifest.Scan(t.Context(), source, nil)
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.OpenRoot(source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	for _, gnu := range []bool{false, true} {
		read, write := io.Pipe()
		want := map[string]manifest.Entry{}
		w := archive.NewWriter(write, from, gnu, md5.New)
		go func() {
			for _, e := range m.Entries {
				want[e.Path] = e
				if err := w.Add(e, e.Path); err != nil {
					_ = write.CloseWithError(err)
					return
				}
			}
			_ = write.CloseWithError(w.Close())
		}()
		var b bytes.Buffer
		if _, err := io.Copy(&b, read); err != nil {
			t.Fatal(err)
		}
		p := newPlace(t)
		got, err := archive.Extract(&b, p.root, "stage", want, md5.New, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.Hashes, got); diff != "" {
			t.Errorf("hashes: %s", diff)
		}
		for name, text := range contents {
			if b, err := p.root.ReadFile(filepath.Join("stage", name)); err != nil || string(b) != text {
				t.Errorf("%s: %v, or wrong contents", name, err)
			}
		}
	}
}
