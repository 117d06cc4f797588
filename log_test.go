package kubesdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

// recorder is a logger, and what it has written so far.
func recorder() (*slog.Logger, func() string) {
	w := &lockedBuffer{}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})), w.String
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// line is one that was logged.
type line struct {
	Level, Msg, Verb, Resource, Namespace, Name, Server string
	Status, Attempts                                    int
	Error, Request, Response                            string
}

func lines(t *testing.T, text string) []line {
	t.Helper()
	var all []line
	for one := range strings.Lines(text) {
		var l line
		if err := json.Unmarshal([]byte(one), &l); err != nil {
			t.Fatalf("%q: %v", one, err)
		}
		all = append(all, l)
	}
	return all
}

func TestLogPolicy(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	must[*corev1.ConfigMap](t)(handle.Create(t.Context(), configMap("there", "k", "stored")))
	success := func(p kubesdk.LogPolicy) {
		_, _ = handle.Replace(t.Context(), configMap("there", "k", "sent"), kubesdk.Log(p))
	}
	missing := func(p kubesdk.LogPolicy) { _, _ = handle.Get(t.Context(), "missing", kubesdk.Log(p)) }
	whole := func(l line) bool {
		return strings.Contains(l.Response, `"sent"`) && strings.Contains(l.Response, "uid")
	}
	for name, tt := range map[string]struct {
		policy kubesdk.LogPolicy
		call   func(kubesdk.LogPolicy)
		want   func(line) bool // nil: nothing is logged
	}{
		"nothing by default":       {kubesdk.LogPolicy{}, missing, nil},
		"bodies alone say nothing": {kubesdk.LogPolicy{RequestBody: true, ResponseBody: true}, success, nil},
		"successes":                {kubesdk.LogPolicy{OnSuccess: true}, success, func(l line) bool { return l.Level == "INFO" && l.Request == "" && l.Response == "" }},
		"successes are not errors": {kubesdk.LogPolicy{OnError: true}, success, nil},
		"errors": {kubesdk.LogPolicy{OnError: true}, missing, func(l line) bool {
			return l.Level == "ERROR" && l.Status == 404 && l.Attempts == 1 && strings.Contains(l.Error, "not found")
		}},
		"errors are not successes":       {kubesdk.LogPolicy{OnSuccess: true}, missing, nil},
		"errors as critical":             {kubesdk.LogPolicy{ErrorsAsCritical: true}, missing, func(l line) bool { return l.Level == "ERROR+4" }},
		"a status that is no error":      {kubesdk.LogPolicy{OnError: true, NotErrors: []int{404}}, missing, nil},
		"and is a success":               {kubesdk.LogPolicy{OnSuccess: true, OnError: true, NotErrors: []int{404}}, missing, func(l line) bool { return l.Level == "INFO" && l.Status == 404 }},
		"another status":                 {kubesdk.LogPolicy{OnError: true, NotErrors: []int{409}}, missing, func(l line) bool { return l.Level == "ERROR" }},
		"what was sent":                  {kubesdk.LogPolicy{OnSuccess: true, RequestBody: true}, success, func(l line) bool { return strings.Contains(l.Request, `"k":"sent"`) && l.Response == "" }},
		"what came back":                 {kubesdk.LogPolicy{OnSuccess: true, ResponseBody: true}, success, func(l line) bool { return whole(l) && l.Request == "" }},
		"what came back, by a predicate": {kubesdk.LogPolicy{OnSuccess: true, ResponseBodyIf: func(o runtime.Object) bool { return o.(*corev1.ConfigMap).Name == "there" }}, success, whole},
		"or not":                         {kubesdk.LogPolicy{OnSuccess: true, ResponseBodyIf: func(runtime.Object) bool { return false }}, success, func(l line) bool { return l.Response == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			log, text := recorder()
			tt.policy.Logger = log
			tt.call(tt.policy)
			got := lines(t, text())
			if tt.want == nil {
				if len(got) != 0 {
					t.Errorf("logged %s", text())
				}
				return
			}
			if len(got) != 1 || !tt.want(got[0]) {
				t.Fatalf("logged %s", text())
			}
			if l := got[0]; l.Resource != "configmaps" || l.Verb == "" || l.Name == "" || l.Namespace != handle.CurrentNamespace() || !strings.HasPrefix(l.Server, "https://") {
				t.Errorf("the line does not say which call it was: %s", text())
			}
		})
	}
}

func TestLogsRetries(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick())
	log, text := recorder()
	proxy.Fail(1, nil, faultproxy.Answer(503))
	proxy.Fail(1, nil, faultproxy.Drop)
	if _, err := kubesdk.For[*corev1.Node](c).List(t.Context(), kubesdk.Log(kubesdk.LogPolicy{Logger: log, OnError: true})); err != nil {
		t.Fatal(err)
	}
	got := lines(t, text())
	if len(got) != 2 || got[0].Level != "WARN" || got[0].Status != 503 || got[1].Level != "WARN" || got[1].Error == "" {
		t.Errorf("logged %s", text())
	}
}

// What must not be read by whoever reads logs never gets there, whichever way the calls are made and fail.
func TestNoCredentialsInLogs(t *testing.T) {
	t.Parallel()
	const secret, token = "hunter2-is-my-password", "bearer-token-of-nobody"
	base64ed := func() string { b, _ := json.Marshal([]byte(secret)); return strings.Trim(string(b), `"`) }()
	cluster := kubetest.Start(t)
	ns := kubetest.Namespace(t, cluster.Client)
	log, text := recorder()
	everything := kubesdk.Log(kubesdk.LogPolicy{
		Logger: log, OnSuccess: true, OnError: true, RequestBody: true, ResponseBody: true, ResponseBodyIf: func(runtime.Object) bool { return true },
	})
	var errs []error
	note := func(err error) { errs = append(errs, err) }

	secrets := kubesdk.For[*corev1.Secret](cluster.Client).Namespace(ns).With(everything)
	applied, err := json.Marshal(map[string]any{"stringData": map[string]any{"password": secret}})
	if err != nil {
		t.Fatal(err)
	}
	full := func() *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: string(applied)}},
			StringData: map[string]string{"password": secret},
		}
	}
	note(drop(secrets.Create(t.Context(), full())))
	note(drop(secrets.Create(t.Context(), full()))) // which fails
	note(drop(secrets.Get(t.Context(), "s")))
	note(drop(secrets.List(t.Context())))
	changed := full()
	changed.StringData["other"] = secret
	note(drop(secrets.Replace(t.Context(), changed)))
	changed.StringData["in valid"] = secret
	note(drop(secrets.Replace(t.Context(), changed))) // which fails
	note(drop(secrets.Scale(t.Context(), "s", 1)))

	info := kubesdk.TypeInfo{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Secret"), Plural: "secrets", Namespaced: true}
	dynamicSecrets := kubesdk.For[*unstructured.Unstructured](cluster.Client, kubesdk.Type(info)).Namespace(ns).With(everything)
	u := dynamic(metav1.ObjectMeta{Name: "u"})
	u.Object["stringData"] = map[string]any{"password": secret}
	note(drop(dynamicSecrets.Create(t.Context(), u)))
	note(drop(dynamicSecrets.Get(t.Context(), "u")))
	note(drop(kubesdk.For[*metav1.PartialObjectMetadata](cluster.Client, kubesdk.TypeOf[*corev1.Secret]()).Namespace(ns).With(everything).Get(t.Context(), "s")))
	note(secrets.Delete(t.Context(), "s"))

	tokens := kubesdk.For[*authenticationv1.TokenRequest](cluster.Client, kubesdk.TypeOf[*corev1.ServiceAccount]()).Namespace(ns).Subresource("token").With(everything)
	made, err := tokens.Create(t.Context(), &authenticationv1.TokenRequest{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	note(err)
	reviews := kubesdk.For[*authenticationv1.TokenReview](cluster.Client).With(everything)
	note(drop(reviews.Create(t.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}})))

	proxy := faultproxy.Start(t, cluster.Config())
	proxy.Fail(2, nil, faultproxy.Answer(503))
	config := proxy.Config()
	config.BearerToken = token
	config.Host = strings.Replace(config.Host, "https://", "https://user:"+secret+"@", 1)
	stranger := must[*kubesdk.Client](t)(kubesdk.New(config, everything, quick()))
	defer stranger.Close()
	note(drop(kubesdk.For[*corev1.Node](stranger).List(t.Context())))
	proxy.Down()
	note(drop(kubesdk.For[*corev1.Node](stranger).List(t.Context())))

	got := text()
	for _, err := range errs {
		got += fmt.Sprintln(err)
		var e *kubesdk.Error
		if errors.As(err, &e) {
			got += e.URL + "\n"
		}
	}
	for what, leak := range map[string]string{"the secret": secret, "the secret in base64": base64ed, "the token": token, "the service account's token": made.Status.Token, "a header": "Authorization"} {
		if i := strings.Index(got, leak); i >= 0 {
			t.Errorf("%s is in the log: …%s…", what, got[max(0, i-200):min(len(got), i+100)])
		}
	}
	if n := strings.Count(got, "[not logged: Secret may hold credentials]"); n < 6 {
		t.Errorf("only %d bodies of secrets were replaced by a note:\n%s", n, got)
	}
	levels := map[string]bool{}
	for _, l := range lines(t, text()) {
		levels[l.Level] = true
	}
	if !levels["INFO"] || !levels["WARN"] || !levels["ERROR"] {
		t.Errorf("the test logs too little to mean something: %v", slices.Sorted(maps.Keys(levels)))
	}
}
