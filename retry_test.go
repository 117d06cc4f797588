package kubesdk_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

const attempts = 3

// quick is a policy whose waits do not make tests slow.
func quick(statuses ...int) kubesdk.CallOption {
	return kubesdk.Retry(kubesdk.RetryPolicy{Attempts: attempts, Backoff: kubesdk.Fixed(time.Millisecond), Statuses: statuses})
}

// outage is a way to fail, and whether it leaves open what the server did.
type outage struct {
	fault   faultproxy.Fault
	retried string // of which calls: of all, of those that may be sent twice ("harmless"), or of none
	silent  bool   // nothing comes until an attempt's time is over
}

// patience is the time that an attempt gets: short enough to wait for it where it is to run out, else out of the way.
func (o outage) patience() time.Duration {
	if o.silent {
		return time.Second
	}
	return time.Minute
}

// How often each verb is sent at each kind of failure that does not end. Reads, replacing with a version and deleting with
// a UID can be sent twice; creating, replacing and deleting without cannot, nor can a collection or a patch.
func TestAttempts(t *testing.T) {
	t.Parallel()
	outages := map[string]outage{
		"429":                       {fault: faultproxy.Answer(429), retried: "all"},
		"429 with Retry-After":      {fault: faultproxy.RetryAfter(429, 0), retried: "all"},
		"503 with Retry-After":      {fault: faultproxy.RetryAfter(503, 0), retried: "all"},
		"503":                       {fault: faultproxy.Answer(503), retried: "harmless"},
		"500":                       {fault: faultproxy.Answer(500), retried: "harmless"},
		"502":                       {fault: faultproxy.Answer(502), retried: "harmless"},
		"504":                       {fault: faultproxy.Answer(504), retried: "harmless"},
		"reset":                     {fault: faultproxy.Drop, retried: "harmless"},
		"stream reset":              {fault: faultproxy.Abort, retried: "harmless"},
		"answer lost":               {fault: faultproxy.Lose, retried: "harmless"},
		"answer cut":                {fault: faultproxy.CutAfter(3), retried: "harmless"},
		"silence":                   {faultproxy.Hang, "harmless", true},
		"silence within the answer": {faultproxy.StallAfter(3), "harmless", true},
		"400":                       {fault: faultproxy.Answer(400), retried: "none"},
		"403":                       {fault: faultproxy.Answer(403), retried: "none"},
		"404":                       {fault: faultproxy.Answer(404), retried: "none"},
		"409":                       {fault: faultproxy.Answer(409), retried: "none"},
		"422":                       {fault: faultproxy.Answer(422), retried: "none"},
		"501":                       {fault: faultproxy.Answer(501), retried: "none"},
	}
	direct := kubetest.Start(t).Client
	ns := kubetest.Namespace(t, direct)
	there := must[*corev1.ConfigMap](t)(kubesdk.For[*corev1.ConfigMap](direct).Namespace(ns).Create(t.Context(), configMap("a")))
	must[*appsv1.Deployment](t)(kubesdk.For[*appsv1.Deployment](direct).Namespace(ns).Create(t.Context(), deployment(metav1.ObjectMeta{Name: "a"})))
	type maps = kubesdk.Resource[*corev1.ConfigMap]
	calls := map[string]struct {
		do       func(context.Context, *kubesdk.Client, maps) error
		harmless bool
	}{
		"get":  {func(ctx context.Context, _ *kubesdk.Client, h maps) error { return drop(h.Get(ctx, "a")) }, true},
		"list": {func(ctx context.Context, _ *kubesdk.Client, h maps) error { return drop(h.List(ctx)) }, true},
		"replace with a version": {func(ctx context.Context, _ *kubesdk.Client, h maps) error {
			return drop(h.Replace(ctx, there, kubesdk.DryRun()))
		}, true},
		"replace": {func(ctx context.Context, _ *kubesdk.Client, h maps) error {
			return drop(h.Replace(ctx, configMap("a"), kubesdk.DryRun()))
		}, false},
		"delete with a UID": {func(ctx context.Context, _ *kubesdk.Client, h maps) error {
			return h.Delete(ctx, "a", kubesdk.DryRun(), kubesdk.Preconditions(metav1.Preconditions{UID: &there.UID}))
		}, true},
		"delete": {func(ctx context.Context, _ *kubesdk.Client, h maps) error {
			return h.Delete(ctx, "a", kubesdk.DryRun())
		}, false},
		"delete all": {func(ctx context.Context, _ *kubesdk.Client, h maps) error {
			return h.DeleteAll(ctx, kubesdk.DryRun())
		}, false},
		"create": {func(ctx context.Context, _ *kubesdk.Client, h maps) error {
			return drop(h.Create(ctx, configMap("b"), kubesdk.DryRun()))
		}, false},
		"scale": {func(ctx context.Context, c *kubesdk.Client, _ maps) error {
			return drop(kubesdk.For[*appsv1.Deployment](c).Namespace(ns).Scale(ctx, "a", 1, kubesdk.DryRun()))
		}, false},
	}
	for outageName, outage := range outages {
		t.Run(outageName, func(t *testing.T) {
			t.Parallel()
			var group sync.WaitGroup
			defer group.Wait()
			for callName, call := range calls {
				c, proxy := proxied(t, quick(), kubesdk.AttemptTimeout(outage.patience()), kubesdk.IdleTimeout(outage.patience()))
				proxy.Fail(-1, nil, outage.fault)
				want := 1
				if outage.retried == "all" || outage.retried == "harmless" && call.harmless {
					want = attempts
				}
				group.Go(func() {
					err := call.do(t.Context(), c, kubesdk.For[*corev1.ConfigMap](c).Namespace(ns))
					var e *kubesdk.Error
					if got := proxy.Count(nil); got != want || !errors.As(err, &e) || e.Attempts != want {
						t.Errorf("%s was sent %d times, want %d; the error is %v", callName, got, want, err)
					}
				})
			}
		})
	}
}

// A connection that is refused carried nothing, so any call is tried again: here until the server is back.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	ns := kubetest.Namespace(t, kubetest.Start(t).Client)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns)
	proxy.Down()
	var once sync.Once
	up := kubesdk.Retry(kubesdk.RetryPolicy{Attempts: 5, Backoff: func(attempt int) time.Duration {
		if attempt == 3 {
			once.Do(func() {
				if err := proxy.Up(); err != nil {
					t.Error(err)
				}
			})
		}
		return time.Millisecond
	}})
	must[*corev1.ConfigMap](t)(handle.Create(t.Context(), configMap("a"), up))
	if n := proxy.Count(faultproxy.Method("POST")); n != 1 {
		t.Errorf("%d requests arrived", n)
	}
	proxy.Down()
	handle = kubesdk.For[*corev1.ConfigMap](client(t, proxy)).Namespace(ns) // without a connection from before
	_, err := handle.Create(t.Context(), configMap("b"), quick())
	mustSay(t, err, "create configmaps", "(3 attempts)", "connection refused", "nothing listens")
	if !errors.Is(err, syscall.ECONNREFUSED) || asError(t, err).FromServer() {
		t.Errorf("got %v", err)
	}
}

// What the caller names is retried for any verb: it knows that it does no harm.
func TestNamedStatuses(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick(504))
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
	proxy.Fail(2, faultproxy.Method("POST"), faultproxy.Answer(504))
	if _, err := handle.Create(t.Context(), configMap("a")); err != nil {
		t.Error(err)
	}
	proxy.Fail(1, faultproxy.Method("POST"), faultproxy.Answer(500))
	if _, err := handle.Create(t.Context(), configMap("b")); !errors.Is(err, kubesdk.ErrInternal) || asError(t, err).Attempts != 1 {
		t.Errorf("a status that is not named: %v", err)
	}
}

// An answer that was lost must not create twice, and the caller is told that the outcome is open.
func TestLostCreate(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick())
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
	proxy.Forget()
	proxy.Fail(1, faultproxy.Method("POST"), faultproxy.Lose)
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "once-"}}
	if _, err := handle.Create(t.Context(), made); err == nil || asError(t, err).Code != 0 {
		t.Errorf("got %v", err)
	}
	list := must[*kubesdk.List[*corev1.ConfigMap]](t)(handle.List(t.Context()))
	n := 0
	for _, cm := range list.Items {
		if strings.HasPrefix(cm.Name, "once-") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it was created %d times", n)
	}
}

func TestRecovers(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick())
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace("default")
	for name, fault := range map[string]faultproxy.Fault{"cut": faultproxy.CutAfter(10), "reset": faultproxy.Drop, "503": faultproxy.Answer(503)} {
		proxy.Fail(2, nil, fault)
		cm, err := handle.Get(t.Context(), "kube-root-ca.crt")
		if err != nil || cm.Data["ca.crt"] == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBackoffIsAsked(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	proxy.Fail(-1, nil, faultproxy.Answer(429))
	var asked []int
	_, err := kubesdk.For[*corev1.Node](c).Get(t.Context(), "a", kubesdk.Retry(kubesdk.RetryPolicy{Attempts: 4, Backoff: func(attempt int) time.Duration {
		asked = append(asked, attempt)
		return 0
	}}))
	if diff := cmp.Diff([]int{1, 2, 3}, asked); diff != "" || !errors.Is(err, kubesdk.ErrTooManyRequests) {
		t.Errorf("%v\n%s", err, diff)
	}
	_, err = kubesdk.For[*corev1.Node](c).Get(t.Context(), "a", kubesdk.Retry(kubesdk.RetryPolicy{Attempts: -1}))
	mustSay(t, err, "Attempts is -1")
	proxy.Forget()
	_, err = kubesdk.For[*corev1.Node](c).Get(t.Context(), "a", kubesdk.Retry(kubesdk.RetryPolicy{}))
	if n := proxy.Count(nil); err == nil || n != 1 {
		t.Errorf("the zero policy sent %d times: %v", n, err)
	}
}

// A wait that would end after the deadline is not begun: the server's last answer says more than the deadline.
func TestRetryAfterBeyondTimeout(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, kubesdk.Timeout(10*time.Second))
	proxy.Fail(-1, nil, faultproxy.RetryAfter(503, 60))
	start := time.Now()
	_, err := kubesdk.For[*corev1.Node](c).Get(t.Context(), "a")
	if !errors.Is(err, kubesdk.ErrUnavailable) || asError(t, err).Attempts != 1 || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick())
	proxy.Fail(-1, nil, faultproxy.Hang)
	nodes := kubesdk.For[*corev1.Node](c)
	for name, tt := range map[string]struct {
		opts     []kubesdk.GetOption
		attempts int
		says     string
	}{
		"of the call":               {[]kubesdk.GetOption{kubesdk.Timeout(50 * time.Millisecond)}, 1, "the call's timeout of 50ms"},
		"of each attempt":           {[]kubesdk.GetOption{kubesdk.AttemptTimeout(30 * time.Millisecond)}, attempts, "longer than 30ms"},
		"of the call, over several": {[]kubesdk.GetOption{kubesdk.AttemptTimeout(400 * time.Millisecond), kubesdk.Timeout(600 * time.Millisecond)}, 2, "timeout of 600ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := nodes.Get(t.Context(), "a", tt.opts...)
			mustSay(t, err, tt.says)
			if e := asError(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Attempts != tt.attempts || e.Code != 0 || e.FromServer() {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("of the context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := nodes.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled, with a cause", func(t *testing.T) {
		t.Parallel()
		why := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
		if _, err := nodes.Get(ctx, "a"); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := nodes.Get(ctx, "a")
		if e := asError(t, err); !errors.Is(err, context.Canceled) || e.Attempts != 0 {
			t.Errorf("got %+v", e)
		}
	})
}

// counter is a limiter that lets everything pass, or nothing.
type counter struct {
	n      atomic.Int32
	refuse error
}

func (c *counter) Wait(context.Context) error {
	c.n.Add(1)
	return c.refuse
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, quick())
	nodes := kubesdk.For[*corev1.Node](c)
	limiter := &counter{}
	proxy.Fail(2, nil, faultproxy.Answer(503))
	if _, err := nodes.List(t.Context(), kubesdk.RateLimit(limiter)); err != nil || limiter.n.Load() != attempts {
		t.Errorf("the limiter was asked %d times, want once for each attempt: %v", limiter.n.Load(), err)
	}
	proxy.Forget()
	limiter.refuse = errors.New("not today")
	_, err := nodes.List(t.Context(), kubesdk.RateLimit(limiter))
	if !errors.Is(err, limiter.refuse) || asError(t, err).Attempts != 0 || proxy.Count(nil) != 0 {
		t.Errorf("got %v", err)
	}
}

// Options of the call win over those of the handle, and those over the client's.
func TestOptionsOverride(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t, kubesdk.Retry(kubesdk.RetryPolicy{Attempts: 2, Backoff: kubesdk.Fixed(0)}))
	proxy.Fail(-1, nil, faultproxy.Answer(503))
	policy := func(n int) kubesdk.CallOption {
		return kubesdk.Retry(kubesdk.RetryPolicy{Attempts: n, Backoff: kubesdk.Fixed(0)})
	}
	nodes := kubesdk.For[*corev1.Node](c)
	for _, tt := range []struct {
		handle kubesdk.Resource[*corev1.Node]
		opts   []kubesdk.GetOption
		want   int
	}{
		{nodes, nil, 2},
		{nodes.With(policy(3)), nil, 3},
		{nodes.With(policy(3)), []kubesdk.GetOption{policy(4)}, 4},
		{nodes.With(kubesdk.DryRun(), kubesdk.Labels("a")), nil, 2}, // which do not fit Get
	} {
		proxy.Forget()
		_, err := tt.handle.Get(t.Context(), "a", tt.opts...)
		if n := proxy.Count(nil); n != tt.want || err == nil {
			t.Errorf("sent %d times, want %d: %v", n, tt.want, err)
		}
		if q := proxy.Requests(nil)[0].URL.RawQuery; q != "" {
			t.Errorf("sent the parameters %q", q)
		}
	}
}

// A program with one Get sends one request, and no discovery.
func TestOneGetOneRequest(t *testing.T) {
	t.Parallel()
	direct := kubetest.Start(t).Client
	ns := kubetest.Namespace(t, direct)
	must[*appsv1.Deployment](t)(kubesdk.For[*appsv1.Deployment](direct).Namespace(ns).Create(t.Context(), deployment(metav1.ObjectMeta{Name: "web"})))
	c, proxy := proxied(t)
	must[*appsv1.Deployment](t)(kubesdk.For[*appsv1.Deployment](c).Namespace(ns).Get(t.Context(), "web"))
	all := proxy.Requests(nil)
	if len(all) != 1 || all[0].URL.Path != "/apis/apps/v1/namespaces/"+ns+"/deployments/web" {
		t.Errorf("%d requests, the first to %v", len(all), all[0].URL)
	}
	if accept := all[0].Header.Get("Accept"); !strings.HasPrefix(accept, "application/vnd.kubernetes.protobuf") {
		t.Errorf("it asks for %q", accept)
	}
}
