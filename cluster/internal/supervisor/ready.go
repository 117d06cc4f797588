package supervisor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesdk/kubesdk/cluster/internal/addons"
	"github.com/kubesdk/kubesdk/cluster/internal/plan"
)

// probeInterval is how often a step that is not ready yet is asked.
const probeInterval = 50 * time.Millisecond

// client is the administrator's access to the cluster.
type client struct {
	kubernetes.Interface
	dynamic dynamic.Interface
}

func newClientOnce(path string) func() (*client, error) {
	return sync.OnceValues(func() (*client, error) {
		cfg, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			return nil, fmt.Errorf("read the administrator's kubeconfig: %w", err)
		}
		cfg.QPS = -1
		typed, err := kubernetes.NewForConfig(cfg)
		if err != nil {
			return nil, err
		}
		dyn, err := dynamic.NewForConfig(cfg)
		return &client{typed, dyn}, err
	})
}

// becomeReady returns when the step is ready, ctx ends, or an error says that it will never be.
func (s *supervisor) becomeReady(ctx context.Context, step plan.Step) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	last := ""
	for {
		err := s.probe(ctx, cl, step)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if text := err.Error(); text != last {
			slog.Debug("not ready", "component", step.Name, "err", err)
			last = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeInterval):
		}
	}
}

func (s *supervisor) probe(ctx context.Context, cl *client, step plan.Step) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if step.Apply {
		return addons.Apply(ctx, cl.dynamic, s.cfg)
	}
	p := step.Ready
	if p.Socket != "" {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", p.Socket)
		if err != nil {
			return err
		}
		_ = conn.Close()
	}
	if p.URL != "" {
		if err := get(ctx, p.URL); err != nil {
			return err
		}
	}
	if p.APIPath != "" {
		if err := cl.CoreV1().RESTClient().Get().AbsPath(p.APIPath).Do(ctx).Error(); err != nil {
			return err
		}
	}
	if p.Node != "" {
		return nodeReady(ctx, cl, p.Node)
	}
	return nil
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}

func nodeReady(ctx context.Context, cl *client, name string) error {
	node, err := cl.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			if c.Status == corev1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("node %s is not ready: %s", name, c.Message)
		}
	}
	return fmt.Errorf("node %s has not said whether it is ready", name)
}
