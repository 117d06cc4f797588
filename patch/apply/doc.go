// Package apply applies a patch on this machine, to the same result as the API server: to see what a patch would do, and to test the
// code that makes it.
//
//	next, err := apply.To(deployment, p) // a changed copy
//
// It is apart from package patch because strategic merge patches are applied by the API server's own code, which brings two
// megabytes that a program which only sends patches does not need.
package apply
