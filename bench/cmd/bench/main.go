// Command bench measures kubesdk beside client-go and controller-runtime, prints the figures, writes them to a page with
// charts, and ends with one line for each goal. It exits with 1 if a goal is not met.
//
//	go run ./cmd/bench          # all of it, RESULTS.md
//	go run ./cmd/bench -quick   # every goal on less work, in under 5 minutes, RESULTS.quick.md
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/kubesdk/kubesdk/bench/internal/suite"
)

const clusterName = "kubesdk-bench"

var errShort = errors.New("not all goals are met")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	quick := flag.Bool("quick", false, "measure every goal on less work")
	module := flag.String("module", ".", "folder of the bench module")
	out := flag.String("out", "", "page to write; default RESULTS.md, and RESULTS.quick.md with -quick")
	localkube := flag.String("localkube", os.Getenv("LOCALKUBE"), "localkube binary; default $LOCALKUBE, else ../bin/localkube")
	kubeconfig := flag.String("kubeconfig", "", "measure on this cluster instead of a localkube of our own")
	flag.Parse()

	o := suite.Options{Sizes: suite.Full, Module: *module, Kubeconfig: *kubeconfig, Progress: os.Stdout}
	page := "RESULTS.md"
	if *quick {
		o.Sizes, page = suite.Quick, "RESULTS.quick.md"
	}
	if *out == "" {
		*out = filepath.Join(*module, page)
	}
	if o.Scratch, err = os.MkdirTemp("", "kubesdk-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Scratch)) }()
	if o.Kubeconfig == "" {
		if *localkube == "" {
			*localkube = filepath.Join(*module, "..", "bin", "localkube")
		}
		o.Kubeconfig = filepath.Join(o.Scratch, "kubeconfig")
		down, err := up(ctx, *localkube, o.Kubeconfig)
		if err != nil {
			return err
		}
		defer down()
	}
	results, err := suite.Run(ctx, o)
	if err != nil {
		return err
	}
	if err := results.Write(*out); err != nil {
		return err
	}
	fmt.Printf("wrote %s\n", *out)
	for _, g := range results.Goals {
		fmt.Println(g)
	}
	if n := results.Short(); n > 0 {
		return fmt.Errorf("%w: %d of %d are short", errShort, n, len(results.Goals))
	}
	return nil
}

// up starts a cluster and writes its kubeconfig to a file.
func up(ctx context.Context, localkube, kubeconfig string) (down func(), err error) {
	call := func(ctx context.Context, stdout io.Writer, args ...string) error {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, localkube, args...)
		cmd.Stdout, cmd.Stderr = stdout, &stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s %q: %w: %s (make build makes it)", localkube, args, err, stderr.String())
		}
		return nil
	}
	if err := call(ctx, io.Discard, "up", "--name", clusterName, "--idle-timeout", "2h"); err != nil {
		return nil, err
	}
	down = func() {
		if err := call(context.WithoutCancel(ctx), io.Discard, "down", "--name", clusterName); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	var config bytes.Buffer
	if err := call(ctx, &config, "kubeconfig", "--name", clusterName); err != nil {
		down()
		return nil, err
	}
	if err := os.WriteFile(kubeconfig, config.Bytes(), 0o600); err != nil {
		down()
		return nil, err
	}
	return down, nil
}
