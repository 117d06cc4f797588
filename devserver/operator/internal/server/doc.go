// Package server makes DevServers true: it turns each into a StatefulSet with a pod or several, the claim of its home and
// the service of its workers, keeps these as they should be, says in the status what became of the spec, and ends servers
// whose time is over.
//
// What the children should be (plan.go), what pods say (diagnose.go), when a server ends (lifetime.go) and what its status
// is (status.go) are pure functions of what was read. The reconciler reads from the cache, compares, and writes only what
// differs. It keeps nothing in memory: a new process goes on where the last one was killed.
package server
