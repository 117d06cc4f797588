// Command image makes the container image of devserver, without Docker: the static binaries of the operator and the agent,
// and nothing else. The same source gives the same image.
//
//	go run ./deploy/image -o devserver.tar                  # for: localkube image load, docker load, ctr images import
//	go run ./deploy/image -push -name registry.example/devserver:1.0.0 -platforms linux/amd64,linux/arm64
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// DefaultName is the image that the manifest and the chart name.
const DefaultName = "kubesdk/devserver:0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: the process ends, and its signals with it
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	name := flags.String("name", DefaultName, "name and tag of the image")
	out := flags.String("o", "", "file to write the image to, as docker save would; takes one platform")
	push := flags.Bool("push", false, "push the image, with the credentials of docker login")
	insecure := flags.Bool("insecure", false, "push over plain HTTP")
	list := flags.String("platforms", "linux/"+runtime.GOARCH, "platforms, with commas between them")
	module := flags.String("module", "", "folder of the module devserver; empty: that of the current folder")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	var platforms []v1.Platform
	for name := range strings.SplitSeq(*list, ",") {
		p, err := v1.ParsePlatform(name)
		if err != nil {
			return err
		}
		platforms = append(platforms, *p)
	}
	switch {
	case *out == "" && !*push:
		return errors.New("nothing to do: say where to write the image with -o, or -push it")
	case *out != "" && len(platforms) > 1:
		return fmt.Errorf("-o takes one platform, not %s", *list)
	}
	dir, err := os.MkdirTemp("", "devserver-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the temporary folder
	var images []v1.Image
	for _, p := range platforms {
		img, err := build(ctx, *module, filepath.Join(dir, strings.ReplaceAll(p.String(), "/", "-")), p)
		if err != nil {
			return fmt.Errorf("build the image for %s: %w", p, err)
		}
		images = append(images, img)
	}
	if *out != "" {
		if err := save(*out, *name, images[0]); err != nil {
			return fmt.Errorf("write %s to %s: %w", *name, *out, err)
		}
		fmt.Printf("wrote %s to %s\n", *name, *out)
	}
	if *push {
		digest, err := publish(ctx, *name, *insecure, images, platforms)
		if err != nil {
			return fmt.Errorf("push %s: %w", *name, err)
		}
		fmt.Printf("pushed %s@%s\n", *name, digest)
	}
	return nil
}
