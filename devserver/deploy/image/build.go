package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// commands are the binaries of the image, each in its root folder.
var commands = []string{"devserver-agent", "devserver-operator"}

// build compiles the commands for a platform and puts them into an image.
func build(ctx context.Context, module, dir string, p v1.Platform) (v1.Image, error) {
	var binaries []string
	for _, command := range commands {
		binary := filepath.Join(dir, command)
		if err := compile(ctx, module, binary, command, p); err != nil {
			return nil, err
		}
		binaries = append(binaries, binary)
	}
	return assemble(binaries, p)
}

// assemble puts each binary into a layer of its own.
func assemble(binaries []string, p v1.Platform) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.DockerManifestSchema2)
	for _, binary := range binaries {
		layer, err := layerOf(binary)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = p.OS, p.Architecture, p.Variant
	file.Config.Entrypoint = []string{"/devserver-operator"}
	file.Config.User = "65532:65532"
	file.Config.Env = []string{"PATH=/"}
	return mutate.ConfigFile(img, file)
}

func compile(ctx context.Context, module, binary, command string, p v1.Platform) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "github.com/kubesdk/kubesdk/devserver/cmd/"+command)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile %s: %w\n%s", command, err, out)
	}
	return nil
}

// layerOf is a layer with one program. It says nothing of when and by whom it was made.
func layerOf(binary string) (v1.Layer, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: filepath.Base(binary), Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
}

// save writes the image as docker save would.
func save(path, image string, img v1.Image) error {
	tag, err := name.NewTag(image)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(path, tag, img)
}

// publish pushes the image, or, for several platforms, an index of images. It returns the digest.
func publish(ctx context.Context, image string, insecure bool, images []v1.Image, platforms []v1.Platform) (v1.Hash, error) {
	var nameOpts []name.Option
	if insecure {
		nameOpts = append(nameOpts, name.Insecure)
	}
	ref, err := name.ParseReference(image, nameOpts...)
	if err != nil {
		return v1.Hash{}, err
	}
	opts := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if len(images) == 1 {
		if err := remote.Write(ref, images[0], opts...); err != nil {
			return v1.Hash{}, err
		}
		return images[0].Digest()
	}
	index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for i, img := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platforms[i]}})
	}
	if err := remote.WriteIndex(ref, index, opts...); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}
