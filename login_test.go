package kubesdk_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

// kubeconfig is the test cluster's, changed and written to a file of the test's own. Its contexts are "one", the current
// one, and "two".
func kubeconfig(t *testing.T, change func(*clientcmdapi.Config)) (path string) {
	t.Helper()
	config := must[*clientcmdapi.Config](t)(clientcmd.LoadFromFile(kubetest.Start(t).Kubeconfig))
	current := config.Contexts[config.CurrentContext]
	one, two := *current, *current
	one.Namespace, two.Namespace = "", "elsewhere"
	config.Clusters = map[string]*clientcmdapi.Cluster{"c": config.Clusters[current.Cluster]}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{"u": config.AuthInfos[current.AuthInfo]}
	one.Cluster, two.Cluster, one.AuthInfo, two.AuthInfo = "c", "c", "u", "u"
	config.Contexts = map[string]*clientcmdapi.Context{"one": &one, "two": &two}
	config.CurrentContext = "one"
	if change != nil {
		change(config)
	}
	path = filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// loggedIn makes sure that c is somebody on the test cluster.
func loggedIn(t *testing.T, c *kubesdk.Client, err error) *kubesdk.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLogin(t *testing.T) {
	path := kubeconfig(t, nil)
	want := func(t *testing.T, c *kubesdk.Client, name, namespace string) {
		t.Helper()
		if c.Context() != name || c.Namespace() != namespace {
			t.Errorf("the context is %q and its namespace %q, want %q and %q", c.Context(), c.Namespace(), name, namespace)
		}
	}
	t.Run("the file of KUBECONFIG", func(t *testing.T) {
		t.Setenv("KUBECONFIG", path)
		c, err := kubesdk.Login(t.Context())
		want(t, loggedIn(t, c, err), "one", "default")
	})
	t.Run("a context", func(t *testing.T) {
		t.Setenv("KUBECONFIG", path)
		c, err := kubesdk.Login(t.Context(), kubesdk.Context("two"))
		want(t, loggedIn(t, c, err), "two", "elsewhere")
	})
	t.Run("a file", func(t *testing.T) {
		t.Setenv("KUBECONFIG", "/does/not/exist")
		c, err := kubesdk.Login(t.Context(), kubesdk.Kubeconfig(path))
		want(t, loggedIn(t, c, err), "one", "default")
	})
	t.Run("a file and a context", func(t *testing.T) {
		c, err := kubesdk.Login(t.Context(), kubesdk.Kubeconfig(path), kubesdk.Context("two"))
		want(t, loggedIn(t, c, err), "two", "elsewhere")
	})
	home := t.TempDir()
	content := must[[]byte](t)(os.ReadFile(path))
	for _, name := range []string{"config", "custom-config"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(home, ".kube"), 0o700), os.WriteFile(filepath.Join(home, ".kube", name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a file in the home folder", func(t *testing.T) {
		t.Setenv("HOME", home)
		c, err := kubesdk.Login(t.Context(), kubesdk.Kubeconfig("~/.kube/custom-config"))
		want(t, loggedIn(t, c, err), "one", "default")
	})
	t.Run("several files", func(t *testing.T) {
		other := kubeconfig(t, func(c *clientcmdapi.Config) {
			c.Contexts = map[string]*clientcmdapi.Context{"three": c.Contexts["two"]}
			c.CurrentContext = "three"
		})
		t.Setenv("KUBECONFIG", path+string(filepath.ListSeparator)+other)
		c, err := kubesdk.Login(t.Context(), kubesdk.Context("three"))
		want(t, loggedIn(t, c, err), "three", "elsewhere")
		c, err = kubesdk.Login(t.Context())
		want(t, loggedIn(t, c, err), "one", "default")
	})
	t.Run("options for calls", func(t *testing.T) {
		log, text := recorder()
		c, err := kubesdk.Login(t.Context(), kubesdk.Kubeconfig(path), kubesdk.Log(kubesdk.LogPolicy{Logger: log, OnSuccess: true}))
		loggedIn(t, c, err)
		if !strings.Contains(text(), "selfsubjectreviews") {
			t.Errorf("logged %q", text())
		}
	})
	t.Run("a rest.Config", func(t *testing.T) {
		c, err := kubesdk.New(must[*rest.Config](t)(clientcmd.BuildConfigFromFlags("", path)))
		want(t, loggedIn(t, c, err), "", "default")
	})
}

// A credential of each sort, where a program other than this one makes it.
func TestLoginByExecPlugin(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "plugin")
	path := kubeconfig(t, func(c *clientcmdapi.Config) {
		user := c.AuthInfos["u"]
		answer := `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientCertificateData":"` +
			strings.ReplaceAll(string(user.ClientCertificateData), "\n", `\n`) + `","clientKeyData":"` +
			strings.ReplaceAll(string(user.ClientKeyData), "\n", `\n`) + `"}}`
		if err := os.WriteFile(script, []byte("#!/bin/sh\ncat <<'EOF'\n"+answer+"\nEOF\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		user.ClientCertificateData, user.ClientKeyData = nil, nil
		user.Exec = &clientcmdapi.ExecConfig{Command: script, APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}
	})
	c, err := kubesdk.Login(t.Context(), kubesdk.Kubeconfig(path))
	loggedIn(t, c, err)
}

func TestExecPluginFails(t *testing.T) {
	t.Parallel()
	path := kubeconfig(t, func(c *clientcmdapi.Config) {
		*c.AuthInfos["u"] = clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
			Command: "false", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}}
	})
	c := must[*kubesdk.Client](t)(kubesdk.Login(t.Context(), kubesdk.Kubeconfig(path), quick()))
	defer c.Close()
	_, err := c.WhoAmI(t.Context())
	mustSay(t, err, "executable false failed with exit code 1")
	if e := asError(t, err); e.Attempts != 1 {
		t.Errorf("it was tried %d times", e.Attempts)
	}
}

func TestLoginRefuses(t *testing.T) {
	write := func(t *testing.T, content string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	changed := func(change func(*clientcmdapi.Config)) func(*testing.T) string {
		return func(t *testing.T) string { return kubeconfig(t, change) }
	}
	for name, tt := range map[string]struct {
		path func(*testing.T) string
		opts []kubesdk.LoginOption
		says []string
		is   error
	}{
		"missing":                 {func(t *testing.T) string { return filepath.Join(t.TempDir(), "absent") }, nil, []string{"no such file"}, fs.ErrNotExist},
		"a folder":                {func(t *testing.T) string { return t.TempDir() }, nil, []string{"is a directory"}, nil},
		"empty":                   {func(t *testing.T) string { return write(t, "") }, nil, []string{"has no contexts", "empty"}, nil},
		"not YAML":                {func(t *testing.T) string { return write(t, "{[") }, nil, []string{"yaml", "is it a kubeconfig?"}, nil},
		"YAML of another kind":    {func(t *testing.T) string { return write(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n") }, nil, []string{"Pod", "is it a kubeconfig?"}, nil},
		"a picture":               {func(t *testing.T) string { return write(t, "\x89PNG\r\n\x1a\n\x00\x00") }, nil, nil, nil},
		"no such context":         {changed(nil), []kubesdk.LoginOption{kubesdk.Context("three")}, []string{`no context "three"`, `"one" "two"`}, nil},
		"no current context":      {changed(func(c *clientcmdapi.Config) { c.CurrentContext = "" }), nil, []string{"no current context", "use-context", "kubesdk.Context", `"one" "two"`}, nil},
		"a current one that left": {changed(func(c *clientcmdapi.Config) { c.CurrentContext = "gone" }), nil, []string{`no context "gone"`}, nil},
		"no such cluster":         {changed(func(c *clientcmdapi.Config) { c.Contexts["one"].Cluster = "x" }), nil, []string{`context "one"`, `cluster "x"`, "not there"}, nil},
		"no such user":            {changed(func(c *clientcmdapi.Config) { c.Contexts["one"].AuthInfo = "x" }), nil, []string{`context "one"`, `user "x"`, "not there"}, nil},
		"no server":               {changed(func(c *clientcmdapi.Config) { c.Clusters["c"].Server = "" }), nil, []string{`cluster "c"`, "no server"}, nil},
		"a key that is not there": {changed(func(c *clientcmdapi.Config) {
			c.AuthInfos["u"].ClientKeyData, c.AuthInfos["u"].ClientKey = nil, "/does/not/exist.key"
		}), nil, []string{`context "one"`, "client-key", "/does/not/exist.key"}, nil},
		"a key that is none": {changed(func(c *clientcmdapi.Config) { c.AuthInfos["u"].ClientKeyData = []byte("nonsense") }), nil, []string{`context "one"`, "key"}, nil},
		"another's key":      {changed(func(c *clientcmdapi.Config) { c.AuthInfos["u"].ClientKeyData = newKey() }), nil, []string{`context "one"`, "private key"}, nil},
		"a CA that is none":  {changed(func(c *clientcmdapi.Config) { c.Clusters["c"].CertificateAuthorityData = []byte("nonsense") }), nil, []string{`context "one"`, "certificate"}, nil},
		"a CA that is not there": {changed(func(c *clientcmdapi.Config) {
			c.Clusters["c"].CertificateAuthorityData, c.Clusters["c"].CertificateAuthority = nil, "/does/not/exist.crt"
		}), nil, []string{`context "one"`, "/does/not/exist.crt"}, nil},
		"a token that is not there": {changed(func(c *clientcmdapi.Config) {
			*c.AuthInfos["u"] = clientcmdapi.AuthInfo{TokenFile: "/does/not/exist.token"}
		}), nil, []string{`context "one"`, "/does/not/exist.token"}, nil},
		"an address that is none": {changed(func(c *clientcmdapi.Config) { c.Clusters["c"].Server = "https://a b:x" }), nil, []string{`context "one"`, "a b:x"}, nil},
		"a wrong option":          {changed(nil), []kubesdk.LoginOption{kubesdk.Retry(kubesdk.RetryPolicy{Attempts: -1})}, []string{"Attempts is -1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := tt.path(t)
			c, err := kubesdk.Login(t.Context(), append(tt.opts, kubesdk.Kubeconfig(path))...)
			if err == nil {
				c.Close()
			}
			mustSay(t, err, append(tt.says, "log in", path)...)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is no %v", err, tt.is)
			}
			if name == "missing" {
				return // in the environment it is another case: see below
			}
			t.Setenv("KUBECONFIG", path)
			_, err = kubesdk.Login(t.Context(), tt.opts...)
			mustSay(t, err, append(tt.says, path)...)
		})
	}
	t.Run("nothing anywhere", func(t *testing.T) {
		home := t.TempDir()
		t.Setenv("HOME", home)
		t.Setenv("KUBECONFIG", filepath.Join(home, "absent"))
		_, err := kubesdk.Login(t.Context())
		mustSay(t, err, filepath.Join(home, "absent"), "KUBECONFIG", "kubesdk.Kubeconfig", "not a pod")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is no fs.ErrNotExist", err)
		}
	})
	t.Run("a pod without its token", func(t *testing.T) {
		t.Setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
		t.Setenv("KUBERNETES_SERVICE_PORT", "443")
		_, err := kubesdk.Login(t.Context())
		mustSay(t, err, "service account", "/var/run/secrets/kubernetes.io/serviceaccount/token")
	})
	t.Run("a context that is over", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := kubesdk.Login(ctx, kubesdk.Kubeconfig(kubeconfig(t, nil))); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no rest.Config", func(t *testing.T) {
		_, err := kubesdk.New(nil)
		mustSay(t, err, "rest.Config is nil", "kubesdk.Login")
	})
}

// newKey is a private key that belongs to no certificate.
func newKey() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// What listens at the address is not a Kubernetes API server, or not the one that the kubeconfig is about.
func TestNotKubernetes(t *testing.T) {
	t.Parallel()
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if contentType == "none" {
				w.Header()["Content-Type"] = nil
			} else {
				w.Header().Set("Content-Type", contentType)
			}
			if status/100 == 3 {
				w.Header().Set("Location", "https://login.example.test/")
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		says    []string
	}{
		"a page":               {answer(200, "text/html; charset=utf-8", "<!doctype html><title>Welcome</title>"), []string{"text/html", "Welcome", "Kubernetes API server"}},
		"an error page":        {answer(404, "text/html", "<h1>Nothing here</h1>"), []string{"404", "text/html", "proxy"}},
		"nothing":              {answer(200, "application/json", ""), []string{"empty", "200", "Kubernetes API server"}},
		"nothing, unavailable": {answer(503, "none", ""), []string{"503", "proxy"}},
		"text":                 {answer(200, "text/plain", "hello"), []string{"text/plain", "hello"}},
		"text, refused":        {answer(400, "text/plain", "Client sent an HTTP request to an HTTPS server."), []string{"400", "HTTP request to an HTTPS server"}},
		"JSON that is none":    {answer(200, "application/json", `{"apiVersion": "v1", `), []string{"unexpected"}},
		"another kind":         {answer(200, "application/json", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`), []string{"Pod", "ConfigMap"}},
		"no content type":      {answer(200, "none", `{"apiVersion":"v1","kind":"ConfigMap"}`), []string{"content type"}},
		"a redirect":           {answer(302, "text/html", ""), []string{"redirect", "https://login.example.test/"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			c := must[*kubesdk.Client](t)(kubesdk.New(&rest.Config{Host: server.URL}, kubesdk.Retry(kubesdk.RetryPolicy{})))
			defer c.Close()
			handle := kubesdk.For[*corev1.ConfigMap](c).Namespace("a")
			_, err := handle.Get(t.Context(), "x")
			mustSay(t, err, append(tt.says, "get configmaps a/x", server.URL)...)
			_, ok, err := handle.Lookup(t.Context(), "x")
			if ok || err == nil {
				t.Errorf("a page that was not found is not an object that is absent: %v, %v", ok, err)
			}
			if e := asError(t, err); e.URL != server.URL+"/api/v1/namespaces/a/configmaps/x" || e.FromServer() {
				t.Errorf("the URL is %q; from the server: %v", e.URL, e.FromServer())
			}
			_, err = handle.List(t.Context())
			mustSay(t, err, "list configmaps")
			if !errors.Is(err, io.ErrUnexpectedEOF) && name != "another kind" { // a list that ends early may have been cut
				mustSay(t, err, tt.says...)
			}
			for _, err := range handle.WatchOnce(t.Context()) {
				mustSay(t, err, "watch configmaps")
			}
		})
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	whoAmI := func(t *testing.T, config *rest.Config) error {
		t.Helper()
		c := must[*kubesdk.Client](t)(kubesdk.New(config, quick()))
		defer c.Close()
		_, err := c.WhoAmI(t.Context())
		if e := asError(t, err); e.Code != 0 || e.FromServer() || !strings.HasPrefix(e.URL, "http") {
			t.Errorf("%+v", e)
		}
		return err
	}
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	t.Run("another CA", func(t *testing.T) {
		config := kubetest.Start(t).Config()
		config.Host = stranger.URL
		err := whoAmI(t, config)
		mustSay(t, err, "certificate authority", stranger.URL)
		if e := asError(t, err); e.Attempts != 1 {
			t.Errorf("it was tried %d times", e.Attempts)
		}
	})
	t.Run("another CA in the kubeconfig", func(t *testing.T) {
		path := kubeconfig(t, func(c *clientcmdapi.Config) { c.Clusters["c"].Server = stranger.URL })
		c := must[*kubesdk.Client](t)(kubesdk.Login(t.Context(), kubesdk.Kubeconfig(path)))
		defer c.Close()
		_, err := c.WhoAmI(t.Context())
		mustSay(t, err, "the kubeconfig's certificate authority is not the one")
	})
	t.Run("another name", func(t *testing.T) {
		config := kubetest.Start(t).Config()
		config.ServerName = "elsewhere.example.test"
		mustSay(t, whoAmI(t, config), "elsewhere.example.test", "tls-server-name")
	})
	t.Run("no TLS", func(t *testing.T) {
		config := kubetest.Start(t).Config()
		config.Host = strings.Replace(plain.URL, "http://", "https://", 1)
		mustSay(t, whoAmI(t, config), "does not speak TLS")
	})
	t.Run("nobody there", func(t *testing.T) {
		l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustSay(t, whoAmI(t, &rest.Config{Host: "https://" + l.Addr().String()}), "(3 attempts)", "is the cluster running", l.Addr().String())
	})
	t.Run("a name that nobody knows", func(t *testing.T) {
		mustSay(t, whoAmI(t, &rest.Config{Host: "https://does-not-exist.invalid"}), "does-not-exist.invalid", "cannot be resolved")
	})
}
