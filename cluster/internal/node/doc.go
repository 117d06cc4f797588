// Package node makes the place in which a cluster's node lives, and says what a machine lacks for it.
//
//	lib, err := node.Check()    // before: what is missing
//	err := node.Init(dir)       // as the first process of new namespaces
//
// A cluster with a node runs in namespaces of its own: processes, mounts, network and host name. So two clusters never meet
// at an address, a port, a path or a firewall rule, however alike they are, and when the first process of the namespaces
// ends, also by SIGKILL, the kernel ends all others and takes mounts and network interfaces away with them.
package node
