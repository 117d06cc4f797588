// Package components holds the programs of Kubernetes that this binary is made of, and runs one of them as if it had been
// started by itself.
//
//	if components.Is(os.Args[1]) {
//		os.Exit(components.Run(os.Args[1], os.Args[2:]))
//	}
package components
