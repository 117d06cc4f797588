package kubesdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

var sentinels = []error{
	kubesdk.ErrBadRequest, kubesdk.ErrUnauthorized, kubesdk.ErrForbidden, kubesdk.ErrNotFound, kubesdk.ErrMethodNotAllowed,
	kubesdk.ErrConflict, kubesdk.ErrAlreadyExists, kubesdk.ErrGone, kubesdk.ErrUnsupportedMedia, kubesdk.ErrInvalid,
	kubesdk.ErrTooManyRequests, kubesdk.ErrInternal, kubesdk.ErrUnavailable, kubesdk.ErrServerTimeout,
}

// isExactly makes sure that err is the one sentinel, whichever way it is asked, and no other.
func isExactly(t *testing.T, err, want error, code int) {
	t.Helper()
	for i, s := range sentinels {
		if got := errors.Is(err, s); got != (i == slices.Index(sentinels, want)) {
			t.Errorf("errors.Is(%v, %q) is %v", err, s, got)
		}
	}
	if e := asError(t, err); e.Code != code {
		t.Errorf("the code is %d, want %d: %v", e.Code, code, err)
	}
	asAPI := map[error]func(error) bool{
		kubesdk.ErrBadRequest: apierrors.IsBadRequest, kubesdk.ErrUnauthorized: apierrors.IsUnauthorized, kubesdk.ErrForbidden: apierrors.IsForbidden,
		kubesdk.ErrNotFound: apierrors.IsNotFound, kubesdk.ErrMethodNotAllowed: apierrors.IsMethodNotSupported, kubesdk.ErrConflict: apierrors.IsConflict,
		kubesdk.ErrAlreadyExists: apierrors.IsAlreadyExists, kubesdk.ErrInvalid: apierrors.IsInvalid, kubesdk.ErrTooManyRequests: apierrors.IsTooManyRequests,
		kubesdk.ErrInternal: apierrors.IsInternalError, kubesdk.ErrUnavailable: apierrors.IsServiceUnavailable,
		kubesdk.ErrUnsupportedMedia: apierrors.IsUnsupportedMediaType,
		kubesdk.ErrGone:             func(err error) bool { return apierrors.IsGone(err) || apierrors.IsResourceExpired(err) },
		kubesdk.ErrServerTimeout:    func(err error) bool { return apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) },
	}
	for s, is := range asAPI {
		if got := is(err); got != (slices.Index(sentinels, s) == slices.Index(sentinels, want)) {
			t.Errorf("the function of apierrors for %q says %v of %v", s, got, err)
		}
	}
}

// Each status from a real API server that was brought to give it.
func TestStatuses(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	c := cluster.Client
	widgets(t, c)
	once := kubesdk.Retry(kubesdk.RetryPolicy{})
	ns := kubetest.Namespace(t, c)
	maps := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns).With(once)
	must[*corev1.ConfigMap](t)(maps.Create(t.Context(), configMap("there")))
	fromServer := func(t *testing.T, err error, reason metav1.StatusReason) {
		t.Helper()
		if e := asError(t, err); !e.FromServer() || e.Reason != reason || e.Message == "" || e.Status().Reason != reason {
			t.Errorf("from the server: %v, reason %q, message %q", e.FromServer(), e.Reason, e.Message)
		}
	}
	for name, tt := range map[string]struct {
		code   int
		want   error
		reason metav1.StatusReason // empty where the API server answers with text
		call   func(*testing.T) error
	}{
		"a field selector that there is not": {400, kubesdk.ErrBadRequest, metav1.StatusReasonBadRequest, func(t *testing.T) error {
			return drop(maps.List(t.Context(), kubesdk.Fields("data.a=b")))
		}},
		"a token of nobody": {401, kubesdk.ErrUnauthorized, metav1.StatusReasonUnauthorized, func(t *testing.T) error {
			config := cluster.Config()
			config.CertData, config.KeyData, config.BearerToken = nil, nil, "nobody"
			stranger := must[*kubesdk.Client](t)(kubesdk.New(config))
			defer stranger.Close()
			return drop(stranger.WhoAmI(t.Context()))
		}},
		"a user without rights": {403, kubesdk.ErrForbidden, metav1.StatusReasonForbidden, func(t *testing.T) error {
			config := cluster.Config()
			config.Impersonate.UserName = "jane"
			jane := must[*kubesdk.Client](t)(kubesdk.New(config))
			defer jane.Close()
			return drop(kubesdk.For[*corev1.Secret](jane).Namespace(ns).List(t.Context()))
		}},
		"an object that is absent": {404, kubesdk.ErrNotFound, metav1.StatusReasonNotFound, func(t *testing.T) error {
			return drop(maps.Get(t.Context(), "absent"))
		}},
		"a collection that cannot be deleted": {405, kubesdk.ErrMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, func(t *testing.T) error {
			return drop(kubesdk.For[*corev1.ComponentStatus](c).Create(t.Context(), &corev1.ComponentStatus{ObjectMeta: metav1.ObjectMeta{Name: "a"}}))
		}},
		"an old version": {409, kubesdk.ErrConflict, metav1.StatusReasonConflict, func(t *testing.T) error {
			cm := configMap("there")
			cm.ResourceVersion = "1"
			return drop(maps.Replace(t.Context(), cm))
		}},
		"a name that is taken": {409, kubesdk.ErrAlreadyExists, metav1.StatusReasonAlreadyExists, func(t *testing.T) error {
			return drop(maps.Create(t.Context(), configMap("there")))
		}},
		"a version that is compacted away": {410, kubesdk.ErrGone, metav1.StatusReasonExpired, func(t *testing.T) error {
			// What the server remembers of a kind begins when the kind is installed, however young the cluster is.
			for _, err := range kubesdk.For[*Widget](c).Namespace(ns).With(once).WatchOnce(t.Context(), kubesdk.ResourceVersion("1")) {
				return err
			}
			return nil
		}},
		"a body of another sort": {415, kubesdk.ErrUnsupportedMedia, metav1.StatusReasonUnsupportedMediaType, func(t *testing.T) error {
			return unsupported(t, cluster, ns)
		}},
		"a name that is not valid": {422, kubesdk.ErrInvalid, metav1.StatusReasonInvalid, func(t *testing.T) error {
			return drop(maps.Create(t.Context(), configMap("Not_Valid")))
		}},
		"an eviction that a budget forbids": {429, kubesdk.ErrTooManyRequests, metav1.StatusReasonTooManyRequests, func(t *testing.T) error {
			return evict(t, c, ns)
		}},
		"a webhook that does not answer": {500, kubesdk.ErrInternal, metav1.StatusReasonInternalError, func(t *testing.T) error {
			return brokenWebhook(t, c)
		}},
		"an API whose server is away": {503, kubesdk.ErrUnavailable, "", func(t *testing.T) error {
			return absentBackend(t, c)
		}},
		"a version of the future": {504, kubesdk.ErrServerTimeout, metav1.StatusReasonTimeout, func(t *testing.T) error {
			return drop(maps.Get(t.Context(), "there", kubesdk.ResourceVersion("99999999999")))
		}},
	} {
		t.Run(fmt.Sprint(tt.code, ", ", name), func(t *testing.T) {
			t.Parallel()
			err := tt.call(t)
			if err == nil {
				t.Fatal("no error")
			}
			isExactly(t, err, tt.want, tt.code)
			if tt.reason != "" {
				fromServer(t, err, tt.reason)
			}
		})
	}
}

// unsupported has a create's content type changed on the way: this client sends none that the server does not take.
func unsupported(t *testing.T, cluster *kubetest.Cluster, ns string) error {
	t.Helper()
	p := faultproxy.Start(t, cluster.Config())
	p.Fail(1, nil, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Header.Set("Content-Type", "text/csv")
		next.ServeHTTP(w, r)
	})
	return drop(kubesdk.For[*corev1.ConfigMap](client(t, p)).Namespace(ns).Create(t.Context(), configMap("csv")))
}

func evict(t *testing.T, c *kubesdk.Client, ns string) error {
	t.Helper()
	labels := map[string]string{"app": "guarded"}
	pods := kubesdk.For[*corev1.Pod](c).Namespace(ns)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "guarded", Labels: labels}, Spec: deployment(metav1.ObjectMeta{}).Spec.Template.Spec}
	pod.Spec.NodeName = "nowhere"
	pod = must[*corev1.Pod](t)(pods.Create(t.Context(), pod))
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	must[*corev1.Pod](t)(pods.Status().Replace(t.Context(), pod))
	budgets := kubesdk.For[*policyv1.PodDisruptionBudget](c).Namespace(ns)
	must[*policyv1.PodDisruptionBudget](t)(budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}))
	eventually(t, "the budget is seen", func(ctx context.Context) (bool, error) {
		b, err := budgets.Get(ctx, "all")
		return err == nil && b.Status.ObservedGeneration > 0, err
	})
	evictions := kubesdk.For[*policyv1.Eviction](c, kubesdk.TypeOf[*corev1.Pod]()).Namespace(ns).Subresource("eviction")
	return drop(evictions.Create(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "guarded"}}, quick()))
}

// brokenWebhook registers an admission webhook at which nobody answers, for objects with a label that only this test uses.
func brokenWebhook(t *testing.T, c *kubesdk.Client) error {
	t.Helper()
	ns := kubetest.Namespace(t, c)
	hooks := kubesdk.For[*admissionv1.ValidatingWebhookConfiguration](c)
	must[*admissionv1.ValidatingWebhookConfiguration](t)(hooks.Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "broken.kubesdk.test", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone),
			FailurePolicy: new(admissionv1.Fail), TimeoutSeconds: new(int32(1)),
			ClientConfig:      admissionv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}))
	t.Cleanup(func() {
		if err := hooks.Delete(context.Background(), ns); err != nil {
			t.Error(err)
		}
	})
	var failed error
	eventually(t, "the webhook is asked", func(ctx context.Context) (bool, error) {
		_, failed = kubesdk.For[*corev1.ConfigMap](c).Namespace(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "a-"}})
		return failed != nil, nil
	})
	return failed
}

// absentBackend has the server pass an API group on to a service that is not there.
func absentBackend(t *testing.T, c *kubesdk.Client) error {
	t.Helper()
	group := kubetest.Namespace(t, c) + ".test"
	info := kubesdk.TypeInfo{GroupVersionKind: schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}, Plural: "apiservices"}
	services := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(info))
	must[*unstructured.Unstructured](t)(services.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "v1." + group},
		"spec": map[string]any{
			"group": group, "version": "v1", "groupPriorityMinimum": 10, "versionPriority": 10, "insecureSkipTLSVerify": true,
			"service": map[string]any{"namespace": "default", "name": "absent"},
		},
	}}))
	t.Cleanup(func() {
		if err := services.Delete(context.Background(), "v1."+group); err != nil {
			t.Error(err)
		}
	})
	things := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Thing"}, Plural: "things",
	}))
	var failed error
	eventually(t, "the server passes the group on", func(ctx context.Context) (bool, error) {
		_, failed = things.Get(ctx, "a", quick())
		return !errors.Is(failed, kubesdk.ErrNotFound), nil
	})
	return failed
}

// The sentinel of each status when nothing but the code is known, as behind a proxy.
func TestStatusesByCode(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, kubesdk.Retry(kubesdk.RetryPolicy{}))
	for code, want := range map[int]error{
		400: kubesdk.ErrBadRequest, 401: kubesdk.ErrUnauthorized, 403: kubesdk.ErrForbidden, 404: kubesdk.ErrNotFound,
		405: kubesdk.ErrMethodNotAllowed, 409: kubesdk.ErrConflict, 410: kubesdk.ErrGone, 415: kubesdk.ErrUnsupportedMedia,
		422: kubesdk.ErrInvalid, 429: kubesdk.ErrTooManyRequests, 500: kubesdk.ErrInternal, 503: kubesdk.ErrUnavailable,
		504: kubesdk.ErrServerTimeout, 418: nil, 502: nil,
	} {
		for form, body := range map[string]string{"a Status": "", "a page": "<h1>no</h1>", "nothing": " "} {
			t.Run(fmt.Sprint(code, " as ", form), func(t *testing.T) {
				fault := faultproxy.Answer(code)
				if body != "" {
					fault = faultproxy.AnswerWith(code, http.Header{"Content-Type": {"text/html"}}, body)
				}
				proxy.Fail(1, nil, fault)
				_, err := kubesdk.For[*corev1.Node](c).Get(t.Context(), "a")
				isExactly(t, err, want, code)
				if e := asError(t, err); e.FromServer() != (body == "") {
					t.Errorf("from the server: %v", e.FromServer())
				}
			})
		}
	}
}

// Reasons and codes that are not each other's: the reason says more.
func TestReasonWins(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, kubesdk.Retry(kubesdk.RetryPolicy{}))
	for _, tt := range []struct {
		code   int
		reason metav1.StatusReason
		want   error
	}{
		{409, metav1.StatusReasonAlreadyExists, kubesdk.ErrAlreadyExists},
		{409, metav1.StatusReasonConflict, kubesdk.ErrConflict},
		{410, metav1.StatusReasonExpired, kubesdk.ErrGone},
		{410, metav1.StatusReasonGone, kubesdk.ErrGone},
		{500, metav1.StatusReasonServerTimeout, kubesdk.ErrServerTimeout},
		{504, metav1.StatusReasonTimeout, kubesdk.ErrServerTimeout},
		{403, "SomethingNew", kubesdk.ErrForbidden},
		{413, metav1.StatusReasonRequestEntityTooLarge, nil},
	} {
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Status","status":"Failure","code":%d,"reason":%q,"message":"no"}`, tt.code, tt.reason)
		proxy.Fail(1, nil, faultproxy.AnswerWith(tt.code, http.Header{"Content-Type": {"application/json"}}, body))
		_, err := kubesdk.For[*corev1.Node](c).Get(t.Context(), "a")
		for i, s := range sentinels {
			if got := errors.Is(err, s); got != (i == slices.Index(sentinels, tt.want)) {
				t.Errorf("%d %s: errors.Is of %q is %v", tt.code, tt.reason, s, got)
			}
		}
	}
}

// What an error carries, and how it reads.
func TestErrorFields(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick())
	ns := kubetest.Namespace(t, c)
	_, err := kubesdk.For[*appsv1.Deployment](c).Namespace(ns).Status().Get(t.Context(), "web")
	e := asError(t, err)
	got := []any{e.Verb, e.Resource, e.Namespace, e.Name, e.Code, e.Reason, e.Attempts, e.Message, e.URL, e.Error(), e.FromServer()}
	want := []any{
		"get", "deployments.apps/status", ns, "web", 404, metav1.StatusReasonNotFound, 1, `deployments.apps "web" not found`,
		proxy.Config().Host + "/apis/apps/v1/namespaces/" + ns + "/deployments/web/status",
		"get deployments.apps/status " + ns + `/web: deployments.apps "web" not found (404 NotFound)`, true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if status := e.Status(); status.Details == nil || status.Details.Kind != "deployments" || status.Details.Name != "web" {
		t.Errorf("the server's details are lost: %+v", status)
	}
	proxy.Fail(-1, nil, faultproxy.RetryAfter(429, 0))
	_, err = kubesdk.For[*corev1.Node](c).List(t.Context())
	if e := asError(t, err); e.Attempts != attempts || !strings.HasPrefix(e.Error(), "list nodes (3 attempts): ") {
		t.Errorf("got %v", e)
	}
	proxy.Heal()
	proxy.Fail(1, nil, faultproxy.RetryAfter(429, 7))
	_, err = kubesdk.For[*corev1.Node](c).List(t.Context(), kubesdk.Timeout(time.Second))
	if e := asError(t, err); e.RetryAfter != 7*time.Second {
		t.Errorf("RetryAfter is %s", e.RetryAfter)
	}
}
