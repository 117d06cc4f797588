package patch_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/patch/apply"
	"github.com/kubesdk/kubesdk/patch/internal/randobj"
)

var (
	strategic = types.StrategicMergePatchType
	merge     = types.MergePatchType
	jsonPatch = types.JSONPatchType
)

// trip makes two random objects of type T and holds that apply(diff(a, b), a) is b in every kind of patch that can say it.
func trip[T any](t *testing.T, kinds []types.PatchType, seed uint64, edits int, loose bool) (unsaid int) {
	t.Helper()
	m := randobj.New(seed)
	m.Loose, m.Nulls = loose, loose
	a, b := new(T), new(T)
	m.Fill(a)
	if edits == 0 {
		m.Fill(b)
	} else {
		copyInto(t, b, a)
		m.Change(b, edits)
	}
	a, b = normal(t, a), normal(t, b)
	before := marshal(t, a) + marshal(t, b)
	for _, kind := range append(kinds, "") {
		for _, opts := range [][]patch.Option{{patch.As(kind)}, {patch.As(kind), patch.Unguarded()}} {
			p, err := patch.Diff(a, b, opts...)
			if errors.Is(err, patch.ErrNotExpressible) && kind != jsonPatch && kind != "" {
				unsaid++
				continue
			}
			if err != nil {
				t.Fatalf("seed %d, %q: %v\n%s\n%s", seed, kind, err, marshal(t, a), marshal(t, b))
			}
			check(t, seed, a, b, p)
		}
	}
	if marshal(t, a)+marshal(t, b) != before {
		t.Fatalf("seed %d: the objects were changed", seed)
	}
	return unsaid
}

func check[T any](t *testing.T, seed uint64, a, b *T, p patch.Patch) {
	t.Helper()
	got, err := apply.To(a, p)
	if err != nil {
		t.Fatalf("seed %d: apply %s: %v\na: %s\nb: %s", seed, p, err, marshal(t, a), marshal(t, b))
	}
	if got = normal(t, got); !equality.Semantic.DeepEqual(got, b) {
		t.Fatalf("seed %d: %s %s\na: %s\nb: %s\n-want +got: %s", seed, p.Type(), p, marshal(t, a), marshal(t, b), cmp.Diff(generic(t, b), generic(t, got)))
	}
	if same := marshal(t, a) == marshal(t, b); same && !patch.Empty(p) {
		t.Fatalf("seed %d: objects alike differ by %s\na: %s", seed, p, marshal(t, a))
	}
	if patch.Empty(p) && !equality.Semantic.DeepEqual(a, b) {
		t.Fatalf("seed %d: an empty patch between unequal objects", seed)
	}
}

// normal is obj as it would come from a server: decoded from its JSON, with raw JSON spelled in one way.
func normal[T any](t *testing.T, obj *T) *T {
	t.Helper()
	data, err := json.Marshal(generic(t, obj))
	if err != nil {
		t.Fatal(err)
	}
	made := new(T)
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, made); err != nil {
		t.Fatal(err)
	}
	return made
}

func generic(t *testing.T, obj any) any {
	t.Helper()
	var v any
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(marshal(t, obj)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func marshal(t *testing.T, obj any) string {
	t.Helper()
	data, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func copyInto[T any](t *testing.T, to, from *T) {
	t.Helper()
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(marshal(t, from)), to); err != nil {
		t.Fatal(err)
	}
}

// trips are the types of the round trips.
var trips = []struct {
	name string
	trip func(t *testing.T, seed uint64, edits int, loose bool) int
}{
	{"Pod", builtIn[corev1.Pod]},
	{"Deployment", builtIn[appsv1.Deployment]},
	{"Service", builtIn[corev1.Service]},
	{"Ingress", builtIn[networkingv1.Ingress]},
	{"LimitRange", builtIn[corev1.LimitRange]},
	{"Node", builtIn[corev1.Node]},
	{"ConfigMap", builtIn[corev1.ConfigMap]},
	{"Secret", builtIn[corev1.Secret]},
	{"PodDisruptionBudget", builtIn[policyv1.PodDisruptionBudget]},
	{"Widget", custom[Widget]},
	{"JSON", document},
}

func builtIn[T any](t *testing.T, seed uint64, edits int, loose bool) int {
	return trip[T](t, []types.PatchType{strategic, merge, jsonPatch}, seed, edits, loose)
}

func custom[T any](t *testing.T, seed uint64, edits int, loose bool) int {
	return trip[T](t, []types.PatchType{strategic, merge, jsonPatch}, seed, edits, loose)
}

// document makes the round trip of arbitrary JSON, and of unstructured objects, which must come out exact.
func document(t *testing.T, seed uint64, edits int, loose bool) (unsaid int) {
	m := randobj.New(seed)
	m.Nulls = loose
	a := m.JSON()
	b := m.JSON()
	if edits > 0 {
		copyInto(t, &b, &a)
		m.Change(&b, edits)
	}
	for _, kind := range []types.PatchType{merge, jsonPatch, ""} {
		for _, opts := range [][]patch.Option{{patch.As(kind)}, {patch.As(kind), patch.Unguarded()}} {
			p, err := patch.Diff(a, b, opts...)
			if errors.Is(err, patch.ErrNotExpressible) && kind == merge {
				unsaid++
				continue
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			got, err := apply.To(a, p)
			if err != nil || !reflect.DeepEqual(generic(t, got), generic(t, b)) {
				t.Fatalf("seed %d: %s %s: %v\na: %s\nb: %s\n-want +got: %s", seed, kind, p, err, marshal(t, a), marshal(t, b), cmp.Diff(b, got))
			}
			checkUnstructured(t, a, b, opts)
		}
	}
	return unsaid
}

func checkUnstructured(t *testing.T, a, b any, opts []patch.Option) {
	t.Helper()
	old := &unstructured.Unstructured{Object: map[string]any{"spec": a}}
	wanted := &unstructured.Unstructured{Object: map[string]any{"spec": b}}
	p, err := patch.Diff(old, wanted, opts...)
	if errors.Is(err, patch.ErrNotExpressible) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := apply.To(old, p)
	if err != nil || !reflect.DeepEqual(generic(t, got.Object), generic(t, wanted.Object)) {
		t.Fatalf("%s: %v\na: %s\nb: %s\n-want +got: %s", p, err, marshal(t, a), marshal(t, b), cmp.Diff(wanted.Object, got.Object))
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	rounds := uint64(20)
	if testing.Short() {
		rounds = 5
	}
	for _, kind := range trips {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			unsaid := 0
			for seed := range rounds {
				unsaid += kind.trip(t, seed, 0, false)
				unsaid += kind.trip(t, seed, 1+int(seed%5), false)
				kind.trip(t, seed, 1+int(seed%5), true)
				kind.trip(t, seed, 0, true)
			}
			t.Logf("%d of about %d differences could not be said in the kind asked for", unsaid, rounds*2*6)
			if unsaid > int(rounds)*2 && kind.name != "Widget" {
				t.Errorf("too many")
			}
		})
	}
}

func FuzzRoundTrip(f *testing.F) {
	for i := range trips {
		f.Add(uint8(i), uint64(1), uint8(0), false)
		f.Add(uint8(i), uint64(2), uint8(3), true)
	}
	f.Fuzz(func(t *testing.T, kind uint8, seed uint64, edits uint8, loose bool) {
		trips[int(kind)%len(trips)].trip(t, seed, int(edits%8), loose)
	})
}
