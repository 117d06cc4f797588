// Package cluster is what the commands of localkube do: start a cluster, find it, ask how it is, stop it.
//
//	c, err := cluster.Up(ctx, dir, cluster.Options{}, report)
//	info, err := cluster.Describe(dir)
//	err := cluster.Down(ctx, dir)
//
// Whatever changes a cluster holds its lock meanwhile, so that commands at the same time follow each other.
package cluster
