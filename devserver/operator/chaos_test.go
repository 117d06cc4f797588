package operator_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/kubetest"
)

const (
	chaosServers = 50
	chaosKills   = 7
	chaosPeace   = 3 * time.Second // between a start and a kill
)

// chaos is a namespace with servers that change all the time, and what they should be in the end.
type chaos struct {
	t         *testing.T
	c         *kubetest.Cluster
	namespace string
	flavors   []string
	servers   kubesdk.Resource[*v1.DevServer]
	claims    map[string]types.UID // of users

	mu     sync.Mutex
	wanted map[string]*v1.DevServerSpec // nil: deleted
}

// TestChaos creates, changes, stops, resumes and deletes servers, while the operator is killed every few seconds and
// children are deleted behind its back. In the end everything is as the specs say, and nothing else is there.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := simulated(t, 3)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	x := newChaos(t, c)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i := range 4 { // each has servers of its own to work on
		wg.Go(func() { x.users(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	wg.Go(func() { x.vandals(ctx, rand.New(rand.NewPCG(seed, 100))) })
	for range chaosKills {
		p := launch(t, c, "--leader-election=false")
		time.Sleep(chaosPeace)
		p.kill()
	}
	cancel()
	wg.Wait()
	p := launch(t, c, "--leader-election=false")
	defer p.stop()
	start := time.Now()
	eventually(t, x.wrong)
	t.Logf("as it should be after %v", time.Since(start).Round(time.Millisecond))
}

func newChaos(t *testing.T, c *kubetest.Cluster) *chaos {
	x := &chaos{t: t, c: c, namespace: kubetest.Namespace(t, c.Client), claims: map[string]types.UID{}, wanted: map[string]*v1.DevServerSpec{}}
	x.servers = kubesdk.For[*v1.DevServer](c.Client).Namespace(x.namespace)
	flavors := kubesdk.For[*v1.DevServerFlavor](c.Client)
	for range 2 {
		f, err := flavors.Create(t.Context(), &v1.DevServerFlavor{ObjectMeta: metav1.ObjectMeta{GenerateName: "chaos-"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flavors.Delete(context.Background(), f.Name) }) // a name of its own
		x.flavors = append(x.flavors, f.Name)
	}
	for i := range 3 {
		name := fmt.Sprintf("users-%d", i)
		claim, err := kubesdk.For[*corev1.PersistentVolumeClaim](c.Client).Namespace(x.namespace).Create(t.Context(), &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		x.claims[name] = claim.UID
	}
	return x
}

// spec is a random one.
func (x *chaos) spec(r *rand.Rand) *v1.DevServerSpec {
	s := &v1.DevServerSpec{Flavor: x.flavors[r.IntN(len(x.flavors))], Image: fmt.Sprintf("image:%d", r.IntN(3)), Running: new(r.IntN(4) > 0)}
	if r.IntN(2) == 0 {
		s.PersistentHome = &v1.PersistentHomeSpec{Enabled: true, Retain: r.IntN(3) == 0}
	}
	if r.IntN(3) == 0 {
		s.Volumes = []v1.VolumeSpec{{ClaimName: fmt.Sprintf("users-%d", r.IntN(len(x.claims))), MountPath: "/data"}}
	}
	if r.IntN(4) == 0 {
		s.Mode, s.Distributed = v1.ModeDistributed, &v1.DistributedSpec{WorldSize: 1 + r.Int32N(3)}
	}
	return s
}

// users change servers until the time is over. What was last done is what is wanted.
func (x *chaos) users(ctx context.Context, group int, r *rand.Rand) {
	for i := 0; ctx.Err() == nil; i++ {
		number := i
		if i >= chaosServers/4 {
			number = r.IntN(chaosServers / 4)
		}
		name := fmt.Sprintf("server-%d-%d", group, number)
		x.mu.Lock()
		now := x.wanted[name]
		x.mu.Unlock()
		next := x.spec(r)
		var err error
		background := context.WithoutCancel(ctx) // so that what was done is known
		switch {
		case now == nil:
			_, err = x.servers.Create(background, &v1.DevServer{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *next})
		case r.IntN(4) == 0:
			err, next = x.servers.Delete(background, name), nil
		default:
			_, err = x.servers.Mutate(background, name, func(s *v1.DevServer) error { s.Spec = *next; return nil })
		}
		if err != nil {
			x.t.Errorf("%s: %v", name, err)
			return
		}
		x.mu.Lock()
		x.wanted[name] = next
		x.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

// vandals delete and change children until the time is over.
func (x *chaos) vandals(ctx context.Context, r *rand.Rand) {
	sets := kubesdk.For[*appsv1.StatefulSet](x.c.Client).Namespace(x.namespace)
	pods := kubesdk.For[*corev1.Pod](x.c.Client).Namespace(x.namespace)
	services := kubesdk.For[*corev1.Service](x.c.Client).Namespace(x.namespace)
	for ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		list, err := sets.List(ctx)
		if err != nil || len(list.Items) == 0 {
			continue
		}
		name := list.Items[r.IntN(len(list.Items))].Name
		switch r.IntN(5) {
		case 0:
			err = sets.Delete(ctx, name)
		case 1:
			err = pods.Delete(ctx, name+"-0")
		case 2:
			err = services.Delete(ctx, name+"-workers")
		case 3:
			_, err = sets.Scale(ctx, name, r.Int32N(5))
		case 4:
			_, err = sets.Mutate(ctx, name, func(s *appsv1.StatefulSet) error {
				s.Spec.Template.Spec.Containers[0].Image, s.Labels[v1.LabelServer] = "vandal:1", "nobody"
				return nil
			})
		}
		_ = err // it may be gone already
	}
}

// wrong is what is not as it should be.
func (x *chaos) wrong() string {
	ctx := x.t.Context()
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	servers, err := x.servers.List(ctx)
	sets, err2 := kubesdk.For[*appsv1.StatefulSet](x.c.Client).Namespace(x.namespace).List(ctx)
	pods, err3 := kubesdk.For[*corev1.Pod](x.c.Client).Namespace(x.namespace).List(ctx)
	services, err4 := kubesdk.For[*corev1.Service](x.c.Client).Namespace(x.namespace).List(ctx)
	claims, err5 := kubesdk.For[*corev1.PersistentVolumeClaim](x.c.Client).Namespace(x.namespace).List(ctx)
	for _, err := range []error{err, err2, err3, err4, err5} {
		if err != nil {
			return err.Error()
		}
	}
	there := map[string]*v1.DevServer{}
	for _, s := range servers.Items {
		there[s.Name] = s
	}
	wantPods, wantSets, wantServices, wantClaims := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for name, spec := range x.wanted {
		s := there[name]
		if spec == nil || s == nil {
			if spec != nil || s != nil {
				complain("%s: wanted %v, is there: %v", name, spec != nil, s != nil)
			}
			continue
		}
		workers, phase := 1, v1.PhaseRunning
		if spec.Distributed != nil {
			workers = int(spec.Distributed.WorldSize)
			wantServices[name+"-workers"] = true
		}
		if !*spec.Running {
			workers, phase = 0, v1.PhaseStopped
		}
		if s.Status.Phase != phase || s.Status.ObservedGeneration != s.Generation {
			complain("%s is %s at generation %d (%s), want %s at %d", name, s.Status.Phase, s.Status.ObservedGeneration, s.Status.Message, phase, s.Generation)
		}
		wantSets[name] = true
		if spec.PersistentHome != nil {
			wantClaims[name+"-home"] = true
		}
		for i := range workers {
			wantPods[fmt.Sprintf("%s-%d", name, i)] = true
		}
	}
	for _, p := range pods.Items {
		server := p.Labels[v1.LabelServer]
		if spec := x.wanted[server]; spec != nil && p.Spec.Containers[0].Image != spec.Image {
			complain("pod %s has image %s, want %s", p.Name, p.Spec.Containers[0].Image, spec.Image)
		}
		if p.DeletionTimestamp != nil {
			complain("pod %s is ending", p.Name)
		}
	}
	differ(complain, "pods", names(pods.Items), wantPods)
	differ(complain, "StatefulSets", names(sets.Items), wantSets)
	differ(complain, "services", names(services.Items), wantServices)
	for _, claim := range claims.Items {
		if uid, ok := x.claims[claim.Name]; ok {
			if claim.UID != uid || claim.DeletionTimestamp != nil {
				complain("the user's claim %s is another one", claim.Name)
			}
			wantClaims[claim.Name] = true
			continue
		}
		// A home may be there without being asked for: retained, or of a server that had one before.
		server := strings.TrimSuffix(claim.Name, "-home")
		owned := len(claim.OwnerReferences) > 0
		if x.wanted[server] != nil && (!owned || claim.OwnerReferences[0].UID == uidOf(there[server])) || x.wanted[server] == nil && !owned {
			wantClaims[claim.Name] = true
		}
	}
	for name := range x.claims {
		wantClaims[name] = true
	}
	differ(complain, "claims", names(claims.Items), wantClaims)
	return strings.Join(wrong, "\n")
}

func uidOf(s *v1.DevServer) types.UID {
	if s == nil {
		return ""
	}
	return s.UID
}

func names[T kubesdk.Object](items []T) []string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.GetName()
	}
	slices.Sort(list)
	return list
}

func differ(complain func(format string, args ...any), what string, got []string, want map[string]bool) {
	for _, name := range got {
		if !want[name] {
			complain("%s: %s should not be there", what, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !slices.Contains(got, name) {
			complain("%s: %s is missing", what, name)
		}
	}
}
