package storage

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// NewCommand is the component storage-provisioner.
func NewCommand() *cobra.Command {
	var kubeconfig, dir, node string
	cmd := &cobra.Command{
		Use:          "storage-provisioner",
		Short:        "Provision directories of this machine as volumes",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
			}
			client, err := kubernetes.NewForConfig(cfg)
			if err != nil {
				return err
			}
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			return New(client, abs, node).Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	cmd.Flags().StringVar(&dir, "dir", "", "the directory to make volumes in")
	cmd.Flags().StringVar(&node, "node", "", "the node that has the directory")
	return cmd
}
