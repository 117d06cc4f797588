// Package pod works inside running pods: it makes a pod as good to work with as os/exec and a local folder. Commands tell
// the truth about how they ended, logs are followed without loss, ports are forwarded for as long as wanted, and files are
// copied and kept in step with their modes, times and links.
//
//	web := pod.Named(c, "default", "web-0")
//	out, err := pod.Command(web, "cat", "/etc/hostname").Output(ctx)
//	err = pod.Sync(ctx, web, "./site", "/srv/www", pod.SyncOptions{Delete: true})
//
// Everything takes a [Target]: a pod by its name, or whichever pod is ready by a selector, and a container of it.
//
// The user needs RBAC's verb create on pods/exec (before Kubernetes 1.35 also get), pods/portforward or pods/attach, get on
// pods/log, and get on pods (list for selectors).
package pod
