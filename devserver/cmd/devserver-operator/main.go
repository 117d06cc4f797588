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
	"github.com/spf13/pflag"

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

// options are what the command line says.
type options struct {
	settings   operator.Settings
	file       string
	kubeconfig string
}

func command() *cobra.Command {
	opts := &options{settings: operator.DefaultSettings()}
	cmd := &cobra.Command{
		Use:   "devserver-operator",
		Short: "Run the operator of DevServers on a cluster",
		Long: `Run the operator of DevServers on a cluster: in a pod with its service account, elsewhere with a kubeconfig.

Each setting may be given in a YAML file under its name, in the environment, and as a flag: the later wins.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.load(cmd.Flags()); err != nil {
				return err
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.register(cmd.Flags())
	return cmd
}

func (o *options) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "config", "", "YAML `file` with settings")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `file` to use, also in a pod")
	for _, s := range o.settings.List() {
		flag := flags.VarPF(value{s}, s.Flag(), "", fmt.Sprintf("%s ($%s, %s in the file)", s.Usage, s.Env(), s.Name))
		if flag.DefValue == "false" || flag.DefValue == "true" {
			flag.NoOptDefVal = "true"
		}
	}
}

// load takes the file and the environment, and then the flags again, which win.
func (o *options) load(flags *pflag.FlagSet) error {
	said := map[string]string{}
	for _, s := range o.settings.List() {
		if flags.Changed(s.Flag()) {
			said[s.Name] = s.String()
		}
	}
	if err := o.settings.Load(o.file); err != nil {
		return err
	}
	for _, s := range o.settings.List() {
		if text, ok := said[s.Name]; ok {
			if err := s.Set(text); err != nil {
				return fmt.Errorf("--%s: %w", s.Flag(), err)
			}
		}
	}
	return o.settings.Validate()
}

func run(ctx context.Context, o *options) error {
	logger, err := newLogger(o.settings)
	if err != nil {
		return err
	}
	var login []kubesdk.LoginOption
	if o.kubeconfig != "" {
		login = append(login, kubesdk.Kubeconfig(o.kubeconfig))
	}
	client, err := kubesdk.Login(ctx, login...)
	if err != nil {
		return err
	}
	defer client.Close()
	return operator.Run(ctx, client.Config(), o.settings, logger)
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
