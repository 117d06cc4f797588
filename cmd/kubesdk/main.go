// Command kubesdk generates Go types from the schemas of Kubernetes APIs.
//
//	kubesdk generate --crd config/crd --output apis
//	kubesdk generate --context staging --output apis --group cert-manager.io
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
