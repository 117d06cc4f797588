// Package plan decides, without touching anything, what a cluster consists of: the files it needs, the processes to start
// and with which arguments, which of them wait for which others, and how to tell that each is ready.
//
//	files, err := plan.Files(cfg, time.Now())
//	for _, step := range plan.Steps(cfg) { ... }
//
// All paths are relative to the cluster's directory, in which every process runs. So the names of unix sockets stay short,
// however long the directory's path is.
package plan
