package kubesdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

// events pulls the events of a watch one by one.
type events[T kubesdk.Object] struct {
	t    *testing.T
	next func() (kubesdk.Event[T], error, bool)
}

func pull[T kubesdk.Object](t *testing.T, watch iter.Seq2[kubesdk.Event[T], error]) *events[T] {
	t.Helper()
	next, stop := iter.Pull2(watch)
	t.Cleanup(stop)
	return &events[T]{t: t, next: next}
}

// want takes the next events, written as "TYPE name" or "SYNCED". Other bookmarks are passed over, and so is the ConfigMap
// that every namespace has.
func (e *events[T]) want(want ...string) (last kubesdk.Event[T]) {
	e.t.Helper()
	var got []string
	for len(got) < len(want) {
		ev, err, ok := e.next()
		switch {
		case !ok:
			e.t.Fatalf("the watch ended after %q, want %q", got, want)
		case err != nil:
			got = append(got, "ERROR "+err.Error())
		case ev.Synced:
			got = append(got, "SYNCED")
		case ev.Type != kubesdk.Bookmark && ev.Object.GetName() != "kube-root-ca.crt":
			got = append(got, string(ev.Type)+" "+ev.Object.GetName())
			if ev.ResourceVersion != ev.Object.GetResourceVersion() || ev.ResourceVersion == "" || ev.Object.GetObjectKind().GroupVersionKind().Kind == "" {
				e.t.Errorf("%s: resourceVersion %q, object's %q, kind %s", got[len(got)-1], ev.ResourceVersion, ev.Object.GetResourceVersion(), ev.Object.GetObjectKind().GroupVersionKind())
			}
		}
		last = ev
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.t.Fatalf("events (-want +got):\n%s", diff)
	}
	return last
}

// fails takes the next error of the watch, passing over bookmarks.
func (e *events[T]) fails() error {
	e.t.Helper()
	for {
		ev, err, ok := e.next()
		switch {
		case !ok:
			e.t.Fatal("the watch ended without an error")
		case err != nil:
			return err
		case ev.Type != kubesdk.Bookmark && ev.Object.GetName() != "kube-root-ca.crt":
			e.t.Fatalf("%s %s instead of an error", ev.Type, ev.Object.GetName())
		}
	}
}

// ends takes the last error of the watch.
func (e *events[T]) ends() error {
	e.t.Helper()
	err := e.fails()
	if ev, more, ok := e.next(); ok {
		e.t.Fatalf("after %v there is more: %v, %v", err, ev, more)
	}
	return err
}

func labeled(name string, labels map[string]string) *corev1.ConfigMap {
	cm := configMap(name)
	cm.Labels = labels
	return cm
}

// sandbox is a namespace of the test's own, written to directly and watched through a proxy.
type sandbox struct {
	t     *testing.T
	ns    string
	proxy *faultproxy.Proxy
	near  kubesdk.Resource[*corev1.ConfigMap]
	far   kubesdk.Resource[*corev1.ConfigMap]
}

func newSandbox(t *testing.T, cluster *kubetest.Cluster, opts ...kubesdk.ClientOption) *sandbox {
	t.Helper()
	proxy := faultproxy.Start(t, cluster.Config())
	opts = append([]kubesdk.ClientOption{kubesdk.Retry(kubesdk.RetryPolicy{Attempts: 5, Backoff: kubesdk.Fixed(50 * time.Millisecond)})}, opts...)
	c, err := kubesdk.New(proxy.Config(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ns := kubetest.Namespace(t, cluster.Client)
	return &sandbox{
		t: t, ns: ns, proxy: proxy,
		near: kubesdk.For[*corev1.ConfigMap](cluster.Client).Namespace(ns), far: kubesdk.For[*corev1.ConfigMap](c).Namespace(ns),
	}
}

func (s *sandbox) create(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if _, err := s.near.Create(s.t.Context(), configMap(name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sandbox) touch(name string) {
	s.t.Helper()
	cm, err := s.near.Get(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	cm.Data = map[string]string{"touched": cm.ResourceVersion}
	if _, err := s.near.Replace(s.t.Context(), cm); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) remove(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if err := s.near.Delete(s.t.Context(), name); err != nil {
			s.t.Fatal(err)
		}
	}
}

// watching is the context of a test's watch: a test that waits in vain ends.
func watching(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func streamed(r *http.Request) bool { return r.URL.Query().Get("sendInitialEvents") != "" }

func TestWatchBeginsWithWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create("a", "b")
	w := pull(t, s.far.Watch(watching(t)))
	w.want("ADDED a", "ADDED b", "SYNCED")
	s.create("c")
	s.touch("a")
	s.remove("b")
	if ev := w.want("ADDED c", "MODIFIED a", "DELETED b"); ev.Object.Namespace != s.ns || ev.FinalStateUnknown {
		t.Errorf("the last event: %+v", ev)
	}
	if all, lists := s.proxy.Count(nil), s.proxy.Count(faultproxy.Lists("configmaps")); all != 1 || lists != 0 {
		t.Errorf("%d requests, %d of them lists; one watch is enough", all, lists)
	}
}

func TestWatchChooses(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	s := newSandbox(t, cluster)
	s.create("a", "b")
	byName := pull(t, s.far.Watch(watching(t), kubesdk.Name("b")))
	byField := pull(t, s.far.Watch(watching(t), kubesdk.Fields("metadata.name!=a,metadata.name!=kube-root-ca.crt")))
	byLabel := pull(t, s.far.Watch(watching(t), kubesdk.Labels("tier=front")))
	everywhere := pull(t, s.far.AllNamespaces().Watch(watching(t), kubesdk.Labels("in="+s.ns)))
	byName.want("ADDED b", "SYNCED")
	byField.want("ADDED b", "SYNCED")
	byLabel.want("SYNCED")
	everywhere.want("SYNCED")
	s.touch("a")
	s.touch("b")
	byName.want("MODIFIED b")
	byField.want("MODIFIED b")
	cm := labeled("c", map[string]string{"tier": "front", "in": s.ns})
	if _, err := s.near.Create(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	byLabel.want("ADDED c")
	everywhere.want("ADDED c")
	if _, err := s.near.Replace(t.Context(), labeled("c", map[string]string{"tier": "back", "in": s.ns})); err != nil {
		t.Fatal(err)
	}
	byLabel.want("DELETED c") // it is there, but no longer among those that were asked for
	everywhere.want("MODIFIED c")
}

func TestWatchOfOtherTypes(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	widgets(t, cluster.Client)
	s := newSandbox(t, cluster)
	s.create("a")
	metadata := kubesdk.For[*metav1.PartialObjectMetadata](cluster.Client, kubesdk.TypeOf[*corev1.ConfigMap]()).Namespace(s.ns)
	dynamic := kubesdk.For[*unstructured.Unstructured](cluster.Client, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ConfigMap")})).Namespace(s.ns)
	custom := kubesdk.For[*Widget](cluster.Client).Namespace(s.ns)
	m, d, c := pull(t, metadata.Watch(watching(t))), pull(t, dynamic.Watch(watching(t))), pull(t, custom.Watch(watching(t)))
	m.want("ADDED a", "SYNCED")
	d.want("ADDED a", "SYNCED")
	c.want("SYNCED")
	s.touch("a")
	m.want("MODIFIED a")
	d.want("MODIFIED a")
	if _, err := custom.Create(t.Context(), &Widget{ObjectMeta: metav1.ObjectMeta{Name: "w"}, Spec: WidgetSpec{Color: "red"}}); err != nil {
		t.Fatal(err)
	}
	if ev := c.want("ADDED w"); ev.Object.Spec.Color != "red" || ev.Object.Kind != "Widget" {
		t.Errorf("%+v", ev.Object)
	}
	s.remove("a")
	m.want("DELETED a")
	d.want("DELETED a")
}

// noStreaming has the server refuse a streamed present state by itself, as servers do that have no such thing.
func noStreaming(w http.ResponseWriter, r *http.Request, next http.Handler) {
	q := r.URL.Query()
	q.Del("resourceVersionMatch")
	r.URL.RawQuery = q.Encode()
	next.ServeHTTP(w, r)
}

func TestWatchListsWhereTheServerCannotStream(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create("a")
	s.proxy.Fail(-1, streamed, noStreaming)
	w := pull(t, s.far.Watch(watching(t)))
	w.want("ADDED a", "SYNCED")
	s.create("b")
	w.want("ADDED b")
	again := pull(t, s.far.Watch(watching(t)))
	again.want("ADDED a", "ADDED b", "SYNCED")
	if n := s.proxy.Count(streamed); n != 1 {
		t.Errorf("a streamed state was asked for %d times; the client should remember the first refusal", n)
	}
	if n := s.proxy.Count(faultproxy.Lists("configmaps")); n != 2 {
		t.Errorf("%d lists, want 2", n)
	}
}

// An old server may know nothing of the parameter and take it for a plain watch.
func TestWatchListsWhereTheServerIgnoresStreaming(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t), kubesdk.IdleTimeout(time.Second))
	s.create("a")
	s.proxy.Fail(-1, streamed, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		q := r.URL.Query()
		q.Del("resourceVersionMatch")
		q.Del("sendInitialEvents")
		q.Del("allowWatchBookmarks") // a new server marks the end even so
		r.URL.RawQuery = q.Encode()
		next.ServeHTTP(w, r)
	})
	w := pull(t, s.far.Watch(watching(t)))
	w.want("ADDED a")
	if err := w.fails(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the silence after the first objects: %v", err)
	}
	w.want("SYNCED")
	s.create("b")
	w.want("ADDED b")
}

func TestWatchResumesInSilence(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultproxy.Fault{
		"the server ends the stream": faultproxy.EndAfter(1 << 30), // replaced below
		"the server falls silent":    faultproxy.StallAfter(1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, kubetest.Start(t), kubesdk.IdleTimeout(1500*time.Millisecond))
			s.create("a")
			if strings.Contains(name, "ends") {
				fault = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					q := r.URL.Query()
					q.Set("timeoutSeconds", "1")
					r.URL.RawQuery = q.Encode()
					next.ServeHTTP(w, r)
				}
			}
			w := pull(t, s.far.Watch(watching(t)))
			w.want("ADDED a", "SYNCED")
			s.proxy.Fail(2, faultproxy.Watches, fault)
			s.proxy.Break()
			if err := w.fails(); err == nil {
				t.Error("a broken connection is to be told")
			}
			for i := range 3 {
				s.create(fmt.Sprint("b", i))
				w.want(fmt.Sprint("ADDED b", i)) // and no error
				time.Sleep(600 * time.Millisecond)
			}
			s.remove("a")
			w.want("DELETED a")
			if n := s.proxy.Count(streamed); n != 1 {
				t.Errorf("the state was asked for %d times, want once", n)
			}
		})
	}
}

func TestWatchTellsWhatFailsAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create("a")
	s.proxy.Down()
	w := pull(t, s.far.Watch(watching(t)))
	var e *kubesdk.Error
	if err := w.fails(); !errors.As(err, &e) || e.Verb != "watch" || e.URL == "" || !strings.Contains(err.Error(), "nothing listens") {
		t.Errorf("refused: %v", err)
	}
	s.proxy.Fail(1, faultproxy.Watches, faultproxy.Answer(503))
	s.proxy.Fail(1, faultproxy.Watches, faultproxy.RetryAfter(429, 1))
	if err := s.proxy.Up(); err != nil {
		t.Fatal(err)
	}
	for err := w.fails(); !errors.Is(err, kubesdk.ErrUnavailable); { // until the server is reached
		err = w.fails()
	}
	start := time.Now()
	if err := w.fails(); !errors.As(err, &e) || e.Code != 429 || e.RetryAfter != time.Second {
		t.Errorf("429: %v", err)
	}
	w.want("ADDED a", "SYNCED")
	if took := time.Since(start); took < 900*time.Millisecond {
		t.Errorf("the server asked for a second, and was asked again after %s", took)
	}
	s.proxy.Break()
	if err := w.fails(); err == nil {
		t.Error("broken: no error")
	}
	s.create("b")
	w.want("ADDED b")
	s.proxy.Fail(1, faultproxy.Watches, faultproxy.CutAfter(100))
	s.proxy.Break()
	if err := w.fails(); err == nil {
		t.Error("broken: no error")
	}
	s.create("c")
	if err := w.fails(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut within an event: %v", err)
	}
	w.want("ADDED c")
}

const expired = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}`

// What happened while the watch was away comes as the difference, deletions above all.
func TestWatchAfterGone(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create("deleted", "changed", "same", "other")
	w := pull(t, s.far.Watch(watching(t)))
	w.want("ADDED changed", "ADDED deleted", "ADDED other", "ADDED same", "SYNCED")
	deleted, err := s.near.Get(t.Context(), "deleted")
	if err != nil {
		t.Fatal(err)
	}
	s.proxy.Down()
	s.remove("deleted", "other")
	s.create("new", "other")
	s.touch("changed")
	s.proxy.Fail(1, faultproxy.Watches, faultproxy.AnswerWith(410, http.Header{"Content-Type": {"application/json"}}, expired))
	if err := s.proxy.Up(); err != nil {
		t.Fatal(err)
	}
	if err := w.fails(); err == nil {
		t.Error("broken: no error")
	}
	afterErrors(w).want("MODIFIED changed", "ADDED new", "DELETED other", "ADDED other")
	ev := w.want("DELETED deleted")
	if !ev.FinalStateUnknown || ev.Object.UID != deleted.UID || ev.Object.ResourceVersion != deleted.ResourceVersion || ev.Object.Namespace != s.ns || ev.Object.Kind != "ConfigMap" {
		t.Errorf("the deletion that was missed: %+v", ev)
	}
	w.want("SYNCED")
	s.touch("same")
	w.want("MODIFIED same")
}

// afterErrors passes over the refusals of a proxy that is only just up again.
func afterErrors[T kubesdk.Object](e *events[T]) *events[T] {
	next, quiet := e.next, false
	return &events[T]{t: e.t, next: func() (kubesdk.Event[T], error, bool) {
		for {
			ev, err, ok := next()
			if quiet = quiet || err == nil; quiet || !ok {
				return ev, err, ok
			}
		}
	}}
}

func TestWatchFromAVersion(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create("a")
	list, err := s.near.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.touch("a")
	w := pull(t, s.far.Watch(watching(t), kubesdk.ResourceVersion(list.ResourceVersion)))
	w.want("MODIFIED a")
	s.proxy.Break()
	if err := w.fails(); err == nil {
		t.Error("broken: no error")
	}
	s.create("b")
	w.want("ADDED b")
	s.proxy.Fail(1, faultproxy.Watches, faultproxy.AnswerWith(410, http.Header{"Content-Type": {"application/json"}}, expired))
	s.proxy.Break()
	if err := w.fails(); err == nil {
		t.Error("broken: no error")
	}
	if err := w.ends(); !errors.Is(err, kubesdk.ErrGone) {
		t.Errorf("it ended with %v", err)
	}
	old := pull(t, s.far.Watch(watching(t), kubesdk.ResourceVersion("0")))
	for ev, err, _ := old.next(); !ev.Synced; ev, err, _ = old.next() { // of any age
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	s := newSandbox(t, cluster)
	config := cluster.Config()
	config.Impersonate.UserName = "nobody"
	nobody, err := kubesdk.New(config)
	if err != nil {
		t.Fatal(err)
	}
	gadget := kubesdk.TypeInfo{GroupVersionKind: widgetKind.GroupVersion().WithKind("Gadget"), Plural: "gadgets", Namespaced: true}
	tests := []struct {
		name string
		w    iter.Seq2[kubesdk.Event[*unstructured.Unstructured], error]
		want error
	}{
		{"forbidden", untyped(nobody, "ConfigMap").Namespace(s.ns).Watch(watching(t)), kubesdk.ErrForbidden},
		{"no such kind", kubesdk.For[*unstructured.Unstructured](cluster.Client, kubesdk.Type(gadget)).Namespace(s.ns).Watch(watching(t)), kubesdk.ErrNotFound},
		{"no such field", untyped(cluster.Client, "ConfigMap").Watch(watching(t), kubesdk.Fields("data.x=y")), kubesdk.ErrBadRequest},
		{"cannot be watched", untyped(cluster.Client, "ComponentStatus").Watch(watching(t)), kubesdk.ErrMethodNotAllowed},
		{"a namespace that is not needed", untyped(cluster.Client, "Node").Namespace(s.ns).Watch(watching(t)), nil},
		{"a name without a namespace", untyped(cluster.Client, "ConfigMap").Watch(watching(t), kubesdk.Name("a")), nil},
		{"a selector that is none", untyped(cluster.Client, "ConfigMap").Watch(watching(t), kubesdk.Labels("a==b==c")), nil},
	}
	for _, test := range tests {
		w := pull(t, test.w)
		if err := w.ends(); test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := pull(t, s.far.Watch(ctx))
	w.want("SYNCED")
	cancel()
	if err := w.ends(); !errors.Is(err, context.Canceled) || err.Error() != "watch configmaps in "+s.ns+": context canceled" {
		t.Errorf("canceled: %v", err)
	}
}

func untyped(c *kubesdk.Client, kind string) kubesdk.Resource[*unstructured.Unstructured] {
	return kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: corev1.SchemeGroupVersion.WithKind(kind)}))
}

// noticed is a fault that none is: it tells when the request is over for the server.
func noticed(over chan<- struct{}) faultproxy.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		defer func() { over <- struct{}{} }()
		next.ServeHTTP(w, r)
	}
}

func TestLeavingAWatchEndsTheRequest(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	over := make(chan struct{}, 2)
	s.proxy.Fail(-1, nil, noticed(over))
	for ev, err := range s.far.Watch(watching(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Synced {
			break
		}
	}
	for range s.far.WatchOnce(watching(t)) {
		break
	}
	for range 2 {
		select {
		case <-over:
		case <-time.After(10 * time.Second):
			t.Fatal("the server was left with the request")
		}
	}
}

func TestWatchOnceIsOneRequest(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create("a")
	s.proxy.Fail(1, nil, faultproxy.Answer(503)) // a request may be retried
	s.proxy.Fail(1, nil, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		q := r.URL.Query()
		q.Set("timeoutSeconds", "1")
		r.URL.RawQuery = q.Encode()
		next.ServeHTTP(w, r)
	})
	var got []string
	for ev, err := range s.far.WatchOnce(watching(t), kubesdk.Name("a")) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type != kubesdk.Bookmark {
			got = append(got, string(ev.Type)+" "+ev.Object.Name)
		}
	}
	if diff := cmp.Diff([]string{"ADDED a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, err := range s.far.WatchOnce(watching(t), kubesdk.ResourceVersion("1")) {
		if err != nil && !errors.Is(err, kubesdk.ErrGone) {
			t.Error(err)
		}
		break
	}
}
