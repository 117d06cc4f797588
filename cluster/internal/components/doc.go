//go:build !race

// Package components holds the programs of Kubernetes that this binary is made of, and runs one of them as if it had been
// started by itself.
//
//	if components.Is(os.Args[1]) {
//		os.Exit(components.Run(os.Args[1], os.Args[2:]))
//	}
//
// Nothing that is linked in here is tested with the race detector, and compiling it so takes a quarter of an hour. Hence the
// build constraint, which lets `go test -race ./...` pass over this package and the command.
package components
