// Package operator makes the custom resources of devserver.io/v1 true: it runs DevServers, says of flavors whether a node
// fits, and gives users a namespace of their own. [Run] is all of it; [Settings] come from a file, the environment and flags.
//
// Two of them may run at once: one works, the other waits to take its place.
package operator
