package kubesdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

// drain reads a stream to its end, passing over what every namespace has.
func drain[T kubesdk.Object](all func(func(T, error) bool)) (names []string, err error) {
	for obj, err := range all {
		if err != nil {
			return names, err
		}
		if obj.GetName() != "kube-root-ca.crt" {
			names = append(names, obj.GetName())
		}
	}
	return names, nil
}

// numbered are names that sort as they are counted.
func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("item-%03d", i)
	}
	return names
}

func TestAllReadsPages(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	want := numbered(10)
	s.create(want...)
	for name, all := range map[string]func(func(string, error) bool){
		"whole":            namesOf(s.far.All(t.Context())),
		"pages":            namesOf(s.far.All(t.Context(), kubesdk.Limit(3))),
		"pages of any age": namesOf(s.far.All(t.Context(), kubesdk.Limit(3), kubesdk.ResourceVersion("0"))),
		"one page each":    namesOf(s.far.All(t.Context(), kubesdk.Limit(1))),
		"metadata":         namesOf(kubesdk.For[*metav1.PartialObjectMetadata](kubetest.Start(t).Client, kubesdk.TypeOf[*corev1.ConfigMap]()).Namespace(s.ns).All(t.Context(), kubesdk.Limit(4))),
		"untyped":          namesOf(untyped(kubetest.Start(t).Client, "ConfigMap").Namespace(s.ns).All(t.Context(), kubesdk.Limit(4))),
	} {
		var got []string
		for n, err := range all {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got = append(got, n)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	exact, err := s.near.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.remove(want[9])
	names, err := drain(s.far.All(t.Context(), kubesdk.Limit(3), kubesdk.ResourceVersion(exact.ResourceVersion), kubesdk.ResourceVersionMatch(metav1.ResourceVersionMatchExact)))
	if diff := cmp.Diff(want, names); diff != "" || err != nil {
		t.Errorf("pages of a version: %v (-want +got):\n%s", err, diff)
	}
}

func namesOf[T kubesdk.Object](all func(func(T, error) bool)) func(func(string, error) bool) {
	return func(yield func(string, error) bool) {
		for obj, err := range all {
			if err != nil {
				yield("", err)
				return
			}
			if obj.GetName() != "kube-root-ca.crt" && !yield(obj.GetName(), nil) {
				return
			}
		}
	}
}

func continues(r *http.Request) bool { return r.URL.Query().Get("continue") != "" }

// With a token that has expired the server gives another one, for the rest as it is now.
func TestAllGoesOnAfterItsTokenExpired(t *testing.T) {
	t.Parallel()
	cluster := ownCluster(t)
	secrets := kubesdk.For[*corev1.Secret](cluster.Client).Namespace(kubetest.Namespace(t, cluster.Client))
	for _, name := range numbered(9) {
		if _, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := secrets.List(t.Context(), kubesdk.Limit(3))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for secret, err := range secrets.All(t.Context(), kubesdk.Limit(3)) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, secret.Name); len(got) != 3 {
			continue
		}
		for _, name := range []string{"item-001", "item-005"} {
			if err := secrets.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "item-006a"}}); err != nil {
			t.Fatal(err)
		}
		compact(t, cluster)
	}
	want := []string{"item-000", "item-001", "item-002", "item-003", "item-004", "item-006", "item-006a", "item-007", "item-008"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rest, err := secrets.List(t.Context(), kubesdk.Limit(3), kubesdk.Continue(page.Continue))
	if err != nil || len(rest.Items) != 3 || rest.Items[0].Name != "item-003" || rest.Continue == "" {
		t.Errorf("a page after a token that expired: %+v, %v", rest, err)
	}
}

// A server that gives no other token is asked from the beginning, and what was yielded is passed over.
func TestAllGoesOnWithoutAnotherToken(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	want := numbered(8)
	s.create(want...)
	s.proxy.Fail(2, continues, faultproxy.AnswerWith(410, http.Header{"Content-Type": {"application/json"}}, expired))
	got, err := drain(s.far.All(t.Context(), kubesdk.Limit(3)))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	s.proxy.Heal()
	s.proxy.Fail(-1, nil, faultproxy.AnswerWith(410, http.Header{"Content-Type": {"application/json"}}, expired))
	if _, err := drain(s.far.All(t.Context(), kubesdk.Limit(3))); !errors.Is(err, kubesdk.ErrGone) {
		t.Errorf("410 for ever: %v", err)
	}
	if _, err := s.far.List(t.Context(), kubesdk.Continue("x")); !errors.Is(err, kubesdk.ErrGone) {
		t.Errorf("410 for a page: %v", err)
	}
}

func TestAllReadsABrokenPageAgain(t *testing.T) {
	t.Parallel()
	faults := map[string]faultproxy.Fault{"cut": faultproxy.CutAfter(700), "ended": faultproxy.EndAfter(700), "silent": faultproxy.StallAfter(700), "nothing": faultproxy.CutAfter(0)}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, kubetest.Start(t), kubesdk.IdleTimeout(500*time.Millisecond))
			want := numbered(12)
			s.create(want...)
			lists := faultproxy.Lists("configmaps")
			s.proxy.Fail(1, lists, fault)     // the first page
			s.proxy.Fail(1, continues, fault) // another one, twice
			s.proxy.Fail(1, continues, fault)
			got, err := drain(s.far.All(t.Context(), kubesdk.Limit(6)))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			s.proxy.Heal()
			s.proxy.Fail(2, lists, fault)
			list, err := s.far.List(t.Context())
			if err != nil || len(list.Items) < len(want) || len(list.Items) > len(want)+1 {
				t.Errorf("List: %v, %+v", err, list)
			}
		})
	}
}

func TestAllTellsWhatItCannotMend(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create(numbered(12)...)
	lists := faultproxy.Lists("configmaps")
	s.proxy.Fail(1, lists, faultproxy.CutAfter(0)) // nothing was yielded: mended
	s.proxy.Fail(1, lists, faultproxy.CutAfter(2000))
	got, err := drain(s.far.All(t.Context()))
	if err == nil || len(got) == 0 || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), " objects: ") || !strings.Contains(err.Error(), "the answer broke off") || !strings.Contains(err.Error(), "kubesdk.Limit") {
		t.Errorf("after %d: %v", len(got), err)
	}
	s.proxy.Heal()
	s.proxy.Fail(-1, continues, faultproxy.CutAfter(0))
	if got, err = drain(s.far.All(t.Context(), kubesdk.Limit(6))); err == nil || len(got) < 5 {
		t.Errorf("after %d: %v", len(got), err)
	}
	if n := s.proxy.Count(continues); n != 5 {
		t.Errorf("the second page was asked for %d times, want 5", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err = range s.far.All(ctx) {
		cancel()
	}
	if !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("canceled: %v", err)
	}
	s.proxy.Heal()
	s.proxy.Fail(-1, lists, faultproxy.StallAfter(100))
	start := time.Now()
	_, err = s.far.List(t.Context(), kubesdk.AttemptTimeout(200*time.Millisecond), kubesdk.Timeout(time.Second))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("stalled for %s: %v", time.Since(start), err)
	}
	if n := s.proxy.Count(func(r *http.Request) bool { return lists(r) && !continues(r) }); n < 6 {
		t.Errorf("%d requests: each attempt has its own limit", n)
	}
}

func TestLeavingAListEndsTheRequest(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	for _, name := range numbered(60) {
		cm := configMap(name, "data", strings.Repeat("x", 100<<10))
		if _, err := s.near.Create(t.Context(), cm); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan struct{}, 1)
	s.proxy.Fail(1, nil, noticed(over))
	for _, err := range s.far.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Fatal("the server was left with the request")
	}
}

// All keeps none of the objects: memory does not grow with their number.
func TestAllHoldsOneObject(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, kubetest.Start(t))
	s.create(numbered(400)...)
	for name, all := range map[string]func(func(*corev1.ConfigMap, error) bool){
		"whole": s.far.All(t.Context()), "pages": s.far.All(t.Context(), kubesdk.Limit(150)),
	} {
		var seen []weak.Pointer[corev1.ConfigMap]
		for cm, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, weak.Make(cm))
			if len(seen)%100 != 0 {
				continue
			}
			runtime.GC()
			held := len(slices.DeleteFunc(slices.Clone(seen), func(p weak.Pointer[corev1.ConfigMap]) bool { return p.Value() == nil }))
			if held > 2 { // this one, and one that the compiler keeps in sight
				t.Errorf("%s: after %d objects %d are held", name, len(seen), held)
			}
		}
		if len(seen) < 400 {
			t.Errorf("%s: %d objects", name, len(seen))
		}
	}
}
