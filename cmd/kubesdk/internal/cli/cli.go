package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/generate"
)

// The exit codes of the command.
const (
	exitOK     = 0
	exitFailed = 1 // something failed, or a check found changes
	exitUsage  = 2 // the command line is wrong
)

// Run runs the command with arguments and returns its exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		say(stderr, "kubesdk: %v\nRun \"kubesdk %s--help\" for usage.\n", err, usage.command)
		return exitUsage
	case errors.Is(err, generate.ErrOutdated), errors.Is(err, errReported):
		return exitFailed
	}
	say(stderr, "kubesdk: %v\n", err)
	return exitFailed
}

// say prints a message. There is nobody to tell if the terminal is gone.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// sayln prints a line.
func sayln(w io.Writer, args ...any) {
	_, _ = fmt.Fprintln(w, args...)
}

// errReported is an error that has been printed already.
var errReported = errors.New("reported")

// usageError is a mistake on the command line. command is the subcommand with a space after it, or empty.
type usageError struct {
	error
	command string
}

func (e usageError) Unwrap() error { return e.error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "kubesdk",
		Short:         "Tools of the Kubernetes SDK for Go",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q: the commands are generate, version and completion", args[0]), ""}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		name := ""
		if cmd.HasParent() {
			name = cmd.Name() + " "
		}
		return usageError{err, name}
	})
	root.AddCommand(newGenerate(), newVersion())
	return root
}
