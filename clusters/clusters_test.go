package clusters_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/clusters"
	"github.com/kubesdk/kubesdk/kubetest"
)

// offline makes a set of clients that are never used.
func offline(t *testing.T, names ...string) *clusters.Set {
	t.Helper()
	s := &clusters.Set{}
	for _, name := range names {
		c, err := kubesdk.New(&rest.Config{Host: "https://127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(name, c); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestSet(t *testing.T) {
	t.Parallel()
	s := offline(t, "b", "a", "c")
	defer s.Close()
	var names []string
	for name, c := range s.All() {
		if c == nil || c != s.Client(name) {
			t.Errorf("client of %s: %v", name, c)
		}
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"b", "a", "c"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if err := s.Add("a", s.Client("b")); err == nil {
		t.Error("a name was taken twice")
	}
	if s.Client("d") != nil {
		t.Error("a client of a cluster that is not there")
	}
}

func TestGatherKeepsApart(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	results, err := clusters.Gather(t.Context(), offline(t, "x", "y", "z"), func(_ context.Context, name string, c *kubesdk.Client) (string, error) {
		if name == "y" {
			return "", down
		}
		return name + "!", nil
	})
	want := []clusters.Result[string]{{Cluster: "x", Value: "x!"}, {Cluster: "y"}, {Cluster: "z", Value: "z!"}}
	if !errors.Is(results[1].Err, down) {
		t.Errorf("y failed with %v", results[1].Err)
	}
	results[1].Err = nil
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if !errors.Is(err, down) || err.Error() != "1 of 3 clusters failed: y: down" {
		t.Errorf("got error %v", err)
	}
}

func TestGatherOfNone(t *testing.T) {
	t.Parallel()
	results, err := clusters.Gather(t.Context(), &clusters.Set{}, func(context.Context, string, *kubesdk.Client) (int, error) { return 0, nil })
	if len(results) != 0 || err != nil {
		t.Errorf("got %v, %v", results, err)
	}
}

func TestGatherLimit(t *testing.T) {
	t.Parallel()
	s := offline(t, "a", "b", "c", "d", "e")
	synctest.Test(t, func(t *testing.T) {
		for limit, want := range map[int]int64{0: 5, 2: 2} {
			var running atomic.Int64
			results, err := clusters.Gather(t.Context(), s, func(context.Context, string, *kubesdk.Client) (int64, error) {
				running.Add(1)
				defer running.Add(-1)
				time.Sleep(time.Second)
				return running.Load(), nil
			}, clusters.Limit(limit))
			most := int64(0)
			for _, r := range results {
				most = max(most, r.Value)
			}
			if err != nil || most != want {
				t.Errorf("limit %d: %d were asked at the same time, want %d; %v", limit, most, want, err)
			}
		}
	})
}

func TestGatherCancelled(t *testing.T) {
	t.Parallel()
	s := offline(t, "a", "b", "c")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		results, err := clusters.Gather(ctx, s, func(ctx context.Context, name string, _ *kubesdk.Client) (string, error) {
			select {
			case <-time.After(time.Second):
				return name, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}, clusters.Limit(1))
		if results[0].Err != nil || results[1].Err == nil || results[2].Err == nil || results[2].Cluster != "c" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v, %v", results, err)
		}
	})
}

func TestRealClusters(t *testing.T) {
	t.Parallel()
	first, second := kubetest.Start(t), kubetest.StartNamed(t, "kubetest-second")
	path := merge(t, map[string]string{"production": first.Kubeconfig, "staging": second.Kubeconfig})

	set, err := clusters.LoginAll(t.Context(), kubesdk.Kubeconfig(path))
	if err == nil || set.Len() != 2 {
		t.Fatalf("a context without a cluster is told of (%v), and the %d others can be used", err, set.Len())
	}
	defer set.Close()
	if set, err := clusters.Login(t.Context(), []string{"staging", "production"}, kubesdk.Kubeconfig(path)); err != nil || set.Len() != 2 {
		t.Errorf("got %v, %v", set, err)
	}
	name := kubetest.Namespace(t, first.Client)
	results, err := clusters.Gather(t.Context(), set, func(ctx context.Context, _ string, c *kubesdk.Client) (*corev1.ConfigMap, error) {
		return kubesdk.For[*corev1.ConfigMap](c).Namespace(name).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "here"}})
	})
	if !errors.Is(err, kubesdk.ErrNotFound) || results[0].Value == nil || results[0].Value.Name != "here" || results[1].Err == nil {
		t.Errorf("the namespace is in one of the clusters only: got %+v, %v", results, err)
	}
}

// merge makes a kubeconfig of others, and adds a context that leads nowhere.
func merge(t *testing.T, files map[string]string) string {
	t.Helper()
	all := clientcmdapi.NewConfig()
	all.Contexts["broken"] = &clientcmdapi.Context{Cluster: "none", AuthInfo: "none"}
	for name, file := range files {
		one, err := clientcmd.LoadFromFile(file)
		if err != nil {
			t.Fatal(err)
		}
		current := one.Contexts[one.CurrentContext]
		all.Clusters[name], all.AuthInfos[name] = one.Clusters[current.Cluster], one.AuthInfos[current.AuthInfo]
		all.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*all, path); err != nil {
		t.Fatal(err)
	}
	return path
}
