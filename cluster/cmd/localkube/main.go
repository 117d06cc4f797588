//go:build !race

// Command localkube runs a real Kubernetes on this machine: etcd, the control plane and, on demand, a node, all of them
// in this one binary.
//
//	localkube up
//	localkube kubectl get namespaces
//	localkube down
//
// See the README of its module for everything else.
package main

import (
	"os"

	"github.com/kubesdk/kubesdk/cluster/internal/cli"
	"github.com/kubesdk/kubesdk/cluster/internal/components"
	_ "github.com/kubesdk/kubesdk/cluster/internal/version"
)

func main() {
	// The supervisor starts the components as processes of this program.
	if len(os.Args) > 1 && os.Args[1] != cli.Kubectl && components.Is(os.Args[1]) {
		os.Exit(components.Run(os.Args[1], os.Args[2:]))
	}
	os.Exit(cli.Run(os.Args[1:], components.Run))
}
