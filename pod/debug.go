package pod

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk"
)

// DebugOptions describe an ephemeral container. Only Image is needed.
type DebugOptions struct {
	// Image is what the container is made of.
	Image string
	// Name is the container's name. Empty: "debug-" and something random.
	Name string
	// Command is what it runs. Empty: sleep for an hour, which leaves it to commands in it.
	Command []string
	// Container is whose processes it shares: it sees and signals them, and their files are below /proc/1/root. Empty: the
	// target's or the default container. NoProcesses shares none.
	Container   string
	NoProcesses bool
	// SecurityContext is the container's; nil: that of the image and the pod.
	SecurityContext *corev1.SecurityContext
	// Stdin and TTY are for [Attach].
	Stdin, TTY bool
}

// Debug adds an ephemeral container to the target's pod, waits until it runs, and returns it as a target. There is no way
// to remove one: it ends with its command, and stays in the pod's list until the pod is gone. The user needs RBAC's verb
// update on pods/ephemeralcontainers.
func Debug(ctx context.Context, t Target, o DebugOptions) (Target, error) {
	fail := func(err error) (Target, error) { return t, fmt.Errorf("debug %s: %w", t, err) }
	if o.Image == "" {
		return fail(errors.New("no image"))
	}
	t, err := t.resolve(ctx)
	if err != nil {
		return fail(err)
	}
	if o.Name == "" {
		o.Name = "debug-" + strings.ToLower(rand.Text()[:6])
	}
	for {
		p, err := t.pods().Get(ctx, t.name)
		if err != nil {
			return fail(err)
		}
		p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, o.container(t, p))
		_, err = t.pods().Subresource("ephemeralcontainers").Replace(ctx, p)
		if err == nil {
			break
		}
		if !errors.Is(err, kubesdk.ErrConflict) {
			return fail(err)
		}
	}
	debug, err := t.Container(o.Name).await(ctx)
	if err != nil {
		return fail(fmt.Errorf("container %s: %w", o.Name, err))
	}
	return debug, nil
}

func (o DebugOptions) container(t Target, p *corev1.Pod) corev1.EphemeralContainer {
	c := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: o.Name, Image: o.Image, Command: o.Command, Stdin: o.Stdin, TTY: o.TTY, SecurityContext: o.SecurityContext,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}}
	if len(c.Command) == 0 {
		c.Command = []string{"sleep", "3600"}
	}
	switch {
	case o.NoProcesses:
	case o.Container != "":
		c.TargetContainerName = o.Container
	case t.container != "":
		c.TargetContainerName = t.container
	default:
		c.TargetContainerName = defaultContainer(p)
	}
	return c
}
