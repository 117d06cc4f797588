// Command sync brings a local folder into a development server.
//
//	go run ./examples/sync
//
//example:node
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) (err error) {
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()

	local, err := os.MkdirTemp("", "workspace-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(local)) }()
	if err := os.WriteFile(filepath.Join(local, "hello.txt"), []byte("hello from local workspace\n"), 0o600); err != nil {
		return err
	}

	work := func(ctx context.Context, server *devserver.Server) error {
		if err := server.Sync(ctx); err != nil {
			return err
		}
		out, err := server.Command("cat", "/home/dev/project/hello.txt").Output(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("in the server: %s", out)
		return nil
	}
	spec := v1.DevServerSpec{Flavor: "cpu-small", Image: "busybox:1.36"}
	return devserver.For(c).Namespace(c.Namespace()).Run(ctx, "sync-test-server", spec, work,
		devserver.Workspace(map[string]string{local: "/home/dev/project"}))
}
