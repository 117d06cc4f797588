// Package headline is one workload on a real API server from end to end: make N Deployments, read each, watch them all
// arrive, and delete them, with many calls in flight. Every client does the same with the same settings.
package headline
