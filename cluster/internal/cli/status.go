package cli

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubesdk/kubesdk/cluster/internal/cluster"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func (a *app) status() *cobra.Command {
	var format outputFormat
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how a cluster is, or list the clusters when no --name is given",
		Long: "status says how a cluster is, or lists the clusters when no --name is given.\n\n" +
			"With --name, the exit code is 3 if there is no such cluster and 4 if it is not ready.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("name") {
				return a.statusOne(format)
			}
			return a.statusAll(format)
		},
	}
	format.addTo(cmd)
	return cmd
}

func (a *app) statusOne(format outputFormat) error {
	dir, err := a.cluster()
	if err != nil {
		return err
	}
	info, err := cluster.Describe(dir)
	if err != nil {
		return err
	}
	if format != "" {
		err = format.print(a.out, info)
	} else {
		err = a.describe(info)
	}
	if err == nil && info.Phase != state.Ready {
		return fmt.Errorf("%w: %q is %s", errNotReady, info.Name, info.Phase)
	}
	return err
}

func (a *app) statusAll(format outputFormat) error {
	root, err := a.clusterRoot()
	if err != nil {
		return err
	}
	names, err := state.List(root)
	if err != nil {
		return err
	}
	infos := []cluster.Info{}
	for _, name := range names {
		dir, err := state.In(root, name)
		if err != nil {
			return err
		}
		// One that has just gone is none.
		if info, err := cluster.Describe(dir); err == nil {
			infos = append(infos, info)
		}
	}
	if format != "" {
		return format.print(a.out, infos)
	}
	if len(infos) == 0 {
		_, _ = fmt.Fprintln(a.err, "there are no clusters")
		return nil
	}
	return table(a.out, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "NAME\tPHASE\tNODE\tAGE\tSERVER")
		for _, i := range infos {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.Name, i.Phase, yesNo(i.Node), age(i.Created), i.Server)
		}
	})
}

func (a *app) describe(info cluster.Info) error {
	err := table(a.out, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "Name:\t%s\nPhase:\t%s\nNode:\t%s\nAge:\t%s\nServer:\t%s\nKubeconfig:\t%s\n\n",
			info.Name, info.Phase, yesNo(info.Node), age(info.Created), info.Server, info.Kubeconfig)
	})
	if err != nil {
		return err
	}
	err = table(a.out, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "COMPONENT\tPHASE\tPID\tREADY AFTER\tMESSAGE")
		for _, c := range info.Components {
			pid, ready := "-", "-"
			if c.PID != 0 {
				pid = fmt.Sprint(c.PID)
			}
			if c.ReadyAfter != 0 {
				ready = fmt.Sprintf("%.1fs", c.ReadyAfter.Seconds())
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Name, c.Phase, pid, ready, c.Message)
		}
	})
	for _, c := range info.Components {
		if c.Log != "" {
			_, _ = fmt.Fprintf(a.out, "\nThe last lines of %s:\n%s", c.Name, c.Log)
		}
	}
	return err
}

func table(out io.Writer, fill func(io.Writer)) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fill(w)
	return w.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func age(t time.Time) string { return duration.HumanDuration(time.Since(t)) }

func (a *app) kubeconfig() *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print a kubeconfig that logs in as the cluster's administrator",
		Example: "  localkube kubeconfig > k && kubectl --kubeconfig k get nodes\n" +
			"  localkube kubeconfig --name ci > k",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, _, err := a.running()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(dir.Kubeconfig())
			if err != nil {
				return err
			}
			_, err = a.out.Write(data)
			return err
		},
	}
}
