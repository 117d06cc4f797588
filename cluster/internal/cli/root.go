package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubesdk/kubesdk/cluster/internal/node"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/version"
)

// The exit codes of localkube besides that of kubectl, which it passes on.
const (
	ExitOK = 0
	// ExitFailure is for everything without a code of its own.
	ExitFailure = 1
	// ExitUsage is for a command line that means nothing.
	ExitUsage = 2
	// ExitNotFound says that there is no such cluster.
	ExitNotFound = 3
	// ExitNotReady says that there is, but that it is not ready.
	ExitNotReady = 4
	// ExitMissing says that this machine lacks what a node needs.
	ExitMissing = 5
	// ExitInterrupted says that the user ended it.
	ExitInterrupted = 130
)

// Kubectl is the command that runs kubectl.
const Kubectl = "kubectl"

// errNotReady reports that a cluster is there, but not ready.
var errNotReady = errors.New("the cluster is not ready")

// usageError is a command line that means nothing.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError is the exit code of a program that has already said what was wrong.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// app is what the commands share.
type app struct {
	name, root string
	out, err   io.Writer
	// run runs a component in this process.
	run func(name string, args []string) int
}

// Run runs the command line args and returns the exit code. run runs a component in this process.
func Run(args []string, run func(name string, args []string) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Cobra offers the global flags with every command, and the components register theirs there.
	global := pflag.CommandLine
	pflag.CommandLine = pflag.NewFlagSet("localkube", pflag.ContinueOnError)
	a := &app{out: os.Stdout, err: os.Stderr, run: func(name string, args []string) int {
		pflag.CommandLine = global
		return run(name, args)
	}}
	root := a.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	var exit exitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "localkube:", err)
		if code == ExitUsage {
			fmt.Fprintln(os.Stderr, `Run "localkube help" for how to use it.`)
		}
	}
	return code
}

func exitCode(ctx context.Context, err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		return ExitUsage
	case ctx.Err() != nil:
		return ExitInterrupted
	case errors.Is(err, state.ErrNotFound):
		return ExitNotFound
	case errors.Is(err, errNotReady):
		return ExitNotReady
	case errors.Is(err, node.ErrMissing):
		return ExitMissing
	}
	return ExitFailure
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "localkube",
		Short: "A real Kubernetes on this machine",
		Long: "localkube runs a real Kubernetes on this machine: etcd, the control plane and, with --node, a node for pods,\n" +
			"all of them in this one program.",
		Version:       fmt.Sprintf("%s (Kubernetes %s)", version.Own(), version.Kubernetes()),
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.name, "name", state.DefaultName, "name of the cluster")
	flags.StringVar(&a.root, "dir", "", "directory that holds the clusters (default $XDG_STATE_HOME/localkube or ~/.local/state/localkube)")
	_ = root.RegisterFlagCompletionFunc("name", a.completeNames)
	_ = root.MarkPersistentFlagDirname("dir")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(a.up(), a.down(), a.status(), a.kubeconfig(), a.logs(), a.kubectl(), a.image(), a.supervise())
	return root
}

// noArgs is cobra.NoArgs as a usage error.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}

// clusterRoot is the directory that holds the clusters.
func (a *app) clusterRoot() (string, error) {
	if a.root != "" {
		return a.root, nil
	}
	return state.DefaultRoot()
}

// cluster is the one that the command is about.
func (a *app) cluster() (state.Dir, error) {
	root, err := a.clusterRoot()
	if err != nil {
		return state.Dir{}, err
	}
	dir, err := state.In(root, a.name)
	if err != nil {
		return dir, usageError{err}
	}
	return dir, nil
}

// running is the cluster that the command is about, which must be running, and whose lease is renewed.
func (a *app) running() (state.Dir, state.Config, error) {
	dir, err := a.cluster()
	if err != nil {
		return dir, state.Config{}, err
	}
	cfg, err := dir.ReadConfig()
	if err != nil {
		return dir, cfg, fmt.Errorf("%w; start it with \"localkube up\"", err)
	}
	if !dir.Alive() {
		return dir, cfg, fmt.Errorf("cluster %q: %w; start it with \"localkube up\"", dir.Name(), errNotReady)
	}
	return dir, cfg, dir.Touch()
}

func (a *app) completeNames(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	root, err := a.clusterRoot()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names, err := state.List(root)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
