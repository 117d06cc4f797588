// Command podhelper is pushed by package pod into containers that lack a shell or tar, and copies files there. It is built
// for the container, not for this machine:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o podhelper github.com/kubesdk/kubesdk/pod/podhelper
package main

import (
	"os"

	"github.com/kubesdk/kubesdk/pod/internal/agent"
)

func main() { os.Exit(agent.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
