package kubesdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/internal/faultproxy"
	"github.com/kubesdk/kubesdk/kubetest"
)

const (
	module   = "github.com/kubesdk/kubesdk"
	maxBytes = 17_000_000 // of a program with one Get, stripped; with client-go's clientset it is 25.8 MB
)

// A program that reads one Deployment is small, and sends one request: no discovery, nothing to find out who it is.
func TestSmallestProgram(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "oneget")
	goTool(t, "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./testdata/oneget")
	size := must[os.FileInfo](t)(os.Stat(binary)).Size()
	t.Logf("a program with one Get has %.1f MB", float64(size)/1e6)
	if size > maxBytes {
		t.Errorf("a program with one Get has %d bytes, more than %d", size, maxBytes)
	}

	cluster := kubetest.Start(t)
	ns := kubetest.Namespace(t, cluster.Client)
	must[*appsv1.Deployment](t)(kubesdk.For[*appsv1.Deployment](cluster.Client).Namespace(ns).Create(t.Context(), deployment(metav1.ObjectMeta{Name: "web"})))
	proxy := faultproxy.Start(t, cluster.Config())
	config := clientcmdapi.NewConfig()
	config.Clusters["proxy"] = &clientcmdapi.Cluster{Server: proxy.Config().Host, CertificateAuthorityData: proxy.Config().CAData}
	config.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy", Namespace: ns}
	config.CurrentContext = "proxy"
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "web")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+path)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "web\n" {
		t.Fatalf("%v: %s", err, out)
	}
	for i, r := range proxy.Requests(nil) {
		if i > 0 || r.URL.Path != "/apis/apps/v1/namespaces/"+ns+"/deployments/web" {
			t.Errorf("request %d is %s %s", i+1, r.Method, r.URL)
		}
	}
	if n := proxy.Count(nil); n != 1 {
		t.Errorf("%d requests were sent", n)
	}
}

// arrows are the dependencies that must not be, with everything that they bring along. "..." stands for all packages of
// the library.
var arrows = []struct{ from, to, why string }{
	{"...", module + "/devserver", "products stand on the library, not the other way round"},
	{"...", module + "/bench", "a measuring program is nobody's dependency"},
	{"...", module + "/cluster", "localkube links Kubernetes itself"},
	{"...", module + "/cmd", "programs are made of packages, not the other way round"},
	{"...", "sigs.k8s.io/controller-runtime", "a user of the library does not inherit what the operator needs"},
	{"...", "k8s.io/client-go/kubernetes", "the clientset links every API group into every program"},
	{"...", "k8s.io/client-go/informers", "so do its informers"},
	{".", "k8s.io/client-go/discovery", "a typed call needs no discovery, and the rest needs one request of it"},
	{".", module + "/kubetest", "what tests use does not get into programs"},
	{".", "testing", "what tests use does not get into programs"},
	{".", module + "/pod", "packages stand on the client, not the other way round"},
	{".", module + "/wait", "packages stand on the client, not the other way round"},
	{".", module + "/batch", "packages stand on the client, not the other way round"},
	{".", module + "/clusters", "packages stand on the client, not the other way round"},
	{".", module + "/customresource", "packages stand on the client, not the other way round"},
	{"./patch", module, "what a difference is does not depend on who sends it"},
	{"./fieldpath", module, "a path is about types alone"},
	{"./fieldpath", module + "/patch", "patches are made of paths, not the other way round"},
	{"./internal/request", module + "/internal/transport", "what to send is decided before how"},
	{"./internal/request", module + "/internal/codec", "a body is bytes to whoever addresses it"},
	{"./internal/transport", module + "/internal/codec", "what an answer means is for the caller"},
	{"./internal/transport", module + "/internal/typeinfo", "it knows requests, not types"},
	{"./internal/codec", module + "/internal/transport", "bytes and objects are the same however they travel"},
	{"./internal/codec", module + "/internal/request", "bytes and objects are the same whatever they answer"},
	{"./internal/typeinfo", "k8s.io/api", "the table is strings, so that a program links only the types it names"},
	{"./internal/faultproxy", module, "tests of the client's own insides use it"},
}

func TestArrows(t *testing.T) {
	t.Parallel()
	deps := map[string][]string{}
	for _, a := range arrows {
		if _, ok := deps[a.from]; !ok {
			pattern := a.from
			if pattern == "..." {
				pattern = "./..."
			}
			packages := strings.Fields(goTool(t, "list", pattern))
			packages = slices.DeleteFunc(packages, func(p string) bool { return p == module+"/internal/codec/codectest" }) // objects for tests, of every group
			deps[a.from] = strings.Fields(goTool(t, append([]string{"list", "-deps"}, packages...)...))
		}
		for _, dep := range deps[a.from] {
			own := a.to == module && dep != module // the module's root package, not what is in it
			if !own && (dep == a.to || strings.HasPrefix(dep, a.to+"/")) {
				t.Errorf("%s depends on %s: %s", a.from, dep, a.why)
			}
		}
	}
}

// The root's go.mod is inherited by every user: what its packages import is in the modules that the library is about, or a
// record in docs/decisions says why.
func TestDirectRequirements(t *testing.T) {
	t.Parallel()
	var records strings.Builder
	for _, path := range must[[]string](t)(filepath.Glob("docs/decisions/*.md")) {
		records.Write(must[[]byte](t)(os.ReadFile(path)))
	}
	allowed := func(path string) bool {
		return slices.Contains([]string{module, "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"}, path) ||
			strings.Contains(records.String(), "| `"+path+"` |")
	}
	type pkg struct {
		ImportPath                         string
		Imports, TestImports, XTestImports []string
		Module                             *struct {
			Path string
			Main bool
		}
	}
	owner, importers := map[string]string{}, map[string]string{}
	list := json.NewDecoder(strings.NewReader(goTool(t, "list", "-deps", "-test", "-json=ImportPath,Imports,TestImports,XTestImports,Module", "./...")))
	for {
		var p pkg
		err := list.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil {
			continue
		}
		owner[p.ImportPath] = p.Module.Path
		if p.Module.Path == module {
			for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				importers[imported] = p.ImportPath
			}
		}
	}
	needed := map[string]bool{}
	for imported, by := range importers {
		if path := owner[imported]; path != "" {
			needed[path] = true
			if !allowed(path) {
				t.Errorf("%s imports %s of module %s, which no record in docs/decisions names in its table", by, imported, path)
			}
		}
	}
	var file struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal([]byte(goTool(t, "mod", "edit", "-json")), &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		if !r.Indirect && !needed[r.Path] {
			t.Errorf("go.mod requires %s, but nothing imports it", r.Path)
		}
		if r.Indirect && needed[r.Path] {
			t.Errorf("go.mod calls %s indirect, but packages of this module import it: run go mod tidy", r.Path)
		}
	}
	t.Logf("direct requirements: %q", slices.Sorted(maps.Keys(needed)))
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
