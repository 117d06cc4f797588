package pod

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/pod/internal/stream"
)

// defaultReady is how long calls wait for a container that does not run yet.
const defaultReady = 30 * time.Second

// Target is a container to work in. It is a small immutable value, safe for concurrent use; its methods that return a
// Target return a changed copy. Make it with [Named] or [Selected]: the zero value does not work.
type Target struct {
	client    *kubesdk.Client
	namespace string
	name      string
	selector  string
	container string
	ready     time.Duration
	known     *known
}

// known is what was learned of a target's containers and need not be asked again.
type known struct {
	mu       sync.Mutex
	dialer   *stream.Dialer
	http     *http.Client
	defaults map[string]string   // pod → container, where the server does not choose
	noShell  map[string]bool     // pod/container
	tools    map[string]*toolkit // pod/container

}

// Named is the pod of that name.
func Named(c *kubesdk.Client, namespace, name string) Target {
	return Target{client: c, namespace: namespace, name: name, ready: defaultReady, known: newKnown()}
}

// Selected is a pod that the label selector matches, such as "app=web": for one call the newest that is ready, or, for
// [Logs], all of them. [Forward] goes over to another when its pod is gone.
func Selected(c *kubesdk.Client, namespace, selector string) Target {
	return Target{client: c, namespace: namespace, selector: selector, ready: defaultReady, known: newKnown()}
}

func newKnown() *known {
	return &known{defaults: map[string]string{}, noShell: map[string]bool{}, tools: map[string]*toolkit{}}
}

// Container is the target in a container other than the default: the one that the annotation
// kubectl.kubernetes.io/default-container names, else the first.
func (t Target) Container(name string) Target {
	t.container = name
	return t
}

// ReadyWithin says how long to wait for a container that does not run yet. The default is 30 s; 0 means not at all. That
// a pod does not exist is an error at once, and so is a container that will never run again.
func (t Target) ReadyWithin(d time.Duration) Target {
	t.ready = d
	return t
}

// Client is the client that the target was made with.
func (t Target) Client() *kubesdk.Client { return t.client }

// String names the target for people: default/web-0 (container app).
func (t Target) String() string {
	name := t.name
	if name == "" {
		name = "pods with " + t.selector
	}
	if t.container != "" {
		return fmt.Sprintf("%s/%s (container %s)", t.namespace, name, t.container)
	}
	return t.namespace + "/" + name
}

func (t Target) check() error {
	switch {
	case t.client == nil:
		return fmt.Errorf("the target has no client: make it with pod.Named or pod.Selected")
	case t.namespace == "":
		return fmt.Errorf("the target has no namespace")
	case t.name == "" && t.selector == "":
		return fmt.Errorf("the target in namespace %s has neither the name of a pod nor a selector", t.namespace)
	}
	return nil
}

func (t Target) key() string { return t.name + "/" + t.container }

func (t Target) pods() kubesdk.Resource[*corev1.Pod] {
	return kubesdk.For[*corev1.Pod](t.client).Namespace(t.namespace)
}

// dialer is made once for a target.
func (t Target) dialer() (*stream.Dialer, error) {
	t.known.mu.Lock()
	defer t.known.mu.Unlock()
	if t.known.dialer == nil {
		d, err := stream.NewDialer(t.client.Config())
		if err != nil {
			return nil, err
		}
		t.known.dialer = d
	}
	return t.known.dialer, nil
}

// resolve turns a selector into a pod. The container may stay open: for a pod with one, the server knows.
func (t Target) resolve(ctx context.Context) (Target, error) {
	if err := t.check(); err != nil {
		return t, err
	}
	if t.name == "" {
		name, err := t.pick(ctx)
		if err != nil {
			return t, err
		}
		t.name = name
	}
	if t.container == "" {
		t.known.mu.Lock()
		t.container = t.known.defaults[t.name]
		t.known.mu.Unlock()
	}
	return t, nil
}

// pick waits until a pod of the selector is ready.
func (t Target) pick(ctx context.Context) (string, error) {
	var why string
	err := poll(ctx, t.ready, func() (bool, error) {
		list, err := t.pods().List(ctx, kubesdk.Labels(t.selector))
		if err != nil {
			return false, err
		}
		if t.name = newestReady(list.Items); t.name != "" {
			return true, nil
		}
		why = fmt.Sprintf("no pod in namespace %s matches %q", t.namespace, t.selector)
		if len(list.Items) > 0 {
			reason := unready(list.Items[0])
			why = fmt.Sprintf("none of the %d pods in namespace %s that match %q is ready: %s: %s", len(list.Items), t.namespace, t.selector, list.Items[0].Name, reason)
		}
		return false, nil
	})
	if err != nil {
		return "", notReady(err, why)
	}
	return t.name, nil
}

func newestReady(pods []*corev1.Pod) string {
	pods = slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return !podReady(p) })
	if len(pods) == 0 {
		return ""
	}
	return slices.MaxFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	}).Name
}

// unready says why a pod is not ready.
func unready(p *corev1.Pod) string {
	if _, reason := condition(p, defaultContainer(p)); reason != "" {
		return reason
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue {
			return fmt.Sprintf("%s: %s", c.Reason, c.Message)
		}
	}
	return "its containers run"
}

func podReady(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
