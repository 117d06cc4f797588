// Package state answers where a cluster keeps its files, and reads and writes the few that its processes share: the
// configuration it was started with, the status its supervisor reports, and the locks that say who is at work on it.
//
//	root, err := state.DefaultRoot()
//	dir, err := state.In(root, "default")
//	cfg, err := dir.ReadConfig()
//
// A cluster is one directory, ROOT/NAME. Beside it lies ROOT/NAME.lock while a command changes the cluster.
package state
