// Package object makes the objects that the benchmarks work on: a Deployment of the size that real ones have, a Pod with
// the status of a running one, and a custom resource with a Go type.
package object
