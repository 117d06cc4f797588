//go:build unix

// Command devserver-agent is the first process of a development server's main container: see package agent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/kubesdk/kubesdk/devserver/agent"
)

const usage = `usage:
  devserver-agent install DIR     copy this program into a folder
  devserver-agent run [flags]     be process 1 of a container; run -h lists the flags
  devserver-agent ready           exit with 0 when the init script has ended`

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "devserver-agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("no command\n" + usage)
	}
	switch args[0] {
	case "install":
		if len(args) != 2 {
			return errors.New("install needs one folder\n" + usage)
		}
		return agent.Install(args[1])
	case "ready":
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return agent.CheckReady(ctx)
	case "run":
		var opts agent.Options
		flags := flag.NewFlagSet("devserver-agent run", flag.ContinueOnError)
		flags.StringVar(&opts.InitScript, "init-script", "", "script for /bin/sh to run before the server is ready")
		flags.DurationVar(&opts.Grace, "grace", 20*time.Second, "how long processes get to end")
		flags.StringVar(&opts.TerminationLog, "termination-log", "/dev/termination-log", "file for the reason of a failure")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return agent.Run(ctx, opts)
	case "help", "-h", "--help":
		fmt.Println(usage)
		return nil
	}
	return fmt.Errorf("unknown command %q\n%s", args[0], usage)
}
