// Command localkube runs a real Kubernetes on this machine.
package main

import (
	"fmt"
	"os"

	"github.com/kubesdk/kubesdk/cluster/internal/components"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: localkube COMPONENT args")
		os.Exit(2)
	}
	os.Exit(components.Run(os.Args[1], os.Args[2:]))
}
