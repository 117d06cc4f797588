package kubesdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// LoginOption configures [Login]. Every [ClientOption] and every [Option] is one too.
type LoginOption interface {
	applyLogin(*loginConfig)
}

type loginConfig struct {
	client  clientConfig
	context string
	file    string
}

type loginOption func(*loginConfig)

func (o loginOption) applyLogin(l *loginConfig) { o(l) }

// Context logs in with a context of the kubeconfig other than the current one.
func Context(name string) LoginOption {
	return loginOption(func(l *loginConfig) { l.context = name })
}

// Kubeconfig logs in with the file at path and no other. A leading ~ is the home folder.
func Kubeconfig(path string) LoginOption {
	return loginOption(func(l *loginConfig) { l.file = path })
}

const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Login makes a client from where this program runs: in a pod with its service account; elsewhere with the kubeconfig that
// $KUBECONFIG names, or ~/.kube/config, and its current context. With [Context] or [Kubeconfig] it is always a kubeconfig.
// All ways to authenticate that client-go's kubeconfig has work: certificates, tokens, exec plugins, OIDC.
//
// It sends nothing: credentials are first tried by the first call ([Client.WhoAmI] is a good one).
func Login(ctx context.Context, opts ...LoginOption) (*Client, error) {
	l := loginConfig{client: clientConfig{defaults: defaultSettings()}}
	for _, o := range opts {
		o.applyLogin(&l)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	if l.file == "" && l.context == "" {
		config, err := rest.InClusterConfig()
		if err == nil {
			namespace, _ := os.ReadFile(serviceAccountNamespace) // optional: a pod may mount a token alone
			return l.finish(config, "", strings.TrimSpace(string(namespace)))
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("log in with the pod's service account: %w", err)
		}
	}
	return l.fromKubeconfig()
}

// Contexts are the names of the kubeconfig's contexts, in alphabetical order. Of opts only [Kubeconfig] matters; without it
// the kubeconfig is the one that [Login] finds outside a pod.
func Contexts(opts ...LoginOption) ([]string, error) {
	var l loginConfig
	for _, o := range opts {
		o.applyLogin(&l)
	}
	rules, raw, where, err := l.load()
	if err != nil {
		return nil, err
	}
	if !anyExists(rules.GetLoadingPrecedence()) {
		return nil, fmt.Errorf("no kubeconfig at %s: set KUBECONFIG or use kubesdk.Kubeconfig: %w", where, fs.ErrNotExist)
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), nil
}

// load reads the kubeconfig. where says what it was made of, for errors.
func (l *loginConfig) load() (rules *clientcmd.ClientConfigLoadingRules, raw *clientcmdapi.Config, where string, err error) {
	rules, err = l.loadingRules()
	if err != nil {
		return nil, nil, "", err
	}
	where = strings.Join(rules.GetLoadingPrecedence(), string(filepath.ListSeparator))
	raw, err = rules.Load()
	if err != nil {
		return nil, nil, "", fmt.Errorf("log in: kubeconfig %s: %w%s", where, err, isIt(err))
	}
	return rules, raw, where, nil
}

func (l *loginConfig) fromKubeconfig() (*Client, error) {
	rules, raw, where, err := l.load()
	if err != nil {
		return nil, err
	}
	name := l.context
	if name == "" {
		name = raw.CurrentContext
	}
	if err := checkContext(raw, name, where, anyExists(rules.GetLoadingPrecedence())); err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	cc := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules)
	config, err := cc.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("log in with context %q of kubeconfig %s: %w", name, where, err)
	}
	namespace, _, err := cc.Namespace()
	if err != nil {
		return nil, fmt.Errorf("log in with context %q of kubeconfig %s: %w", name, where, err)
	}
	c, err := l.finish(config, name, namespace)
	if err != nil {
		return nil, fmt.Errorf("log in with context %q of kubeconfig %s: %w", name, where, err)
	}
	return c, nil
}

// isIt asks about a file that could be read, but not understood.
func isIt(err error) string {
	var unreadable *fs.PathError
	if errors.As(err, &unreadable) {
		return ""
	}
	return " (is it a kubeconfig?)"
}

func (l *loginConfig) finish(config *rest.Config, name, namespace string) (*Client, error) {
	c, err := newClient(config, &l.client)
	if err != nil {
		return nil, err
	}
	c.context, c.namespace = name, namespace
	return c, nil
}

func (l *loginConfig) loadingRules() (*clientcmd.ClientConfigLoadingRules, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if l.file == "" {
		return rules, nil
	}
	path, err := expandHome(l.file)
	if err != nil {
		return nil, fmt.Errorf("log in: kubeconfig %q: %w", l.file, err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("log in: kubeconfig: %w", err)
	}
	rules.ExplicitPath = path
	return rules, nil
}

// checkContext says in full what a kubeconfig lacks: clientcmd would fall back to localhost or name only the context.
func checkContext(raw *clientcmdapi.Config, name, where string, found bool) error {
	known := slices.Sorted(maps.Keys(raw.Contexts))
	entry, ok := raw.Contexts[name]
	switch {
	case !found:
		return fmt.Errorf("no kubeconfig at %s, and this is not a pod: set KUBECONFIG or use kubesdk.Kubeconfig: %w", where, fs.ErrNotExist)
	case len(raw.Contexts) == 0:
		return fmt.Errorf("kubeconfig %s has no contexts: is the file empty or not a kubeconfig?", where)
	case name == "":
		return fmt.Errorf("kubeconfig %s has no current context: set one with kubectl config use-context, or use kubesdk.Context with one of %q", where, known)
	case !ok:
		return fmt.Errorf("kubeconfig %s has no context %q, only %q", where, name, known)
	}
	cluster, ok := raw.Clusters[entry.Cluster]
	switch {
	case !ok:
		return fmt.Errorf("context %q of kubeconfig %s names the cluster %q, which is not there", name, where, entry.Cluster)
	case cluster.Server == "":
		return fmt.Errorf("cluster %q of kubeconfig %s has no server address", entry.Cluster, where)
	}
	if _, ok := raw.AuthInfos[entry.AuthInfo]; !ok && entry.AuthInfo != "" {
		return fmt.Errorf("context %q of kubeconfig %s names the user %q, which is not there", name, where, entry.AuthInfo)
	}
	return nil
}

func anyExists(paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		_, err := os.Stat(p)
		return err == nil
	})
}

func expandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && rest[0] != '/' && rest[0] != filepath.Separator {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, rest), nil
}
