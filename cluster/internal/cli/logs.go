package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func (a *app) logs() *cobra.Command {
	var follow bool
	var lines int
	components := append([]string{"supervisor"}, plan.Names()...)
	cmd := &cobra.Command{
		Use:       "logs COMPONENT",
		Short:     "Print the log of a component",
		Long:      "logs prints the log of a component: " + strings.Join(components, ", ") + ".",
		ValidArgs: components,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(components, args[0]) {
				return usageError{fmt.Errorf("name one component: %s", strings.Join(components, ", "))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.cluster()
			if err != nil {
				return err
			}
			if _, err := dir.ReadConfig(); err != nil {
				return err
			}
			f, err := os.Open(dir.Log(args[0]))
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cluster %q has no log of %s: it was not started", dir.Name(), args[0])
			}
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			if lines >= 0 {
				if err := seekTail(f, lines); err != nil {
					return fmt.Errorf("read the log of %s: %w", args[0], err)
				}
			}
			return a.copyLog(cmd.Context(), dir, f, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing what is added, until the cluster stops")
	cmd.Flags().IntVar(&lines, "tail", -1, "print only so many lines from the end")
	return cmd
}

func (a *app) copyLog(ctx context.Context, dir state.Dir, f *os.File, follow bool) error {
	for {
		// Asked first, so that what was written before the end is still printed.
		alive := dir.Alive()
		if _, err := io.Copy(a.out, f); err != nil {
			return err
		}
		if !follow || !alive {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// seekTail goes to where the last n lines of f begin.
func seekTail(f io.ReadSeeker, n int) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	const block = 8192
	buf := make([]byte, block)
	found := 0
	for at := end; at > 0; {
		size := min(at, block)
		at -= size
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.ReadFull(f, buf[:size]); err != nil {
			return err
		}
		for i := size - 1; i >= 0; i-- {
			// The newline at the very end ends the last line and begins none.
			if buf[i] != '\n' || at+i == end-1 && n > 0 {
				continue
			}
			if found++; found >= n {
				_, err := f.Seek(at+i+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}
