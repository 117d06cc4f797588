package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/sys/unix"

	"github.com/kubesdk/kubesdk/cluster/internal/image"
)

// rootfs makes a root file system with one file of each sort.
func rootfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "bin"), 0o755),
		os.WriteFile(filepath.Join(dir, "bin/tool"), []byte("#!"), 0o755),
		os.Link(filepath.Join(dir, "bin/tool"), filepath.Join(dir, "bin/twin")),
		os.Symlink("tool", filepath.Join(dir, "bin/link")),
		os.Mkdir(filepath.Join(dir, "tmp"), 0o777),
		os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func build(t *testing.T, root, ref string, cfg image.Config) []byte {
	t.Helper()
	r, err := image.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var archive bytes.Buffer
	if err := r.Write(&archive, ref, cfg); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func parse(t *testing.T, archive []byte) v1.Image {
	t.Helper()
	img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// entries lists what is in the image's one layer.
func entries(t *testing.T, img v1.Image) map[string]*tar.Header {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("layers: %v, %v", layers, err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	found := map[string]*tar.Header{}
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = h
	}
}

func TestImageOfADirectory(t *testing.T) {
	t.Parallel()
	cfg := image.Config{
		Entrypoint: []string{"/bin/tool"}, Cmd: []string{"a", "b c"}, Env: []string{"X=1"}, User: "1000:1000",
		WorkDir: "/tmp", Platform: "linux/arm64/v8",
	}
	img := parse(t, build(t, rootfs(t), "example.com/app:1", cfg))
	if err := validate.Image(img); err != nil {
		t.Errorf("not a valid image: %v", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{Entrypoint: cfg.Entrypoint, Cmd: cfg.Cmd, Env: cfg.Env, User: cfg.User, WorkingDir: cfg.WorkDir}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Error(diff)
	}
	if file.OS != "linux" || file.Architecture != "arm64" || file.Variant != "v8" {
		t.Errorf("the platform is %s/%s/%s", file.OS, file.Architecture, file.Variant)
	}
	found := entries(t, img)
	for name, kind := range map[string]byte{
		"bin/": tar.TypeDir, "bin/tool": tar.TypeReg, "bin/twin": tar.TypeLink, "bin/link": tar.TypeSymlink,
		"tmp/": tar.TypeDir, "fifo": tar.TypeFifo,
	} {
		if h := found[name]; h == nil || h.Typeflag != kind {
			t.Errorf("%s is %+v", name, h)
		}
	}
	if got := found["bin/twin"].Linkname; got != "bin/tool" {
		t.Errorf("the hard link leads to %q", got)
	}
	if got := found["tmp/"].FileInfo().Mode(); got&os.ModeSticky == 0 || got.Perm() != 0o777 {
		t.Errorf("the mode of /tmp is %v", got)
	}
}

func TestSameRootSameBytes(t *testing.T) {
	t.Parallel()
	a, b := rootfs(t), rootfs(t)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(b, "bin/tool"), old, old); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(build(t, a, "x:1", image.Config{}), build(t, b, "x:1", image.Config{})) {
		t.Error("two copies of a root file system give different images")
	}
	if err := os.Chmod(filepath.Join(b, "bin/tool"), 0o700); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(build(t, a, "x:1", image.Config{}), build(t, b, "x:1", image.Config{})) {
		t.Error("another mode gives the same image")
	}
}

func TestExtendedAttributesStay(t *testing.T) {
	t.Parallel()
	dir := rootfs(t)
	if err := unix.Setxattr(filepath.Join(dir, "bin/tool"), "user.test", []byte("v\x00w"), 0); err != nil {
		t.Skip("SKIPPED: no extended attributes here: ", err)
	}
	found := entries(t, parse(t, build(t, dir, "x:1", image.Config{})))
	if got := found["bin/tool"].PAXRecords["SCHILY.xattr.user.test"]; got != "v\x00w" {
		t.Errorf("the attribute is %q", got)
	}
}

func TestImageOfATar(t *testing.T) {
	t.Parallel()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "etc/motd", Mode: 0o644, Size: 2}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("hi"))
	w.Close()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(plain.Bytes())
	z.Close()
	for name, data := range map[string][]byte{"plain.tar": plain.Bytes(), "zipped.tar.gz": zipped.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		img := parse(t, build(t, path, "x", image.Config{}))
		if err := validate.Image(img); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if entries(t, img)["etc/motd"] == nil {
			t.Errorf("%s: the file is not there", name)
		}
	}
}

func TestWhatCanNotBeAnImage(t *testing.T) {
	t.Parallel()
	dir := rootfs(t)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no tar ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		root, ref string
		cfg       image.Config
		says      string
	}{
		{filepath.Join(dir, "missing"), "x:1", image.Config{}, "missing"},
		{text, "x:1", image.Config{}, "neither a directory nor a tar"},
		{empty, "x:1", image.Config{}, "empty"},
		{dir, "Not A Name", image.Config{}, `"Not A Name"`},
		{dir, "x:1", image.Config{Env: []string{"NOVALUE"}}, "NAME=VALUE"},
		{dir, "x:1", image.Config{WorkDir: "tmp"}, "not absolute"},
		{dir, "x:1", image.Config{Platform: "a/b/c/d"}, "platform"},
	} {
		r, err := image.Open(tt.root)
		if err == nil {
			err = r.Write(io.Discard, tt.ref, tt.cfg)
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s, %s, %+v: error %v, want %q in it", tt.root, tt.ref, tt.cfg, err, tt.says)
		}
	}
}

func TestPauseImage(t *testing.T) {
	t.Parallel()
	archive, err := image.Pause("example.com/pause:1")
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	img := parse(t, archive)
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	if h := entries(t, img)["pause"]; h == nil || h.FileInfo().Mode().Perm() != 0o755 {
		t.Errorf("the program is %+v", h)
	}
	if len(archive) > 20<<10 {
		t.Errorf("the image has %d bytes", len(archive))
	}
}
