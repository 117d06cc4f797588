package batch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/batch"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

func configMaps(n int) []*corev1.ConfigMap {
	all := make([]*corev1.ConfigMap, n)
	for i := range all {
		all[i] = &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("batch-%03d", i), Labels: map[string]string{"batch": "true"}},
			Data:       map[string]string{"index": fmt.Sprint(i)},
		}
	}
	return all
}

// behind is a handle whose requests pass a proxy.
func behind(t *testing.T) (*faultproxy.Proxy, kubesdk.Resource[*corev1.ConfigMap]) {
	t.Helper()
	cluster := kubetest.Start(t)
	proxy := faultproxy.Start(t, cluster.Config())
	c, err := kubesdk.New(proxy.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return proxy, kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, cluster.Client))
}

// there tells which of the objects the server has.
func there(t *testing.T, r kubesdk.Resource[*corev1.ConfigMap]) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for cm, err := range r.All(t.Context(), kubesdk.Labels("batch=true")) {
		if err != nil {
			t.Fatal(err)
		}
		names[cm.Name] = true
	}
	return names
}

func tally[I, R any](results batch.Results[I, R]) map[batch.State]int {
	n := map[batch.State]int{}
	for _, r := range results {
		n[r.State]++
	}
	return n
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	proxy, r := behind(t)
	objects := configMaps(50)
	created, err := batch.Create(t.Context(), r, objects[:40])
	if err != nil {
		t.Fatal(err)
	}
	for i, cm := range created.Values() {
		if cm.Name != objects[i].Name || cm.UID == "" {
			t.Errorf("value %d is %s with UID %q, want %s as the server made it", i, cm.Name, cm.UID, objects[i].Name)
		}
	}

	again, err := batch.Create(t.Context(), r, objects[30:])
	if diff := cmp.Diff(map[batch.State]int{batch.Done: 10, batch.Failed: 10}, tally(again)); diff != "" || !errors.Is(err, kubesdk.ErrAlreadyExists) {
		t.Errorf("states (-want +got):\n%s\nerror: %v", diff, err)
	}
	if _, err := batch.Create(t.Context(), r, objects, batch.Accept(kubesdk.ErrAlreadyExists)); err != nil {
		t.Errorf("what is there already is accepted, but: %v", err)
	}

	got, err := batch.Get(t.Context(), r, []string{"batch-000", "not-there", "batch-049"})
	if !errors.Is(err, kubesdk.ErrNotFound) || got[1].State != batch.Failed || got[2].Value == nil || got[2].Value.Name != "batch-049" {
		t.Errorf("got %+v, %v", got, err)
	}

	list, err := r.List(t.Context(), kubesdk.Labels("batch=true"))
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	proxy.Forget()
	updated, err := batch.Update(t.Context(), r, list.Items, func(cm *corev1.ConfigMap) error {
		switch cm.Name {
		case "batch-003":
			return no
		case "batch-004":
			return nil // as it was
		}
		cm.Data["updated"] = "true"
		return nil
	})
	if diff := cmp.Diff(map[batch.State]int{batch.Done: 49, batch.Failed: 1}, tally(updated)); diff != "" || !errors.Is(err, no) {
		t.Errorf("states (-want +got):\n%s\nerror: %v", diff, err)
	}
	if n := proxy.Count(faultproxy.Method(http.MethodPatch)); n != 48 {
		t.Errorf("%d patches were sent, want one for each object that changed, 48", n)
	}
	if cm := updated[7].Value; cm.Data["updated"] != "true" || cm.Data["index"] != "7" || list.Items[7].Data["updated"] != "" {
		t.Errorf("updated to %v, and the object that was given is %v", cm.Data, list.Items[7].Data)
	}

	if err := r.Delete(t.Context(), "batch-010"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(t.Context(), objects[10]); err != nil {
		t.Fatal(err)
	}
	deleted, err := batch.Delete(t.Context(), r, list.Items)
	if !errors.Is(err, kubesdk.ErrConflict) || deleted[10].State != batch.Failed || len(deleted.In(batch.Done)) != 49 {
		t.Errorf("an object that was made anew is not the one to delete: %+v, %v", deleted[10], err)
	}
	if diff := cmp.Diff(map[string]bool{"batch-010": true}, there(t, r)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestDeleteKeepsToTheNamespace(t *testing.T) {
	t.Parallel()
	proxy, r := behind(t)
	elsewhere := configMaps(1)
	elsewhere[0].Namespace = "default"
	results, err := batch.Delete(t.Context(), r, elsewhere)
	if err == nil || results[0].State != batch.Failed || proxy.Count(nil) != 0 {
		t.Errorf("got %+v, %v after %d requests, want a refusal before any", results, err, proxy.Count(nil))
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	proxy, r := behind(t)
	const room = 6
	var inside, refused, most atomic.Int64
	proxy.Fail(-1, faultproxy.Method(http.MethodPost), func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		defer inside.Add(-1)
		if now := inside.Add(1); now > room {
			refused.Add(1)
			faultproxy.Answer(http.StatusTooManyRequests)(w, req, next)
			return
		}
		faultproxy.Delay(20*time.Millisecond)(w, req, next)
	})
	var highest int // as the progress shows it, which does not see every step; OnProgress is not called concurrently
	results, err := batch.Create(t.Context(), r, configMaps(300), batch.Every(time.Millisecond), batch.OnProgress(func(p batch.Progress) {
		highest = max(highest, p.Limit)
		most.Store(int64(max(int(most.Load()), p.InFlight)))
	}))
	if err != nil {
		t.Fatalf("with retries all is done in the end, but: %v", err)
	}
	if n := len(there(t, r)); n != 300 || len(results.In(batch.Done)) != 300 {
		t.Errorf("%d objects are there, and %d are said to be done", n, len(results.In(batch.Done)))
	}
	if highest > 4*room {
		t.Errorf("the limit went up to %d where the server has room for %d, in flight at most %d", highest, room, most.Load())
	}
	if n := refused.Load(); n == 0 || n > 250 {
		t.Errorf("%d requests were refused, want some, and fewer than were served", n)
	}
}

func TestRetryAfterHoldsEverythingBack(t *testing.T) {
	t.Parallel()
	proxy, r := behind(t)
	var mu sync.Mutex
	var sent []time.Time
	proxy.Fail(-1, faultproxy.Method(http.MethodPost), func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		mu.Lock()
		sent = append(sent, time.Now())
		first := len(sent) == 1
		mu.Unlock()
		if first {
			faultproxy.RetryAfter(http.StatusTooManyRequests, 1)(w, req, next)
			return
		}
		next.ServeHTTP(w, req)
	})
	if _, err := batch.Create(t.Context(), r, configMaps(5), batch.InFlight(1)); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 6 || sent[1].Sub(sent[0]) < time.Second {
		t.Errorf("sent at %v: the server asked for a second of peace after the first", sent)
	}
}

func TestCancelledBatchTellsTheTruth(t *testing.T) {
	t.Parallel()
	proxy, r := behind(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen, silent atomic.Int64
	proxy.Fail(-1, faultproxy.Method(http.MethodPost), func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		n := seen.Add(1)
		if n <= 20 {
			next.ServeHTTP(w, req)
			return
		}
		if n%2 == 0 { // half of those that are never answered were acted on
			next.ServeHTTP(httptest.NewRecorder(), req)
		}
		if silent.Add(1) == 8 {
			cancel()
		}
		<-req.Context().Done()
	})
	results, err := batch.Create(ctx, r, configMaps(100), batch.InFlight(8))
	want := map[batch.State]int{batch.Done: 20, batch.Unknown: 8, batch.NotSent: 72}
	if diff := cmp.Diff(want, tally(results)); diff != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("states (-want +got):\n%s\nerror: %v", diff, err)
	}
	var e *batch.Error
	if !errors.As(err, &e) || e.Unknown != 8 || e.NotSent != 72 || e.Failed != 0 {
		t.Errorf("the error counts %+v", e)
	}
	names := there(t, r)
	for _, res := range results {
		if is := names[res.Item.Name]; res.State == batch.Done && !is || res.State == batch.NotSent && is {
			t.Errorf("%s is %s, and on the server: %t", res.Item.Name, res.State, is)
		}
	}
	if len(names) != 24 {
		t.Errorf("%d objects are there, want the 20 that were answered and 4 that were not", len(names))
	}
}

func TestBrokenConnectionsAreUnknown(t *testing.T) {
	t.Parallel()
	proxy, r := behind(t)
	proxy.Fail(3, faultproxy.Method(http.MethodPost), faultproxy.Lose)
	results, err := batch.Create(t.Context(), r, configMaps(10), batch.InFlight(1))
	if diff := cmp.Diff(map[batch.State]int{batch.Done: 7, batch.Unknown: 3}, tally(results)); diff != "" {
		t.Errorf("states (-want +got):\n%s\nerror: %v", diff, err)
	}
	if n := len(there(t, r)); n != 10 {
		t.Errorf("%d objects are there, want 10: the server acted on those whose answer was lost", n)
	}
}

func TestStreamFromAList(t *testing.T) {
	t.Parallel()
	_, r := behind(t)
	if _, err := batch.Create(t.Context(), r, configMaps(120)); err != nil {
		t.Fatal(err)
	}
	var listed error
	deleted := 0
	all := batch.Items(r.All(t.Context(), kubesdk.Labels("batch=true"), kubesdk.Limit(50)), &listed)
	for res := range batch.Stream(t.Context(), all, func(ctx context.Context, cm *corev1.ConfigMap) (string, error) {
		return cm.Name, r.Delete(ctx, cm.Name)
	}, batch.InFlight(16)) {
		if res.Err != nil || res.Value != res.Item.Name {
			t.Errorf("got %+v", res)
		}
		deleted++
	}
	if listed != nil || deleted != 120 || len(there(t, r)) != 0 {
		t.Errorf("deleted %d of 120, %d are left, list: %v", deleted, len(there(t, r)), listed)
	}
}
