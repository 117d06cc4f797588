package request_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/internal/request"
)

var (
	pods        = resource("", "v1", "pods", true)
	nodes       = resource("", "v1", "nodes", false)
	deployments = resource("apps", "v1", "deployments", true)
	crds        = resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", false)
	namespaces  = resource("", "v1", "namespaces", false)
)

func resource(group, version, plural string, namespaced bool) request.Resource {
	return request.Resource{
		GroupVersionResource: schema.GroupVersionResource{Group: group, Version: version, Resource: plural},
		Namespaced:           namespaced,
	}
}

func TestBuildAddress(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec   request.Spec
		method string
		path   string
	}{
		"get core": {
			request.Spec{Verb: request.Get, Resource: pods, Namespace: "default", Name: "web"},
			http.MethodGet, "/api/v1/namespaces/default/pods/web",
		},
		"get group": {
			request.Spec{Verb: request.Get, Resource: deployments, Namespace: "default", Name: "web"},
			http.MethodGet, "/apis/apps/v1/namespaces/default/deployments/web",
		},
		"get cluster-scoped": {
			request.Spec{Verb: request.Get, Resource: nodes, Name: "n1"},
			http.MethodGet, "/api/v1/nodes/n1",
		},
		"get a namespace": {
			request.Spec{Verb: request.Get, Resource: namespaces, Name: "default"},
			http.MethodGet, "/api/v1/namespaces/default",
		},
		"get a name with dots": {
			request.Spec{Verb: request.Get, Resource: crds, Name: "clusters.postgresql.cnpg.io"},
			http.MethodGet, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/clusters.postgresql.cnpg.io",
		},
		"get a name with a colon": {
			request.Spec{Verb: request.Get, Resource: resource("rbac.authorization.k8s.io", "v1", "clusterroles", false), Name: "system:node"},
			http.MethodGet, "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
		},
		"get a name with a space": {
			request.Spec{Verb: request.Get, Resource: nodes, Name: "a b"},
			http.MethodGet, "/api/v1/nodes/a%20b",
		},
		"list": {
			request.Spec{Verb: request.List, Resource: pods, Namespace: "default"},
			http.MethodGet, "/api/v1/namespaces/default/pods",
		},
		"list of all namespaces": {
			request.Spec{Verb: request.List, Resource: pods},
			http.MethodGet, "/api/v1/pods",
		},
		"watch of all namespaces": {
			request.Spec{Verb: request.Watch, Resource: pods},
			http.MethodGet, "/api/v1/pods",
		},
		"create": {
			request.Spec{Verb: request.Create, Resource: pods, Namespace: "default"},
			http.MethodPost, "/api/v1/namespaces/default/pods",
		},
		"create of a subresource": {
			request.Spec{Verb: request.Create, Resource: pods, Namespace: "default", Name: "web", Subresource: "eviction"},
			http.MethodPost, "/api/v1/namespaces/default/pods/web/eviction",
		},
		"update of a status": {
			request.Spec{Verb: request.Update, Resource: deployments, Namespace: "default", Name: "web", Subresource: "status"},
			http.MethodPut, "/apis/apps/v1/namespaces/default/deployments/web/status",
		},
		"patch": {
			request.Spec{Verb: request.Patch, Resource: deployments, Namespace: "default", Name: "web"},
			http.MethodPatch, "/apis/apps/v1/namespaces/default/deployments/web",
		},
		"delete": {
			request.Spec{Verb: request.Delete, Resource: nodes, Name: "n1"},
			http.MethodDelete, "/api/v1/nodes/n1",
		},
		"delete of a collection": {
			request.Spec{Verb: request.DeleteCollection, Resource: pods, Namespace: "default"},
			http.MethodDelete, "/api/v1/namespaces/default/pods",
		},
		"delete of a cluster-scoped collection": {
			request.Spec{Verb: request.DeleteCollection, Resource: nodes},
			http.MethodDelete, "/api/v1/nodes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := request.Build(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if r.Method != tt.method || r.Path != tt.path {
				t.Errorf("got %s %s, want %s %s", r.Method, r.Path, tt.method, tt.path)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec request.Spec
		says []string
	}{
		"a namespace on a cluster-scoped resource": {
			request.Spec{Verb: request.Get, Resource: nodes, Namespace: "default", Name: "n1"},
			[]string{"nodes", "cluster-scoped", `"default"`, "leave it out"},
		},
		"no namespace": {
			request.Spec{Verb: request.Get, Resource: pods, Name: "web"},
			[]string{"pods", "namespaced", ".Namespace("},
		},
		"no namespace to delete all of": {
			request.Spec{Verb: request.DeleteCollection, Resource: pods},
			[]string{"pods", "namespaced"},
		},
		"no name":                      {request.Spec{Verb: request.Get, Resource: pods, Namespace: "a"}, []string{"name is empty", "get of pods"}},
		"no name to delete":            {request.Spec{Verb: request.Delete, Resource: nodes}, []string{"name is empty", "delete of nodes"}},
		"no name to replace":           {request.Spec{Verb: request.Update, Resource: nodes}, []string{"name is empty", "update of nodes"}},
		"no name to patch":             {request.Spec{Verb: request.Patch, Resource: nodes}, []string{"name is empty", "patch of nodes"}},
		"no name for a subresource":    {request.Spec{Verb: request.Create, Resource: nodes, Subresource: "status"}, []string{"name is empty"}},
		"a name with a slash":          {request.Spec{Verb: request.Get, Resource: nodes, Name: "a/b"}, []string{`name "a/b"`, "'/'"}},
		"a name with a percent":        {request.Spec{Verb: request.Get, Resource: nodes, Name: "a%2fb"}, []string{`name "a%2fb"`, "'%'"}},
		"the name dot":                 {request.Spec{Verb: request.Get, Resource: nodes, Name: "."}, []string{`name "."`}},
		"the name dot dot":             {request.Spec{Verb: request.Delete, Resource: nodes, Name: ".."}, []string{`name ".."`}},
		"a namespace that climbs":      {request.Spec{Verb: request.Get, Resource: pods, Namespace: "../..", Name: "a"}, []string{`namespace "../.."`}},
		"a namespace that is dot dot":  {request.Spec{Verb: request.List, Resource: pods, Namespace: ".."}, []string{`namespace ".."`}},
		"a namespace on a namespace":   {request.Spec{Verb: request.Get, Resource: namespaces, Namespace: "a", Name: "a"}, []string{"cluster-scoped"}},
		"a namespace to list nodes in": {request.Spec{Verb: request.List, Resource: nodes, Namespace: "a"}, []string{"cluster-scoped"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := request.Build(tt.spec)
			if err == nil {
				t.Fatalf("built %s %s", r.Method, r.Path)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// Sending twice must be harmless for what is replayed, and nothing else may be.
func TestReplayable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spec request.Spec
		want bool
	}{
		"get":                        {request.Spec{Verb: request.Get}, true},
		"list":                       {request.Spec{Verb: request.List}, true},
		"watch":                      {request.Spec{Verb: request.Watch}, true},
		"create":                     {request.Spec{Verb: request.Create}, false},
		"create, guarded or not":     {request.Spec{Verb: request.Create, Guarded: true}, false},
		"update":                     {request.Spec{Verb: request.Update}, false},
		"update with a version":      {request.Spec{Verb: request.Update, Guarded: true}, true},
		"delete":                     {request.Spec{Verb: request.Delete}, false},
		"delete with a UID":          {request.Spec{Verb: request.Delete, Guarded: true}, true},
		"delete of a collection":     {request.Spec{Verb: request.DeleteCollection, Guarded: true}, false},
		"JSON patch":                 {request.Spec{Verb: request.Patch, ContentType: string(types.JSONPatchType)}, false},
		"merge patch":                {request.Spec{Verb: request.Patch, ContentType: string(types.MergePatchType)}, false},
		"strategic merge patch":      {request.Spec{Verb: request.Patch, ContentType: string(types.StrategicMergePatchType)}, false},
		"apply":                      {request.Spec{Verb: request.Patch, ContentType: string(types.ApplyYAMLPatchType)}, true},
		"deletecollection unguarded": {request.Spec{Verb: request.DeleteCollection}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.spec.Resource, tt.spec.Name = nodes, "n1"
			if tt.spec.Verb == request.List || tt.spec.Verb == request.Watch || tt.spec.Verb == request.DeleteCollection {
				tt.spec.Name = ""
			}
			r, err := request.Build(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if r.Replayable != tt.want {
				t.Errorf("replayable is %v, want %v", r.Replayable, tt.want)
			}
		})
	}
}

func TestBuildCarries(t *testing.T) {
	t.Parallel()
	got, err := request.Build(request.Spec{
		Verb: request.Update, Resource: nodes, Name: "n1", Query: url.Values{"fieldManager": {"a b&c"}, "dryRun": {"All"}},
		Accept: "application/json", ContentType: "application/yaml", Body: []byte("{}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &request.Request{
		Verb: request.Update, Method: http.MethodPut, Path: "/api/v1/nodes/n1", RawQuery: "dryRun=All&fieldManager=a+b%26c",
		Accept: "application/json", ContentType: "application/yaml", Body: []byte("{}"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzBuild: whatever the names are, a request that is built addresses exactly them, and nothing above or beside.
func FuzzBuild(f *testing.F) {
	f.Add("default", "web", "status", true)
	f.Add("", "..", "", false)
	f.Add("a/b", "%2e%2e", "log", true)
	f.Add("ü", "a b?x=y#z", "", true)
	f.Fuzz(func(t *testing.T, namespace, name, subresource string, namespaced bool) {
		if strings.ContainsAny(subresource, "/%") || subresource == "." || subresource == ".." {
			t.Skip("subresources are names in programs, not input")
		}
		r, err := request.Build(request.Spec{
			Verb: request.Get, Resource: resource("g", "v1", "things", namespaced), Namespace: namespace, Name: name, Subresource: subresource,
		})
		if err != nil {
			return
		}
		u, err := url.Parse("https://server/prefix" + r.Path)
		if err != nil {
			t.Fatalf("%q is no path: %v", r.Path, err)
		}
		if u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q has a query or a fragment", r.Path)
		}
		want := "/prefix/apis/g/v1"
		if namespaced {
			want += "/namespaces/" + namespace
		}
		want += "/things/" + name
		if subresource != "" {
			want += "/" + subresource
		}
		if u.Path != want {
			t.Errorf("path is %q, want %q", u.Path, want)
		}
		if clean := u.JoinPath().Path; clean != want {
			t.Errorf("a proxy that cleans the path would see %q, want %q", clean, want)
		}
	})
}
