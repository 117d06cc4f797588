// Package version makes every component of this binary say which version of Kubernetes it is.
//
// Kubernetes' own builds stamp the version in by linker flags, which `go install` can't. But a Go binary knows the
// versions of the modules that it was built from, so importing this package is enough.
package version

import (
	"runtime/debug"
	"strings"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// Module is the module whose version is that of Kubernetes.
const Module = "k8s.io/kubernetes"

//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitMajor k8s.io/component-base/version.gitMajor
var gitMajor string

//go:linkname gitMinor k8s.io/component-base/version.gitMinor
var gitMinor string

//go:linkname gitCommit k8s.io/component-base/version.gitCommit
var gitCommit string

// Go initializes packages in the order of their import paths, so far as their imports let it. This one comes right after
// the version package that it corrects, and before everything else of Kubernetes that reads a version early.
func init() {
	v := Kubernetes()
	major, minor, ok := split(v)
	if !ok {
		return
	}
	gitVersion, gitMajor, gitMinor, gitCommit = v, major, minor, ""
	if err := version.SetDynamicVersion(v); err != nil {
		panic("the version of Kubernetes that was just set is refused: " + err.Error())
	}
}

// Kubernetes is the version of Kubernetes that this binary was built from, like "v1.37.1", or "" if the binary does not say.
func Kubernetes() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == Module {
			return dep.Version
		}
	}
	return ""
}

// Own is the version of localkube itself, "devel" for one built from a working copy.
func Own() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// split is the major and minor part of "v1.37.1".
func split(v string) (major, minor string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(v, "v"), ".")
	if len(parts) < 3 {
		return "", "", false
	}
	return parts[0], parts[1], true
}
