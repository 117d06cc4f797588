package cli_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

// TestURL reads a real API server by its URL, as a user who may do little more than discovery.
func TestURL(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	namespace := kubetest.Namespace(t, cluster.Client)
	token := token(t, kubernetes.NewForConfigOrDie(cluster.Config()), namespace)
	generate := func(server string, args ...string) (result, string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "apis")
		r := run(t, "", append([]string{"generate", "--url", server, "--group", "apps,batch,policy", "--output", out, "--module-name", "a.b/c"}, args...)...)
		if strings.Contains(r.stderr+r.stdout, token) || strings.Contains(r.stderr+r.stdout, "wr0ng") {
			t.Errorf("a token was printed: %+v", r)
		}
		return r, out
	}
	server := cluster.Config().Host
	if r, _ := generate(server); r.code != 1 || !strings.Contains(r.stderr, "--skip-tls") {
		t.Errorf("an unknown certificate was accepted: %+v", r)
	}
	if r, _ := generate(server, "--skip-tls", "--http-headers", "Authorization: Bearer wr0ng"); r.code != 1 || !strings.Contains(r.stderr, "401 Unauthorized") || !strings.Contains(r.stderr, server) {
		t.Errorf("a wrong token: %+v", r)
	}
	if r, _ := generate(server, "--skip-tls", "--http-headers", "Authorization Bearer wr0ng"); r.code != 1 || !strings.Contains(r.stderr, "--http-headers number 1") {
		t.Errorf("a header without a colon: %+v", r)
	}
	good := []string{"--skip-tls", "--http-headers", "Authorization: Bearer " + token, "--http-headers", "x-extra: yes"}
	r, out := generate(server, good...)
	if r.code != 0 || !strings.Contains(r.stderr, "note: custom resources are read from OpenAPI") || !strings.Contains(r.stderr, "403") {
		t.Errorf("a user who may not list definitions: %+v", r)
	}
	if len(entries(t, filepath.Join(out, "batch", "v1"))) == 0 {
		t.Errorf("no batch/v1: %+v", r)
	}

	proxy := faultproxy.Start(t, cluster.Config())
	proxy.Fail(-1, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/apis/batch/") }, faultproxy.Answer(http.StatusServiceUnavailable))
	r, out = generate(proxy.Config().Host, good...)
	if r.code != 1 || !strings.Contains(r.stderr, "failed: batch/v1") || !strings.Contains(r.stderr, "503") {
		t.Errorf("a group that fails must make the exit code 1: %+v", r)
	}
	if len(entries(t, filepath.Join(out, "apps", "v1"))) == 0 || entries(t, filepath.Join(out, "batch")) != nil {
		t.Errorf("a group that fails must not keep the others from being generated, nor be generated: %+v", r)
	}
	extra := proxy.Requests(func(r *http.Request) bool { return r.Header.Get("X-Extra") == "yes" })
	if all := proxy.Requests(func(*http.Request) bool { return true }); len(extra) == 0 || len(extra) != len(all) {
		t.Errorf("%d of %d requests had the extra header", len(extra), len(all))
	}
}

// token returns a token of a new service account without any rights.
func token(t *testing.T, c kubernetes.Interface, namespace string) string {
	t.Helper()
	accounts := c.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	answer, err := accounts.CreateToken(t.Context(), "reader", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}
