package generate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/generate"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/roundtrip"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/source"
	"github.com/kubesdk/kubesdk/kubetest"
)

var definitions = apischema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// TestBuiltIn runs the real command against a live cluster: all built-in APIs, within a minute and a gigabyte.
// What the server then holds goes through the types unchanged.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	w := &workspace{dir: t.TempDir()}
	writeModule(t, w.dir, "example.com/corpus")
	binary := filepath.Join(w.dir, "kubesdk.exe")
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	goCommand(t, root, "build", "-o", binary, ".")
	started := time.Now()
	cmd := exec.CommandContext(t.Context(), binary, "generate", "--kubeconfig", cluster.Kubeconfig, "--output", filepath.Join(w.dir, "apis"), "--strict",
		"--group", strings.Join(builtInGroups(), ",")) // other tests define kinds of their own meanwhile
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took, peak := time.Since(started), peakMemory(cmd.ProcessState)
	t.Logf("%.1fs, %d MiB: %s", took.Seconds(), peak>>20, lastLine(out))
	if took > time.Minute || peak > 1<<30 {
		t.Errorf("took %v and %d MiB, want less than 1m and 1024 MiB", took, peak>>20)
	}
	goCommand(t, w.dir, "vet", "./apis/...")
	dyn, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := w.startRunner(t)
	for _, kind := range []schema.Kind{
		{Version: "v1", Kind: "Namespace", Plural: "namespaces"},
		{Version: "v1", Kind: "Service", Plural: "services", Namespaced: true},
		{Version: "v1", Kind: "ConfigMap", Plural: "configmaps", Namespaced: true},
		{Version: "v1", Kind: "ServiceAccount", Plural: "serviceaccounts", Namespaced: true},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole", Plural: "clusterroles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding", Plural: "rolebindings", Namespaced: true},
		{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Kind: "FlowSchema", Plural: "flowschemas"},
		{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService", Plural: "apiservices"},
		{Group: "scheduling.k8s.io", Version: "v1", Kind: "PriorityClass", Plural: "priorityclasses"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "ServiceCIDR", Plural: "servicecidrs"},
	} {
		kind.Schema = &schema.Props{}
		list, err := dyn.Resource(resourceOf(&kind)).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) == 0 {
			t.Errorf("%s: %d objects to try, %v", &kind, len(list.Items), err)
			continue
		}
		for _, object := range list.Items {
			if problem := r.check(t, &kind, object.Object); problem != "" {
				t.Errorf("%s %s: %s", &kind, object.GetName(), problem)
				break
			}
		}
	}
}

// builtInGroups returns the API groups of Kubernetes itself.
func builtInGroups() []string {
	out := []string{"core", "apiextensions.k8s.io", "apiregistration.k8s.io"}
	for _, gv := range scheme.Scheme.PrioritizedVersionsAllGroups() {
		if gv.Group != "" {
			out = append(out, gv.Group)
		}
	}
	return out
}

func resourceOf(k *schema.Kind) apischema.GroupVersionResource {
	return apischema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Plural}
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// sampleSize is how many public definitions the live test installs.
const sampleSize = 15

// TestLive installs definitions on a real API server. What is generated from the server equals what is
// generated from the files, and the server's strict field validation takes what the types write.
func TestLive(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	dyn, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"testdata/crds/scalars.yaml"}
	files = append(files, sample(t)...)
	w := &workspace{dir: t.TempDir(), set: &schema.Set{}}
	var groups, versions []string
	for _, path := range files {
		set, err := source.CRDs([]string{path}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := install(t, dyn, path); err != nil {
			t.Logf("%s: the server does not take this definition: %v", filepath.Base(path), err)
			continue
		}
		w.set.Merge(set)
	}
	for i := range w.set.Kinds {
		groups = append(groups, w.set.Kinds[i].Group)
		versions = append(versions, w.set.Kinds[i].Version)
	}
	opts := generate.Options{Output: filepath.Join(w.dir, "apis"), Module: "example.com/corpus/apis"}
	if _, err := generate.Run(t.Context(), w.set, opts, io.Discard); err != nil {
		t.Fatal(err)
	}
	live, err := source.Cluster(t.Context(), cluster.Config(), source.Selection{Groups: groups, Versions: versions}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	live.Kinds = slices.DeleteFunc(live.Kinds, func(k schema.Kind) bool { // other tests may have defined more
		return !slices.ContainsFunc(w.set.Kinds, func(o schema.Kind) bool { return o.String() == k.String() })
	})
	other := generate.Options{Output: filepath.Join(t.TempDir(), "apis"), Module: opts.Module}
	if _, err := generate.Run(t.Context(), live, other, io.Discard); err != nil {
		t.Fatal(err)
	}
	compareTrees(t, opts.Output, other.Output)

	writeModule(t, w.dir, "example.com/corpus")
	r := w.startRunner(t)
	namespace := kubetest.Namespace(t, cluster.Client)
	accepted := 0
	for i := range w.set.Kinds {
		if w.strictCreate(t, dyn, r, &w.set.Kinds[i], namespace) {
			accepted++
		}
	}
	t.Logf("the server took documents of %d of %d kinds", accepted, len(w.set.Kinds))
	if accepted == 0 || accepted < len(w.set.Kinds)/2 {
		t.Errorf("the server took documents of %d of %d kinds only", accepted, len(w.set.Kinds))
	}
}

// sample returns a fixed choice of public definitions, spread by a hash of their names.
func sample(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("KUBESDK_CORPUS")
	if dir == "" {
		dir = filepath.Join(moduleRoot, "../../../shared/corpus")
	}
	var paths []string
	err := filepath.WalkDir(filepath.Join(dir, "crds"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Logf("no corpus of public CRDs: only the definition of this package is tried; set KUBESDK_CORPUS")
		return nil
	}
	rank := func(path string) uint32 {
		rel, _ := filepath.Rel(dir, path)
		h := fnv.New32a()
		h.Write([]byte(filepath.ToSlash(rel)))
		return h.Sum32()
	}
	slices.SortFunc(paths, func(a, b string) int { return int(int64(rank(a)) - int64(rank(b))) })
	return paths[:min(sampleSize, len(paths))]
}

// install creates the definitions of a file, waits until their kinds are served, and deletes them in the end.
func install(t *testing.T, dyn dynamic.Interface, path string) error {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	crd := decodeYAML(t, data)
	unstructured.RemoveNestedField(crd.Object, "spec", "conversion") // no webhook is there
	api := dyn.Resource(definitions)
	if _, err := api.Create(t.Context(), crd, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := api.Delete(ctx, crd.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Logf("deleting %s: %v", crd.GetName(), err)
		}
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err := api.Get(t.Context(), crd.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(got.Object, "status", "conditions")
		for _, c := range conditions {
			if c, ok := c.(map[string]any); ok && c["type"] == "Established" && c["status"] == "True" {
				return nil
			}
		}
	}
	return errors.New("not established within 20s")
}

// attempts is how many random documents of a kind are tried: many schemas have rules that random documents
// break, and the server then refuses them for that, which is no fault of the types.
const attempts = 40

// strictCreate sends documents that the generated type has written, with strict field validation, until the
// server takes one, which must then come back unchanged through the type.
func (w *workspace) strictCreate(t *testing.T, dyn dynamic.Interface, r *runner, kind *schema.Kind, namespace string) bool {
	t.Helper()
	if !kind.Served {
		return true
	}
	api := dyn.Resource(resourceOf(kind))
	var target dynamic.ResourceInterface = api
	if kind.Namespaced {
		target = api.Namespace(namespace)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	last := error(nil)
	for i := range attempts {
		doc := roundtrip.Draw(rng, kind)
		doc["metadata"] = map[string]any{"name": fmt.Sprintf("drawn-%d", i)}
		written := r.send(t, kind, doc)
		created, err := target.Create(t.Context(), &unstructured.Unstructured{Object: decode(t, written.Doc)}, metav1.CreateOptions{FieldValidation: "Strict"})
		if err != nil {
			if apierrors.IsBadRequest(err) || strings.Contains(err.Error(), "unknown field") {
				t.Errorf("%s: the server does not know what the type wrote: %v", kind, err)
				return false
			}
			last = err
			continue
		}
		defer func() {
			if err := target.Delete(t.Context(), created.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Logf("deleting %s %s: %v", kind, created.GetName(), err)
			}
		}()
		if problem := r.check(t, kind, created.Object); problem != "" {
			t.Errorf("%s: as the server sent it: %s", kind, problem)
		}
		if diff := cmp.Diff(spec(decode(t, written.Doc)), spec(created.Object), ignoreDefaults); diff != "" {
			t.Errorf("%s: the server stored another spec (-sent +stored): %s", kind, diff)
		}
		return true
	}
	t.Logf("%s: every document was refused, the last because: %v", kind, last)
	return false
}

func spec(doc map[string]any) any { return doc["spec"] }

// ignoreDefaults ignores what the server has filled in.
var ignoreDefaults = cmp.FilterPath(func(p cmp.Path) bool {
	index, ok := p.Last().(cmp.MapIndex)
	if !ok {
		return false
	}
	sent, _ := index.Values()
	return !sent.IsValid()
}, cmp.Ignore())

func decodeYAML(t *testing.T, data []byte) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: decode(t, raw)}
}

// peakMemory returns the largest resident size of an ended process in bytes, where the system tells.
func peakMemory(state *os.ProcessState) int64 {
	raw, err := json.Marshal(state.SysUsage())
	if err != nil || runtime.GOOS != "linux" {
		return 0
	}
	var usage struct{ Maxrss int64 }
	if err := json.Unmarshal(raw, &usage); err != nil {
		return 0
	}
	return usage.Maxrss << 10
}
