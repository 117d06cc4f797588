package cli

import "github.com/spf13/cobra"

func (a *app) image() *cobra.Command {
	return &cobra.Command{Use: "image", Short: "Build images and load them into a cluster's node"}
}
