package source

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Kubeconfig returns the configuration of a kubeconfig context. Empty arguments mean the usual file and the
// current context.
func Kubeconfig(path, context string) (*rest.Config, error) {
	loader := loadingRules(path)
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loader, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) {
			err = errors.New("no cluster is configured: pass --kubeconfig, --url, --from-dir or --crd")
		}
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return unlimited(config), nil
}

// Contexts returns the names of the contexts in a kubeconfig, sorted.
func Contexts(path string) ([]string, error) {
	config, err := loadingRules(path).Load()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	var out []string
	for name := range config.Contexts {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

func loadingRules(path string) *clientcmd.ClientConfigLoadingRules {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	return rules
}

// URL returns the configuration for a server by its URL, with headers in the form "Name: value" that go with
// every request. Header values never appear in errors.
func URL(server string, headers []string, skipTLS bool) (*rest.Config, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("--url %q is not a URL such as https://cluster.example:6443", server)
	}
	if u.User != nil {
		return nil, errors.New("--url holds a password: pass it in --http-headers instead")
	}
	extra := http.Header{}
	for i, header := range headers {
		name, value, ok := strings.Cut(header, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf(`--http-headers number %d is not in the form "Name: value"`, i+1)
		}
		extra.Add(textproto.CanonicalMIMEHeaderKey(name), value)
	}
	config := &rest.Config{Host: server, TLSClientConfig: rest.TLSClientConfig{Insecure: skipTLS}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return withHeaders{next, extra} })
	return unlimited(config), nil
}

func unlimited(config *rest.Config) *rest.Config {
	config.QPS = -1
	return config
}

// withHeaders adds headers to requests.
type withHeaders struct {
	next    http.RoundTripper
	headers http.Header
}

func (w withHeaders) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, values := range w.headers {
		req.Header[name] = values
	}
	return w.next.RoundTrip(req)
}
