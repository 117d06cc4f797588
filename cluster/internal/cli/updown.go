package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cluster/internal/cluster"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func (a *app) up() *cobra.Command {
	var opts cluster.Options
	var apiServerArgs []string
	var timeout time.Duration
	var format outputFormat
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster and wait until it is ready",
		Long: "up starts a cluster and returns when it is ready. If it is running already, up waits for it to be ready, and starts\n" +
			"again what has died of it. What a killed cluster left is cleaned up first.",
		Example: "  localkube up\n" +
			"  sudo localkube up --node --name pods\n" +
			"  localkube up --api-server-arg runtime-config=api/all=true",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.cluster()
			if err != nil {
				return err
			}
			for _, arg := range apiServerArgs {
				arg, err := apiServerArg(arg)
				if err != nil {
					return err
				}
				opts.APIServerArgs = append(opts.APIServerArgs, arg)
			}
			if opts.IdleTimeout < 0 {
				return usageError{fmt.Errorf("--idle-timeout %v is negative", opts.IdleTimeout)}
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout,
				fmt.Errorf("not ready after %v (--timeout); see \"localkube status\" and \"localkube logs\"", timeout))
			defer cancel()
			p := newProgress(a.err)
			began := time.Now()
			info, err := cluster.Up(ctx, dir, opts, p.reporter())
			p.stop()
			if err != nil {
				return err
			}
			p.total(fmt.Sprintf("cluster %q is ready", info.Name), time.Since(began))
			if format == "" {
				a.hint(info)
				return nil
			}
			return format.print(a.out, info)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.Node, "node", false, "add a node, so that pods run; needs root and a container runtime")
	f.StringArrayVar(&apiServerArgs, "api-server-arg", nil, "pass NAME=VALUE to kube-apiserver as --NAME=VALUE; may be repeated")
	f.DurationVar(&timeout, "timeout", 3*time.Minute, "give up when the cluster is not ready after this time")
	f.DurationVar(&opts.IdleTimeout, "idle-timeout", 0,
		"let the cluster stop by itself when for this long no command has used it and nobody has touched the file \"lease\" in its directory (0: never)")
	format.addTo(cmd)
	_ = cmd.RegisterFlagCompletionFunc("api-server-arg", cobra.NoFileCompletions)
	return cmd
}

// apiServerArg is NAME=VALUE, or the same with leading dashes, as kube-apiserver takes it.
func apiServerArg(arg string) (string, error) {
	name, _, ok := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if !ok || name == "" {
		return "", usageError{fmt.Errorf("--api-server-arg %q is not NAME=VALUE", arg)}
	}
	return "--" + strings.TrimLeft(arg, "-"), nil
}

// hint tells a person how to go on.
func (a *app) hint(info cluster.Info) {
	if !isTerminal(a.err) {
		return
	}
	flags := ""
	if info.Name != state.DefaultName {
		flags = " --name " + info.Name
	}
	if a.root != "" {
		flags += fmt.Sprintf(" --dir %q", a.root)
	}
	_, _ = fmt.Fprintf(a.err, "\nTry:  localkube kubectl%s get namespaces\nOr:   export KUBECONFIG=%q\n", flags, info.Kubeconfig)
}

func (a *app) down() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop a cluster and remove everything of it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := []string{a.name}
			if all && cmd.Flags().Changed("name") {
				return usageError{errors.New("--all and --name exclude each other")}
			}
			if all {
				root, err := a.clusterRoot()
				if err != nil {
					return err
				}
				if names, err = state.List(root); err != nil {
					return err
				}
			}
			var errs []error
			for _, name := range names {
				a.name = name
				errs = append(errs, a.stop(cmd.Context()))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "stop every cluster in the directory of clusters")
	return cmd
}

// stop ends the cluster; one that is not there is what the user wants, and no error.
func (a *app) stop(ctx context.Context) error {
	dir, err := a.cluster()
	if err != nil {
		return err
	}
	p := newProgress(a.err)
	began := time.Now()
	p.waiting([]string{"stopping cluster " + dir.Name()})
	err = cluster.Down(ctx, dir, func() { p.note("waiting for another localkube that is at work on it") })
	p.stop()
	switch {
	case errors.Is(err, state.ErrNotFound):
		p.note(fmt.Sprintf("there is no cluster %q", dir.Name()))
		return nil
	case err != nil:
		return err
	}
	p.total(fmt.Sprintf("cluster %q is gone", dir.Name()), time.Since(began))
	return nil
}
