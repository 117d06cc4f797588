// Package e2e holds the tests that run localkube as its users do: the real binary, real clusters.
//
// They take the binary that $LOCALKUBE names, else build it, which takes minutes the first time. Every cluster they start is
// in a directory of theirs. The tests that need a node skip, saying so, where the machine can't have one.
package e2e
