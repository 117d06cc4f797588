//go:build modules

package components

// Kubernetes' own go.mod names k8s.io/sample-apiserver at a version that does not exist. Nothing here needs it, but
// `go list -m all` and the tools standing on it read every go.mod in the graph, so a version that exists must stay required.
import _ "k8s.io/sample-apiserver/pkg/apis/wardle"
