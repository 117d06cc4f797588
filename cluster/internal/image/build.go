package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Config is how containers of the image start unless a pod says otherwise. The zero value says nothing, so that the pod
// must.
type Config struct {
	Entrypoint, Cmd []string
	// Env is of the form NAME=VALUE.
	Env []string
	// User is a name or number, optionally with ":group".
	User string
	// WorkDir is absolute.
	WorkDir string
	// Platform is "os/architecture[/variant]"; the default is that of this machine.
	Platform string
}

// RootFS is a root file system to build images of. It is not safe for concurrent use.
type RootFS struct {
	path      string
	temporary bool
}

// Open takes the root file system at path: a directory, or a tar file, which may be compressed by gzip or zstd. Files keep
// their mode, links and extended attributes. From a directory they also keep their owners if root asks, else root owns all
// of them, and they lose their times, so that a copy of it gives the same image. Close must be called.
func Open(path string) (*RootFS, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the root file system: %w", err)
	}
	if !info.IsDir() {
		if err := checkTar(path); err != nil {
			return nil, err
		}
		return &RootFS{path: path}, nil
	}
	f, err := os.CreateTemp("", "localkube-rootfs-*.tar")
	if err != nil {
		return nil, fmt.Errorf("pack the root file system: %w", err)
	}
	err = errors.Join(packDir(f, path), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return nil, fmt.Errorf("pack the root file system %s: %w", path, err)
	}
	return &RootFS{path: f.Name(), temporary: true}, nil
}

// Close removes what Open has stored.
func (r *RootFS) Close() error {
	if r.temporary {
		return os.Remove(r.path)
	}
	return nil
}

// Write writes an archive with one image, named ref, whose tag is "latest" if ref has none.
func (r *RootFS) Write(w io.Writer, ref string, cfg Config) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("image name %q: %w", ref, err)
	}
	img, err := r.image(cfg)
	if err != nil {
		return fmt.Errorf("build image %s: %w", ref, err)
	}
	if err := tarball.Write(tag, img, w); err != nil {
		return fmt.Errorf("write image %s: %w", ref, err)
	}
	return nil
}

func (r *RootFS) image(cfg Config) (v1.Image, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Platform == "" {
		cfg.Platform = "linux/" + runtime.GOARCH
	}
	platform, err := v1.ParsePlatform(cfg.Platform)
	if err != nil {
		return nil, fmt.Errorf("platform %q: %w", cfg.Platform, err)
	}
	// The archive stays on this machine, where compressing costs more than it saves.
	layer, err := tarball.LayerFromFile(r.path,
		tarball.WithCompression(compression.None), tarball.WithMediaType(types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{CreatedBy: "localkube image build", Created: v1.Time{Time: time.Unix(0, 0).UTC()}},
	})
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	file.OS, file.Architecture, file.Variant = platform.OS, platform.Architecture, platform.Variant
	file.Config = v1.Config{
		Entrypoint: cfg.Entrypoint, Cmd: cfg.Cmd, Env: cfg.Env, User: cfg.User, WorkingDir: cfg.WorkDir,
	}
	return mutate.ConfigFile(img, file)
}

func (cfg Config) validate() error {
	for _, e := range cfg.Env {
		if k, _, ok := strings.Cut(e, "="); !ok || k == "" {
			return fmt.Errorf("environment variable %q is not NAME=VALUE", e)
		}
	}
	if cfg.WorkDir != "" && !strings.HasPrefix(cfg.WorkDir, "/") {
		return fmt.Errorf("working directory %q is not absolute", cfg.WorkDir)
	}
	return nil
}

// checkTar reports whether the file is a tar that can be read to its end.
func checkTar(path string) error {
	layer, err := tarball.LayerFromFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	content, err := layer.Uncompressed()
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer func() { _ = content.Close() }()
	for r, entries := tar.NewReader(content), 0; ; entries++ {
		_, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && entries > 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s is an empty tar archive", path)
		case err != nil:
			return fmt.Errorf("%s is neither a directory nor a tar archive: %w", path, err)
		}
	}
}
