package typeinfo_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/internal/typeinfo"
	"github.com/kubesdk/kubesdk/kubetest"
)

type named struct{ metav1.TypeMeta }

func (*named) KubeType() (schema.GroupVersionKind, string, bool) {
	return schema.GroupVersionKind{Group: "g.test", Version: "v1", Kind: "Named"}, "nameds", true
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  reflect.Type
		want typeinfo.Info
		ok   bool
	}{
		{reflect.TypeFor[*appsv1.Deployment](), typeinfo.Info{Kind: appsv1.SchemeGroupVersion.WithKind("Deployment"), Plural: "deployments", Namespaced: true, Builtin: true}, true},
		{reflect.TypeFor[*corev1.Endpoints](), typeinfo.Info{Kind: corev1.SchemeGroupVersion.WithKind("Endpoints"), Plural: "endpoints", Namespaced: true, Builtin: true}, true}, //nolint:staticcheck // it is deprecated, and served
		{reflect.TypeFor[*corev1.Node](), typeinfo.Info{Kind: corev1.SchemeGroupVersion.WithKind("Node"), Plural: "nodes", Builtin: true}, true},
		{reflect.TypeFor[*named](), typeinfo.Info{Kind: schema.GroupVersionKind{Group: "g.test", Version: "v1", Kind: "Named"}, Plural: "nameds", Namespaced: true}, true},
		{reflect.TypeFor[corev1.Node](), typeinfo.Info{}, false},
		{reflect.TypeFor[*corev1.PodSpec](), typeinfo.Info{}, false},
		{reflect.TypeFor[*int](), typeinfo.Info{}, false},
	} {
		got, ok := typeinfo.Of(tt.typ)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
			t.Errorf("%s: %v, %s", tt.typ, ok, diff)
		}
	}
}

// The table is what the generator makes of k8s.io/api as it is required now.
func TestTableIsUpToDate(t *testing.T) {
	t.Parallel()
	fresh := filepath.Join(t.TempDir(), "builtin.go")
	if out, err := exec.CommandContext(t.Context(), "go", "run", "./gen", "-output", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("builtin.go")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go generate ./internal/typeinfo: %s", diff)
	}
}

// What the table says of plural and scope is what a server says that serves all its APIs.
func TestTableAgainstServer(t *testing.T) {
	t.Parallel()
	cluster := kubetest.StartNamed(t, "kubetest-all-apis", "--api-server-arg=runtime-config=api/all=true", "--api-server-arg=feature-gates=AllAlpha=true,AllBeta=true")
	client, err := rest.HTTPClientFor(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	get := func(path string, into any) {
		t.Helper()
		res, err := client.Get(cluster.Config().Host + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var groups metav1.APIGroupList
	get("/apis", &groups)
	paths := []string{"/api/v1"}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			paths = append(paths, "/apis/"+v.GroupVersion)
		}
	}
	checked := 0
	for _, path := range paths {
		var list metav1.APIResourceList
		get(path, &list)
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if filepath.Base(r.Name) != r.Name { // a subresource
				continue
			}
			info, ok := typeinfo.ByKind(gv.WithKind(r.Kind))
			if !ok {
				t.Errorf("the table has no %s (%s)", gv.WithKind(r.Kind), r.Name)
				continue
			}
			checked++
			if info.Plural != r.Name || info.Namespaced != r.Namespaced {
				t.Errorf("%s is %s, namespaced %v; the table says %s, %v", gv.WithKind(r.Kind), r.Name, r.Namespaced, info.Plural, info.Namespaced)
			}
		}
	}
	t.Logf("%d kinds of %d versions are as the table says", checked, len(paths))
	if checked < 80 {
		t.Errorf("only %d kinds were compared", checked)
	}
}
