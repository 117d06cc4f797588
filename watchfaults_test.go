package kubesdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

const (
	trialObjects = 200
	trialChanges = 5000
	trialWriters = 10
)

// version is which object is under a name, and in which state.
type version struct {
	UID             types.UID
	ResourceVersion string
}

// witness is told by a watch, and keeps what it must check the watch against.
type witness struct {
	mu     sync.Mutex
	state  map[string]version
	ended  map[types.UID]bool
	events int
	errs   int
	syncs  int
	unseen int // deletions found out by listing
	wrong  []string
}

func (w *witness) complain(format string, args ...any) {
	if len(w.wrong) < 20 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}

func take[T kubesdk.Object](w *witness, ev kubesdk.Event[T], err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.errs++
		return
	case ev.Type == kubesdk.Bookmark:
		if ev.Synced {
			w.syncs++
		}
		return
	}
	name, now := ev.Object.GetName(), version{ev.Object.GetUID(), ev.ResourceVersion}
	old, had := w.state[name]
	w.events++
	switch {
	case w.ended[now.UID]:
		w.complain("%s %s (%s) after its end", ev.Type, name, now.UID)
	case (ev.Type == kubesdk.Added) == had:
		w.complain("%s %s, which was there: %v", ev.Type, name, had)
	case had && old.UID != now.UID:
		w.complain("%s %s is about %s, but %s is there", ev.Type, name, now.UID, old.UID)
	case had && !ev.FinalStateUnknown && number(now) <= number(old):
		w.complain("%s %s leads from version %s to %s", ev.Type, name, old.ResourceVersion, now.ResourceVersion)
	}
	if ev.Type == kubesdk.Deleted {
		delete(w.state, name)
		w.ended[now.UID] = true
		if ev.FinalStateUnknown {
			w.unseen++
		}
		return
	}
	w.state[name] = now
}

func number(v version) int {
	n, _ := strconv.Atoi(v.ResourceVersion)
	return n
}

// holds compares with the server.
func (w *witness) holds(server map[string]version) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Diff(server, w.state)
}

// writer changes its own names, so that it knows what there is.
type writer[T kubesdk.Object] struct {
	r     kubesdk.Resource[T]
	make  func(name string) T
	names []string
	there map[string]T
	rng   *rand.Rand
}

func (w *writer[T]) change(ctx context.Context, name string) error {
	obj, ok := w.there[name]
	switch {
	case !ok:
		created, err := w.r.Create(ctx, w.make(name))
		if err == nil {
			w.there[name] = created
		}
		return err
	case w.rng.IntN(4) == 0:
		err := w.r.Delete(ctx, name)
		if err == nil {
			delete(w.there, name)
		}
		return err
	default:
		obj.SetAnnotations(map[string]string{"n": strconv.Itoa(w.rng.Int())})
		replaced, err := w.r.Replace(ctx, obj)
		if err == nil {
			w.there[name] = replaced
		}
		return err
	}
}

// run makes n changes. What became of one that failed is looked up, for as long as it takes.
func (w *writer[T]) run(ctx context.Context, n int, done *atomic.Int64) error {
	for range n {
		name := w.names[w.rng.IntN(len(w.names))]
		for err := w.change(ctx, name); err != nil; {
			if ctx.Err() != nil {
				return err
			}
			time.Sleep(100 * time.Millisecond)
			obj, ok, lookupErr := w.r.Lookup(ctx, name)
			if lookupErr != nil {
				continue
			}
			delete(w.there, name)
			if ok {
				w.there[name] = obj
			}
			err = nil
		}
		done.Add(1)
	}
	return nil
}

// trial watches through far while writers write to near and trouble makes trouble, and then waits until the watch holds
// what the server does.
func trial[T kubesdk.Object](t *testing.T, near, far kubesdk.Resource[T], makeObject func(string) T, changes int, trouble func(ctx context.Context, done, told *atomic.Int64)) (errs int) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w := &witness{state: map[string]version{}, ended: map[types.UID]bool{}}
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	var last error
	var done, told atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		for ev, err := range far.Watch(watchCtx, kubesdk.Labels("trial=yes")) {
			take(w, ev, err)
			told.Store(int64(w.events))
			last = err
		}
	})
	troubled, calm := context.WithCancel(ctx)
	var troubles, writers sync.WaitGroup
	troubles.Go(func() { trouble(troubled, &done, &told) })
	start := time.Now()
	for i := range trialWriters {
		names := make([]string, trialObjects/trialWriters)
		for k := range names {
			names[k] = fmt.Sprintf("trial-%d-%d", i, k)
		}
		one := &writer[T]{r: near, make: makeObject, names: names, there: map[string]T{}, rng: rand.New(rand.NewPCG(uint64(i), 7))}
		writers.Go(func() {
			if err := one.run(ctx, changes/trialWriters, &done); err != nil {
				t.Errorf("writer: %v", err)
			}
		})
	}
	writers.Wait()
	wrote := time.Since(start)
	calm()
	troubles.Wait()
	server := serverState(ctx, t, near)
	differ := ""
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if differ = w.holds(server); differ == "" {
			break
		}
	}
	settled := time.Since(start) - wrote
	stop()
	running.Wait()
	if differ != "" {
		t.Errorf("server (-) and watcher (+) differ:\n%s", differ)
	}
	for _, wrong := range w.wrong {
		t.Error(wrong)
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the watch ended with %v", last)
	}
	if w.events < changes/10 || w.syncs == 0 {
		t.Errorf("%d events, %d times synced: that was no watch", w.events, w.syncs)
	}
	t.Logf("%d changes in %s, settled after %s: %d events, %d errors told, %d present states, %d deletions found by listing",
		changes, wrote.Round(time.Millisecond), settled.Round(time.Millisecond), w.events, w.errs, w.syncs, w.unseen)
	return w.errs
}

func serverState[T kubesdk.Object](ctx context.Context, t *testing.T, r kubesdk.Resource[T]) map[string]version {
	t.Helper()
	state := map[string]version{}
	for obj, err := range r.All(ctx, kubesdk.Labels("trial=yes")) {
		if err != nil {
			t.Fatal(err)
		}
		state[obj.GetName()] = version{obj.GetUID(), obj.GetResourceVersion()}
	}
	return state
}

var trialMeta = func(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{"trial": "yes"}}
}

func trialConfigMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: trialMeta(name)}
}
func trialSecret(name string) *corev1.Secret { return &corev1.Secret{ObjectMeta: trialMeta(name)} }

// storm breaks what can be broken between a client and a server, several times a second.
func storm(t *testing.T, cluster *kubetest.Cluster, p *faultproxy.Proxy, rng *rand.Rand) func(ctx context.Context, done, told *atomic.Int64) {
	pause := func(ctx context.Context, least time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(least + time.Duration(rng.IntN(100))*time.Millisecond):
			return true
		}
	}
	met := func(f faultproxy.Fault) func(context.Context) {
		return func(context.Context) {
			p.Fail(1+rng.IntN(2), nil, f)
			p.Break()
		}
	}
	gone := faultproxy.AnswerWith(410, http.Header{"Content-Type": {"application/json"}}, expired)
	away := func(ctx context.Context) {
		p.Down()
		pause(ctx, 200*time.Millisecond)
		if err := p.Up(); err != nil {
			t.Error(err)
		}
	}
	troubles := []func(context.Context){
		func(context.Context) { p.Break() },
		away,
		func(ctx context.Context) {
			p.Down()
			pause(ctx, 100*time.Millisecond)
			compact(t, cluster)
			if err := p.Up(); err != nil {
				t.Error(err)
			}
		},
		func(ctx context.Context) { p.Stall(); pause(ctx, 100*time.Millisecond); p.Resume() },
		met(faultproxy.Answer(429)), met(faultproxy.RetryAfter(429, 1)), met(faultproxy.Answer(500)), met(faultproxy.Answer(503)),
		met(gone), met(faultproxy.Drop), met(faultproxy.Abort), met(faultproxy.Lose),
		func(ctx context.Context) { met(faultproxy.CutAfter(rng.IntN(8000)))(ctx) },
		func(ctx context.Context) { met(faultproxy.EndAfter(rng.IntN(8000)))(ctx) },
		func(ctx context.Context) { met(faultproxy.StallAfter(rng.IntN(8000)))(ctx) },
	}
	return func(ctx context.Context, _, told *atomic.Int64) {
		for i := 0; pause(ctx, 50*time.Millisecond); i++ {
			// Most troubles meet a watch that has come back from the last one, some do not.
			for seen, until := told.Load(), time.Now().Add(time.Second); told.Load() < seen+20 && time.Now().Before(until); {
				pause(ctx, 0)
			}
			if i%len(troubles) == 0 {
				rng.Shuffle(len(troubles), func(a, b int) { troubles[a], troubles[b] = troubles[b], troubles[a] })
			}
			troubles[i%len(troubles)](ctx)
		}
		p.Heal()
	}
}

// leavesNothing runs f, and compares goroutines and memory before and after it. Nothing else may run meanwhile. f returns
// how many connections broke: net/http holds some 20 KiB of each for as long as an idle connection would live, 90 s.
func leavesNothing(t *testing.T, f func() (broken int)) {
	t.Helper()
	use := func() (int, uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	goroutines, memory := use()
	allowed := memory + 2<<20
	allowed += uint64(f()) * 32 << 10
	var nowGoroutines int
	var nowMemory uint64
	for until := time.Now().Add(15 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if nowGoroutines, nowMemory = use(); nowGoroutines <= goroutines && nowMemory <= allowed {
			break
		}
	}
	t.Logf("goroutines %d → %d, memory %d KiB → %d KiB", goroutines, nowGoroutines, memory>>10, nowMemory>>10)
	if nowGoroutines > goroutines {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", goroutines, nowGoroutines, buf[:runtime.Stack(buf, true)])
	}
	if nowMemory > allowed {
		t.Errorf("%d KiB of memory before, %d KiB after, at most %d are explained", memory>>10, nowMemory>>10, allowed>>10)
	}
}

func TestWatchUnderFaults(t *testing.T) { //nolint:paralleltest // it counts goroutines
	cluster := ownCluster(t)
	ns := kubetest.Namespace(t, cluster.Client)
	faultproxy.Start(t, cluster.Config())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	far := func(t *testing.T) (*faultproxy.Proxy, *kubesdk.Client) {
		p := faultproxy.Start(t, cluster.Config())
		return p, client(t, p, kubesdk.IdleTimeout(1500*time.Millisecond),
			kubesdk.Retry(kubesdk.RetryPolicy{Backoff: kubesdk.Exponential(20 * time.Millisecond).Capped(400 * time.Millisecond).Jittered()}))
	}
	run := func(name string, changes int) int {
		var broken atomic.Int64
		t.Run(name, func(t *testing.T) {
			var both sync.WaitGroup
			both.Go(func() { // from the server's cache
				p, c := far(t)
				broken.Add(int64(trial(t, kubesdk.For[*corev1.ConfigMap](cluster.Client).Namespace(ns), kubesdk.For[*corev1.ConfigMap](c).Namespace(ns),
					trialConfigMap, changes, storm(t, cluster, p, rand.New(rand.NewPCG(seed, 1))))))
			})
			both.Go(func() { // from etcd, whose history is short
				p, c := far(t)
				broken.Add(int64(trial(t, kubesdk.For[*corev1.Secret](cluster.Client).Namespace(ns), kubesdk.For[*corev1.Secret](c).Namespace(ns),
					trialSecret, changes, storm(t, cluster, p, rand.New(rand.NewPCG(seed, 2))))))
			})
			both.Wait()
		})
		return int(broken.Load())
	}
	run("warm-up", trialChanges/20) // what all clients share is there before it is measured
	leavesNothing(t, func() int { return run("trial", trialChanges) })
}

func TestWatchOutlivesTheServer(t *testing.T) { //nolint:paralleltest // it counts goroutines, and kills a server
	cluster := ownCluster(t)
	ns := kubetest.Namespace(t, cluster.Client)
	run := func(name string, changes int, kills ...int64) (broken int) {
		t.Run(name, func(t *testing.T) {
			broken = trial(t, kubesdk.For[*corev1.ConfigMap](cluster.Client).Namespace(ns), kubesdk.For[*corev1.ConfigMap](cluster.Login(t)).Namespace(ns),
				trialConfigMap, changes, func(ctx context.Context, done, _ *atomic.Int64) {
					for _, at := range kills {
						for done.Load() < at && ctx.Err() == nil {
							time.Sleep(20 * time.Millisecond)
						}
						if err := killServer(t.Context(), cluster); err != nil {
							t.Error(err)
						}
					}
				})
		})
		return broken
	}
	run("warm-up", trialChanges/20)
	leavesNothing(t, func() int { return run("trial", trialChanges, trialChanges/3, trialChanges*2/3) })
}

// killServer ends the API server of a localkube cluster with SIGKILL, and starts it again.
func killServer(ctx context.Context, cluster *kubetest.Cluster) error {
	dir := filepath.Dir(cluster.Kubeconfig)
	pid, err := serverPID(dir)
	if err != nil {
		return err
	}
	binary, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for now := pid; now == pid; time.Sleep(20 * time.Millisecond) { // until localkube knows that it has died
		if now, err = serverPID(dir); err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	up := exec.CommandContext(ctx, binary, append([]string{"up", "--dir", filepath.Dir(dir), "--name", filepath.Base(dir)}, ownClusterFlags...)...)
	if out, err := up.CombinedOutput(); err != nil {
		return fmt.Errorf("start the API server again: %w\n%s", err, out)
	}
	return nil
}

// serverPID is the process of the API server of the cluster in dir, 0 if it has died.
func serverPID(dir string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "status.json"))
	if err != nil {
		return 0, err
	}
	var status struct {
		Components []struct {
			Name string
			PID  int
		}
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return 0, err
	}
	for _, c := range status.Components {
		if c.Name == "kube-apiserver" {
			return c.PID, nil
		}
	}
	return 0, fmt.Errorf("no API server in the status of %s", dir)
}

var ownClusterFlags = []string{"--api-server-arg=watch-cache-sizes=secrets#0"}

// ownCluster is one whose history may be forgotten and whose API server may be killed. It keeps no cache of Secrets, so that
// what is asked of them is asked of etcd.
func ownCluster(t *testing.T) *kubetest.Cluster {
	t.Helper()
	return kubetest.StartNamed(t, "kubetest-watch", ownClusterFlags...)
}

// compact has etcd forget all history but the present state.
func compact(t *testing.T, cluster *kubetest.Cluster) {
	t.Helper()
	list, err := kubesdk.For[*corev1.Secret](cluster.Client).List(t.Context(), kubesdk.Limit(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := etcd(t.Context(), cluster, "compaction", map[string]any{"revision": list.ResourceVersion, "physical": true}); err != nil {
		t.Fatal(err)
	}
}

// etcd calls a method of the KV service of the cluster's etcd, through its JSON gateway.
func etcd(ctx context.Context, cluster *kubetest.Cluster, method string, request any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	socket := filepath.Join(filepath.Dir(cluster.Kubeconfig), "etcd.sock")
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://etcd/v3/kv/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("etcd's %s: %d %s", method, res.StatusCode, answer)
	}
	return err
}
