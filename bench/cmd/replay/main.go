// Command replay serves recorded answers of an API server until it is told to end.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubesdk/kubesdk/bench/internal/record"
	"github.com/kubesdk/kubesdk/bench/internal/replay"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

func run() error {
	answers := flag.String("answers", "", "recording to serve")
	kubeconfig := flag.String("kubeconfig", "", "file to write a kubeconfig for the server to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := record.Load(*answers)
	if err != nil {
		return err
	}
	s, err := replay.New(r)
	if err != nil {
		return err
	}
	return s.Serve(ctx, *kubeconfig)
}
