package kubesdk

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/internal/transport"
)

const modulePath = "github.com/kubesdk/kubesdk"

// Client talks to one API server as one user. It is safe for concurrent use; a program normally has one per cluster. Make
// it with [Login] or [New]: the zero value does not work.
type Client struct {
	config    *rest.Config
	namespace string
	context   string
	defaults  *settings
	scheme    *runtime.Scheme
	transport *transport.Transport
	kinds     sync.Map // schema.GroupVersionKind → TypeInfo, as discovery told
	listFirst sync.Map // schema.GroupVersionKind → struct{}: the server cannot stream a present state of these
}

// ClientOption configures a [Client]. Every [Option] is one too.
type ClientOption interface {
	LoginOption
	applyClient(*clientConfig)
}

type clientConfig struct {
	defaults settings
	scheme   *runtime.Scheme
}

type clientOption func(*clientConfig)

func (o clientOption) applyClient(c *clientConfig) { o(c) }
func (o clientOption) applyLogin(l *loginConfig)   { o(&l.client) }

// Scheme adds what s knows of Go types to what the client knows by itself: needed only for types that are neither of
// k8s.io/api nor have a KubeType method. Plural and scope of such a kind come from the server, asked once.
func Scheme(s *runtime.Scheme) ClientOption {
	return clientOption(func(c *clientConfig) { c.scheme = s })
}

// New makes a client for whoever has a rest.Config already. It connects to nothing yet. The config is copied; its QPS,
// Burst and RateLimiter are not used (see [RateLimit]), nor its Timeout (see [Timeout]).
func New(config *rest.Config, opts ...ClientOption) (*Client, error) {
	cc := clientConfig{defaults: defaultSettings()}
	for _, o := range opts {
		o.applyClient(&cc)
	}
	return newClient(config, &cc)
}

func newClient(config *rest.Config, cc *clientConfig) (*Client, error) {
	if config == nil {
		return nil, fmt.Errorf("new client: the rest.Config is nil: use kubesdk.Login, or a config of clientcmd or rest.InClusterConfig")
	}
	if cc.defaults.err != nil {
		return nil, fmt.Errorf("new client: %w", cc.defaults.err)
	}
	config = rest.CopyConfig(config)
	if config.UserAgent == "" {
		config.UserAgent = userAgent()
	}
	t, err := transport.New(config)
	if err != nil {
		return nil, fmt.Errorf("new client for %s: %w", withoutPassword(config.Host), err)
	}
	return &Client{config: config, defaults: &cc.defaults, scheme: cc.scheme, transport: t}, nil
}

// Close frees idle connections. Calls under way are not cut off.
func (c *Client) Close() { c.transport.Close() }

// Server is the address of the API server, without credentials.
func (c *Client) Server() string { return withoutPassword(c.config.Host) }

// Context is the name of the kubeconfig's context that the client logged in with; empty in a cluster and after [New].
func (c *Client) Context() string { return c.context }

// Namespace is the default namespace of the kubeconfig's context, or the pod's own in a cluster; "default" if neither says
// one. Handles do not use it by themselves: kubesdk.For[...](c).Namespace(c.Namespace()).
func (c *Client) Namespace() string {
	if c.namespace == "" {
		return "default"
	}
	return c.namespace
}

// Config is a copy of the configuration, for other libraries that talk to the same server.
func (c *Client) Config() *rest.Config { return rest.CopyConfig(c.config) }

// WhoAmI asks the server who it takes this client for (SelfSubjectReview).
func (c *Client) WhoAmI(ctx context.Context) (authenticationv1.UserInfo, error) {
	review, err := For[*authenticationv1.SelfSubjectReview](c).Create(ctx, &authenticationv1.SelfSubjectReview{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// schemeKind asks the client's scheme for the kind of a Go type.
func (c *Client) schemeKind(t reflect.Type) (schema.GroupVersionKind, bool) {
	if c.scheme == nil {
		return schema.GroupVersionKind{}, false
	}
	obj, ok := reflect.New(t.Elem()).Interface().(runtime.Object)
	if !ok {
		return schema.GroupVersionKind{}, false
	}
	kinds, unversioned, err := c.scheme.ObjectKinds(obj)
	if err != nil || unversioned || len(kinds) == 0 {
		return schema.GroupVersionKind{}, false
	}
	return kinds[0], true
}

// userAgent begins with the program's name, as the server takes the default field manager from it.
func userAgent() string {
	version, sdk := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = strings.Trim(info.Main.Version, "()")
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == modulePath {
				sdk = strings.Trim(m.Version, "()")
			}
		}
	}
	return fmt.Sprintf("%s/%s (%s/%s) kubesdk/%s", programName(), version, goruntime.GOOS, goruntime.GOARCH, sdk)
}

func withoutPassword(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.User == nil {
		return host
	}
	u.User = nil
	return strings.TrimSuffix(u.String(), "/")
}
