package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubesdk/kubesdk/devserver/deploy"
)

func TestImageIsReproducible(t *testing.T) {
	t.Parallel()
	digest := func() v1.Hash {
		layer, err := layerOf(program(t))
		if err != nil {
			t.Fatal(err)
		}
		d, err := layer.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if a, b := digest(), digest(); a != b {
		t.Errorf("the same program gave %s and %s", a, b)
	}
}

func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devserver-agent")
	if err := os.WriteFile(path, bytes.Repeat([]byte("program"), 1000), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPublish pushes an image for two platforms to a registry, and finds each there.
func TestPublish(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	platforms := []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	var images []v1.Image
	for range platforms {
		img, err := assemble([]string{program(t)}, platforms[len(images)])
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, img)
	}
	ref := strings.TrimPrefix(server.URL, "http://") + "/devserver:1"
	digest, err := publish(t.Context(), ref, true, images, platforms)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range platforms {
		d, err := remote.Get(tag, remote.WithPlatform(p))
		if err != nil {
			t.Fatal(err)
		}
		if d.Digest != digest {
			t.Errorf("the registry has %s, and not %s", d.Digest, digest)
		}
		img, err := d.Image()
		if err != nil {
			t.Fatal(err)
		}
		file, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if file.Architecture != p.Architecture || file.Config.User == "" || len(file.RootFS.DiffIDs) != 1 {
			t.Errorf("for %s there is %+v", p, file)
		}
	}
	if _, err := publish(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/single:1", true, images[:1], platforms[:1]); err != nil {
		t.Errorf("an image for one platform: %v", err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"nothing to do":             {},
		"-o takes one platform":     {"-o", "x", "-platforms", "linux/amd64,linux/arm64"},
		"flag provided but not def": {"-what"},
	} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestManifestNamesThisImage holds the chart's image and this program's together.
func TestManifestNamesThisImage(t *testing.T) {
	t.Parallel()
	if !bytes.Contains(deploy.Manifest, []byte("image: "+DefaultName+"\n")) {
		t.Errorf("the manifest does not name %s", DefaultName)
	}
}
