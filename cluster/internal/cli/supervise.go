package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cluster/internal/node"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/supervisor"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// supervise is what up starts in the background.
func (a *app) supervise() *cobra.Command {
	return &cobra.Command{
		Use:    "supervise DIR",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := state.At(args[0])
			if err != nil {
				return err
			}
			cfg, err := dir.ReadConfig()
			if err != nil {
				return err
			}
			switch {
			case cfg.Node && os.Getpid() == 1:
				return node.Init(dir, []string{"supervise", args[0]})
			case cfg.Node:
				// Init stands for the cluster: when it ends, the kernel ends this process too.
				err := supervisor.Run(cmd.Context(), dir)
				if errors.Is(err, supervisor.ErrIdle) {
					return exitError(node.IdleCode)
				}
				return err
			}
			alive, err := dir.HoldAlive()
			if err != nil {
				return err
			}
			defer func() { _ = alive.Close() }()
			err = supervisor.Run(cmd.Context(), dir)
			if errors.Is(err, supervisor.ErrIdle) {
				return sweep.RemoveIdle(dir)
			}
			return err
		},
	}
}
