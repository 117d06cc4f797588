package kubesdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

// rounds is how often two writers meet.
func rounds() int {
	if testing.Short() {
		return 10
	}
	return 100
}

// duel has two writers change one object at the same time, each from the same state that both have read, again and again. Each adds
// something of its own in every round, and in the end all of it must be there.
func duel[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T], obj T, add func(obj T, writer, round int), count func(obj T) int) {
	t.Helper()
	ctx := t.Context()
	if _, err := handle.Create(ctx, obj); err != nil {
		t.Fatal(err)
	}
	for round := range rounds() {
		old, err := handle.Get(ctx, obj.GetName())
		if err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for writer := range 2 {
			both.Go(func() {
				changed := old.DeepCopyObject().(T)
				add(changed, writer, round)
				_, err := handle.Update(ctx, changed, kubesdk.From(old))
				for errors.Is(err, kubesdk.ErrConflict) { // refused, not overwritten: read again
					var fresh T
					if fresh, err = handle.Get(ctx, obj.GetName()); err != nil {
						break
					}
					changed = fresh.DeepCopyObject().(T)
					add(changed, writer, round)
					_, err = handle.Update(ctx, changed, kubesdk.From(fresh))
				}
				if err != nil {
					t.Errorf("writer %d, round %d: %v", writer, round, err)
				}
			})
		}
		both.Wait()
		got, err := handle.Get(ctx, obj.GetName())
		if err != nil {
			t.Fatal(err)
		}
		if n := count(got); n != 2*(round+1) {
			t.Fatalf("after round %d there are %d, not %d: something was lost: %s", round, n, 2*(round+1), marshal(t, got))
		}
	}
}

func TestTwoWriters(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	name := func(writer, round int) string { return fmt.Sprintf("w%d-%d", writer, round) }
	paused := func() *appsv1.Deployment {
		d := deployment(metav1.ObjectMeta{Name: "a"})
		d.Spec.Paused, d.Spec.Replicas = true, new(int32(0))
		return d
	}
	t.Run("labels", func(t *testing.T) {
		t.Parallel()
		duel(t, configMaps(t), configMap("a"), func(cm *corev1.ConfigMap, w, r int) {
			if cm.Labels == nil {
				cm.Labels = map[string]string{}
			}
			cm.Labels[name(w, r)] = "x"
		}, func(cm *corev1.ConfigMap) int { return len(cm.Labels) })
	})
	t.Run("map keys", func(t *testing.T) {
		t.Parallel()
		duel(t, configMaps(t), configMap("a"), func(cm *corev1.ConfigMap, w, r int) {
			if cm.Data == nil {
				cm.Data = map[string]string{}
			}
			cm.Data[name(w, r)] = "x"
		}, func(cm *corev1.ConfigMap) int { return len(cm.Data) })
	})
	t.Run("containers", func(t *testing.T) {
		t.Parallel()
		handle := kubesdk.For[*appsv1.Deployment](c).Namespace(kubetest.Namespace(t, c))
		duel(t, handle, paused(), func(d *appsv1.Deployment, w, r int) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: name(w, r), Image: "x"})
		}, func(d *appsv1.Deployment) int {
			return len(d.Spec.Template.Spec.Containers) - len(paused().Spec.Template.Spec.Containers)
		})
	})
	t.Run("env entries", func(t *testing.T) {
		t.Parallel()
		handle := kubesdk.For[*appsv1.Deployment](c).Namespace(kubetest.Namespace(t, c))
		duel(t, handle, paused(), func(d *appsv1.Deployment, w, r int) {
			first := &d.Spec.Template.Spec.Containers[0]
			first.Env = append(first.Env, corev1.EnvVar{Name: name(w, r), Value: "x"})
		}, func(d *appsv1.Deployment) int { return len(d.Spec.Template.Spec.Containers[0].Env) })
	})
	t.Run("a custom resource's elements", func(t *testing.T) {
		t.Parallel()
		m := &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		duel(t, machines(t, c), m, func(m *Machine, w, r int) {
			m.Spec.Parts = append(m.Spec.Parts, MachinePart{Name: name(w, r)})
		}, func(m *Machine) int { return len(m.Spec.Parts) })
	})
	t.Run("a custom resource's map keys", func(t *testing.T) {
		t.Parallel()
		m := &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		duel(t, machines(t, c), m, func(m *Machine, w, r int) {
			if m.Spec.Named == nil {
				m.Spec.Named = map[string]MachinePart{}
			}
			m.Spec.Named[name(w, r)] = MachinePart{Name: "x"}
		}, func(m *Machine) int { return len(m.Spec.Named) })
	})
}

// Two writers edit and remove what the other does not touch, in lists of a custom resource whose indexes shift meanwhile.
func TestTwoWritersShift(t *testing.T) {
	t.Parallel()
	handle := machines(t, kubetest.Start(t).Client)
	ctx := t.Context()
	m := &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	for i := range rounds() + 1 {
		m.Spec.Parts = append(m.Spec.Parts, MachinePart{Name: fmt.Sprint(i)})
	}
	must[*Machine](t)(handle.Create(ctx, m))
	last := fmt.Sprint(rounds())
	update := func(edit func(*Machine)) {
		for {
			old, err := handle.Get(ctx, "a")
			if err != nil {
				t.Error(err)
				return
			}
			changed := old.DeepCopyObject().(*Machine)
			edit(changed)
			if _, err = handle.Update(ctx, changed, kubesdk.From(old)); err == nil {
				return
			}
			if !errors.Is(err, kubesdk.ErrConflict) {
				t.Error(err)
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() {
		for range rounds() {
			update(func(m *Machine) { m.Spec.Parts = m.Spec.Parts[1:] })
		}
	})
	both.Go(func() {
		for i := range rounds() {
			update(func(m *Machine) { m.Spec.Parts[len(m.Spec.Parts)-1].Image = fmt.Sprint(i) })
		}
	})
	both.Wait()
	got := must[*Machine](t)(handle.Get(ctx, "a"))
	if want := []MachinePart{{Name: last, Image: fmt.Sprint(rounds() - 1)}}; marshal(t, got.Spec.Parts) != marshal(t, want) {
		t.Errorf("in the end %s", marshal(t, got.Spec.Parts))
	}
}

// A counter that many count up reaches its sum.
func TestMutateCounts(t *testing.T) {
	t.Parallel()
	const writers = 2
	c := kubetest.Start(t).Client
	t.Run("built in", func(t *testing.T) {
		t.Parallel()
		count(t, configMaps(t), configMap("a", "n", "0"), writers, func(cm *corev1.ConfigMap) *string {
			n := cm.Data["n"]
			i, _ := strconv.Atoi(n)
			cm.Data["n"] = strconv.Itoa(i + 1)
			return &n
		})
	})
	t.Run("custom", func(t *testing.T) {
		t.Parallel()
		m := &Machine{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: MachineSpec{Tags: []string{"x", "0"}}}
		count(t, machines(t, c), m, writers, func(m *Machine) *string {
			n := m.Spec.Tags[1]
			i, _ := strconv.Atoi(n)
			m.Spec.Tags[1] = strconv.Itoa(i + 1)
			return &n
		})
	})
}

// count has writers count up in obj; up returns what it was before.
func count[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T], obj T, writers int, up func(T) *string) {
	t.Helper()
	ctx := t.Context()
	if _, err := handle.Create(ctx, obj); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range rounds() {
				if _, err := handle.Mutate(ctx, obj.GetName(), func(obj T) error { up(obj); return nil }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	got, err := handle.Get(ctx, obj.GetName())
	if err != nil {
		t.Fatal(err)
	}
	if n := *up(got); n != strconv.Itoa(writers*rounds()) {
		t.Errorf("counted to %s, not %d", n, writers*rounds())
	}
}

func TestMutate(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(kubetest.Namespace(t, c))
	ctx := t.Context()
	must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v")))
	calls := 0
	got := must[*corev1.ConfigMap](t)(handle.Mutate(ctx, "a", func(cm *corev1.ConfigMap) error {
		if calls++; calls == 1 { // somebody else is quicker
			if _, err := handle.Update(ctx, configMap("a", "k", "theirs"), kubesdk.From(configMap("a", "k", "v"))); err != nil {
				return err
			}
		}
		cm.Data["mine"] = cm.Data["k"]
		return nil
	}))
	if calls != 2 || got.Data["mine"] != "theirs" {
		t.Errorf("%d calls, %v", calls, got.Data)
	}

	proxy.Forget()
	if same := must[*corev1.ConfigMap](t)(handle.Mutate(ctx, "a", func(*corev1.ConfigMap) error { return nil })); proxy.Count(nil) != 1 || same.Data["mine"] != "theirs" {
		t.Errorf("without a change %d requests, %v", proxy.Count(nil), same.Data)
	}
	enough := errors.New("enough")
	if _, err := handle.Mutate(ctx, "a", func(*corev1.ConfigMap) error { return enough }); err != enough { //nolint:errorlint // as it is
		t.Errorf("the function's error: %v", err)
	}
	if _, err := handle.Mutate(ctx, "b", func(*corev1.ConfigMap) error { return nil }); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("no object: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	_, err := handle.Mutate(canceled, "a", func(cm *corev1.ConfigMap) error {
		cancel()
		cm.Data["k"] = "never"
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// A stale object given to Replace is refused, and a fresh one taken.
func TestReplaceStale(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	ctx := t.Context()
	stale := must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v")))
	fresh := must[*corev1.ConfigMap](t)(handle.Update(ctx, configMap("a", "k", "w"), kubesdk.From(stale)))
	stale.Data["k"] = "stale"
	if _, err := handle.Replace(ctx, stale); !errors.Is(err, kubesdk.ErrConflict) {
		t.Errorf("a stale object: %v", err)
	}
	fresh.Data["retried"] = "success"
	if got := must[*corev1.ConfigMap](t)(handle.Replace(ctx, fresh)); got.Data["retried"] != "success" || got.Data["k"] != "w" {
		t.Errorf("replaced by %v", got.Data)
	}
}

func TestCreateOrUpdate(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	ns := kubetest.Namespace(t, c)
	handle := kubesdk.For[*corev1.ConfigMap](c).Namespace(ns)
	ctx := t.Context()
	cm := configMap("a", "k", "v")
	cm.Labels = map[string]string{"x": "y"}
	must[*corev1.ConfigMap](t)(handle.CreateOrUpdate(ctx, cm))
	got := must[*corev1.ConfigMap](t)(handle.CreateOrUpdate(ctx, configMap("a", "l", "w")))
	if got.Data["k"] != "v" || got.Data["l"] != "w" || got.Labels["x"] != "y" {
		t.Errorf("updated to %v %v", got.Data, got.Labels)
	}

	// Quota answers 403 to a create, whether the name exists or not.
	quotas := kubesdk.For[*corev1.ResourceQuota](c).Namespace(ns)
	must[*corev1.ResourceQuota](t)(quotas.Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/configmaps": zero}},
	}))
	eventually(t, "the quota counts", func(ctx context.Context) (bool, error) {
		_, err := handle.Create(ctx, configMap("refused"), kubesdk.DryRun())
		return errors.Is(err, kubesdk.ErrForbidden), nil
	})
	if got = must[*corev1.ConfigMap](t)(handle.CreateOrUpdate(ctx, configMap("a", "l", "quota"))); got.Data["l"] != "quota" {
		t.Errorf("under quota: %v", got.Data)
	}
	if _, err := handle.CreateOrUpdate(ctx, configMap("b", "l", "x")); !errors.Is(err, kubesdk.ErrForbidden) {
		t.Errorf("under quota, a new one: %v", err)
	}
	if err := quotas.Delete(ctx, "none"); err != nil {
		t.Fatal(err)
	}

	// The object goes between the two steps.
	eventually(t, "the quota is gone", func(ctx context.Context) (bool, error) {
		_, err := handle.Create(ctx, configMap("taken"), kubesdk.DryRun())
		return err == nil, nil
	})
	direct := kubesdk.For[*corev1.ConfigMap](kubetest.Start(t).Client).Namespace(ns)
	proxy.Fail(1, faultproxy.Method("PATCH"), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if err := direct.Delete(r.Context(), "a"); err != nil {
			t.Error(err)
		}
		next.ServeHTTP(w, r)
	})
	got = must[*corev1.ConfigMap](t)(handle.CreateOrUpdate(ctx, configMap("a", "l", "again")))
	if got.Data["l"] != "again" || len(got.Data) != 1 {
		t.Errorf("after it went: %v", got.Data)
	}
}

var zero = resource.MustParse("0")
