package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func (a *app) kubectl() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl [--name NAME] [--dir DIR] ARGUMENT...",
		Short: "Run the kubectl of the cluster's version against the cluster",
		Long: "kubectl runs the kubectl of the cluster's version against the cluster, with its exit code.\n\n" +
			"Flags before the first word that is no flag are localkube's (--name and --dir), from there on everything is kubectl's.",
		Example: "  localkube kubectl get pods -A\n" +
			"  localkube kubectl --name ci logs --tail=10 mypod",
		// Cobra would not know kubectl's flags from its own.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, help, err := a.ownFlags(args)
			if err != nil {
				return err
			}
			if help || len(args) == 0 {
				return cmd.Help()
			}
			dir, cfg, err := a.running()
			if err != nil {
				return err
			}
			if cfg.IdleTimeout > 0 {
				go renew(dir, cfg.IdleTimeout)
			}
			_ = os.Setenv("KUBECONFIG", dir.Kubeconfig())
			// What kubectl remembers of an API server it finds again by address, which the next cluster may have too.
			_ = os.Setenv("KUBECACHEDIR", dir.Path("kubectl-cache"))
			if code := a.run(Kubectl, args); code != 0 {
				return exitError(code)
			}
			return nil
		},
	}
}

// renew keeps a cluster that stops when idle, as long as this process lasts.
func renew(dir state.Dir, timeout time.Duration) {
	for range time.Tick(min(timeout/4+1, 5*time.Second)) {
		if err := dir.Touch(); err != nil {
			return
		}
	}
}

// ownFlags takes localkube's flags from the beginning of args.
func (a *app) ownFlags(args []string) (rest []string, help bool, err error) {
	own := map[string]*string{"--name": &a.name, "--dir": &a.root}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		flag, value, hasValue := strings.Cut(args[0], "=")
		target, ok := own[flag]
		switch {
		case flag == "--":
			return args[1:], false, nil
		case flag == "--help" || flag == "-h":
			return nil, true, nil
		case !ok:
			return args, false, nil // kubectl's, like -n
		case hasValue:
			*target, args = value, args[1:]
		case len(args) == 1:
			return nil, false, usageError{fmt.Errorf("flag %s needs a value", flag)}
		default:
			*target, args = args[1], args[2:]
		}
	}
	return args, false, nil
}
