// Command devserver-operator runs the operator of devserver.io/v1: see package operator.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/devserver/operator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "devserver-operator:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: the process ends, and its signals with it
	}
}

func command() *cobra.Command {
	settings := operator.DefaultSettings()
	var file, kubeconfig string
	cmd := &cobra.Command{
		Use:   "devserver-operator",
		Short: "Run the operator of DevServers on a cluster",
		Long: `Run the operator of DevServers on a cluster: in a pod with its service account, elsewhere with a kubeconfig.

Each setting may be given in a YAML file under its name, in the environment, and as a flag: the later wins.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := load(cmd, &settings, file); err != nil {
				return err
			}
			logger, err := newLogger(settings)
			if err != nil {
				return err
			}
			var opts []kubesdk.LoginOption
			if kubeconfig != "" {
				opts = append(opts, kubesdk.Kubeconfig(kubeconfig))
			}
			client, err := kubesdk.Login(cmd.Context(), opts...)
			if err != nil {
				return err
			}
			defer client.Close()
			return operator.Run(cmd.Context(), client.Config(), settings, logger)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "YAML file with settings")
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig to use, also in a pod")
	for _, s := range settings.List() {
		flag := cmd.Flags().VarPF(value{s}, s.Flag(), "", fmt.Sprintf("%s ($%s, %s in the file)", s.Usage, s.Env(), s.Name))
		if flag.DefValue == "false" || flag.DefValue == "true" {
			flag.NoOptDefVal = "true"
		}
	}
	return cmd
}

// load takes the file and the environment, and then the flags again, which win.
func load(cmd *cobra.Command, settings *operator.Settings, file string) error {
	flags := map[string]string{}
	for _, s := range settings.List() {
		if cmd.Flags().Changed(s.Flag()) {
			flags[s.Name] = s.String()
		}
	}
	if err := settings.Load(file); err != nil {
		return err
	}
	for _, s := range settings.List() {
		if said, ok := flags[s.Name]; ok {
			if err := s.Set(said); err != nil {
				return fmt.Errorf("--%s: %w", s.Flag(), err)
			}
		}
	}
	return settings.Validate()
}

func newLogger(s operator.Settings) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return nil, fmt.Errorf("logLevel: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch s.LogFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	}
	return nil, fmt.Errorf("logFormat: %q is neither json nor text", s.LogFormat)
}

// value makes a setting a flag.
type value struct{ operator.Setting }

// Type is shown in the help.
func (value) Type() string { return "value" }
