package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/devserver/deploy"
	"github.com/kubesdk/kubesdk/devserver/internal/devtest"
	"github.com/kubesdk/kubesdk/devserver/operator"
	"github.com/kubesdk/kubesdk/kubetest"
)

// TestGeneratedFilesAreCurrent makes the generated files again and compares. `make generate` mends what it finds.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tool(t, "..", "tool", "controller-gen", "object", "crd", "paths=./api/v1", "output:crd:dir="+dir, "output:object:dir="+dir)
	tool(t, "..", "tool", "controller-gen", "rbac:roleName=devserver-operator", "paths=./operator/...", "output:rbac:dir="+dir)
	same(t, "../api/v1/zz_generated.deepcopy.go", filepath.Join(dir, "zz_generated.deepcopy.go"))
	same(t, "chart/files/role.yaml", filepath.Join(dir, "role.yaml"))
	crds, err := filepath.Glob("crds/*.yaml")
	if err != nil || len(crds) != 3 {
		t.Fatalf("%d definitions, %v", len(crds), err)
	}
	for _, crd := range crds {
		same(t, crd, filepath.Join(dir, filepath.Base(crd)))
	}
	manifest := filepath.Join(dir, "devserver.yaml")
	render(t, "-o", manifest, "-header", "Made from the chart by go generate: do not edit.")
	same(t, "devserver.yaml", manifest)
}

func same(t *testing.T, is, want string) {
	t.Helper()
	have, err := os.ReadFile(is)
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, made) {
		t.Errorf("%s is out of date, run make generate:\n%s", is, cmp.Diff(string(have), string(made)))
	}
}

func tool(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	out, err := run(t, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run runs the go command.
func run(t *testing.T, dir string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // the first time it compiles what it runs
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	if dir == "render" {
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=") // a module that no workspace has
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %q: %w\n%s%s", args, err, out, stderr.String())
	}
	return out, nil
}

// render runs Helm's engine, which is in a module of its own.
func render(t *testing.T, args ...string) []byte {
	t.Helper()
	return tool(t, "render", append([]string{"run", "."}, args...)...)
}

// TestChart has the API server judge what the chart renders to, with values of all sorts.
func TestChart(t *testing.T) {
	t.Parallel()
	c := devtest.Start(t).Client
	tests := map[string]struct {
		values string
		check  func(t *testing.T, objects map[string]*unstructured.Unstructured)
	}{
		"none": {"{}", func(t *testing.T, objects map[string]*unstructured.Unstructured) {
			for _, kind := range []string{
				"ServiceAccount", "ConfigMap", "Deployment", "Service", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "CustomResourceDefinition",
			} {
				if objects[kind] == nil {
					t.Errorf("there is no %s", kind)
				}
			}
			if objects["Namespace"] != nil {
				t.Error("there is a Namespace, which Helm would own")
			}
			if s := settings(t, objects); s.StaticDependenciesImage != "kubesdk/devserver:0.1.0" {
				t.Errorf("the agent comes from %q", s.StaticDependenciesImage)
			}
		}},
		"all": {`
image: {repository: registry.test/devserver, tag: "2", pullPolicy: Always}
imagePullSecrets: [{name: pull}]
replicas: 2
settings: {defaultDevserverImage: "debian:13", defaultPersistentHomeSize: 20Gi, defaultTimeToLive: 8h, workerLimit: 4}
additionalRoles: false
crds: {install: false}
resources: {requests: {cpu: 1, memory: 1Gi}}
metrics: {service: false}
podAnnotations: {a: b}
podLabels: {c: d}
nodeSelector: {pool: system}
tolerations: [{key: pool, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: x, operator: Exists}]}]}}}
priorityClassName: system-cluster-critical
`, func(t *testing.T, objects map[string]*unstructured.Unstructured) {
			for _, kind := range []string{"Service", "CustomResourceDefinition"} {
				if objects[kind] != nil {
					t.Errorf("there is a %s", kind)
				}
			}
			var role rbacv1.ClusterRole
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects["ClusterRole devserver-operator"].Object, &role); err != nil {
				t.Fatal(err)
			}
			for _, rule := range role.Rules {
				if slices.Contains(rule.Verbs, "bind") && len(rule.ResourceNames) == 0 {
					t.Errorf("the operator may bind any role: %+v", rule)
				}
			}
			s := settings(t, objects)
			if s.StaticDependenciesImage != "registry.test/devserver:2" || s.DefaultDevserverImage != "debian:13" || s.DefaultTimeToLive != 8*time.Hour || s.WorkerLimit != 4 {
				t.Errorf("the settings are %+v", s)
			}
			var d appsv1.Deployment
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects["Deployment"].Object, &d); err != nil {
				t.Fatal(err)
			}
			spec := d.Spec.Template.Spec
			if *d.Spec.Replicas != 2 || spec.NodeSelector["pool"] != "system" || len(spec.Tolerations) != 1 || spec.Affinity == nil ||
				spec.PriorityClassName == "" || len(spec.ImagePullSecrets) != 1 || d.Spec.Template.Labels["c"] != "d" || d.Spec.Template.Annotations["a"] != "b" {
				t.Errorf("the deployment is %+v", d.Spec)
			}
			if spec.Containers[0].Image != "registry.test/devserver:2" || spec.Containers[0].ImagePullPolicy != corev1.PullAlways {
				t.Errorf("the container is %+v", spec.Containers[0])
			}
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := kubetest.Namespace(t, c)
			values := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(values, []byte(tc.values), 0o600); err != nil {
				t.Fatal(err)
			}
			parsed, err := deploy.Parse(render(t, "-namespace", ns, "-values", values))
			if err != nil {
				t.Fatal(err)
			}
			objects := map[string]*unstructured.Unstructured{}
			for _, obj := range parsed {
				objects[obj.GetKind()], objects[obj.GetKind()+" "+obj.GetName()] = obj, obj
				accepted(t, c, obj)
			}
			tc.check(t, objects)
		})
	}
}

// TestChartRefuses has values that Helm must refuse, and words that it must say.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"setings: {workerLimit: 4}":      "setings",
		"replicas: many":                 "replicas",
		"image: {pullPolicy: Sometimes}": "pullPolicy",
	} {
		path := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(path, []byte(values), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := run(t, "render", "run", ".", "-values", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// settings is what the operator would read.
func settings(t *testing.T, objects map[string]*unstructured.Unstructured) operator.Settings {
	t.Helper()
	text, _, err := unstructured.NestedString(objects["ConfigMap"].Object, "data", "settings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := operator.DefaultSettings()
	if err := s.Load(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// accepted has the API server check an object strictly, and keep nothing.
func accepted(t *testing.T, c *kubesdk.Client, obj *unstructured.Unstructured) {
	t.Helper()
	handle := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: obj.GroupVersionKind()}))
	if ns := obj.GetNamespace(); ns != "" {
		handle = handle.Namespace(ns)
	}
	_, err := handle.Apply(t.Context(), obj, kubesdk.FieldManager("chart-test"), kubesdk.Force(), kubesdk.DryRun(), kubesdk.FieldValidation("Strict"))
	if err != nil {
		t.Errorf("%s %s: %v", obj.GetKind(), obj.GetName(), err)
	}
}

// TestManifestIsOnlyWhatItSays holds what an administrator reviews before they apply it.
func TestManifestIsOnlyWhatItSays(t *testing.T) {
	t.Parallel()
	objects, err := deploy.Parse(deploy.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, obj := range objects {
		got = append(got, obj.GetKind()+" "+obj.GetName())
	}
	slices.Sort(got)
	want := []string{
		"ClusterRole devserver-flavor-reader", "ClusterRole devserver-operator", "ClusterRoleBinding devserver-operator",
		"ConfigMap devserver-operator",
		"CustomResourceDefinition devserverflavors.devserver.io", "CustomResourceDefinition devservers.devserver.io", "CustomResourceDefinition devserverusers.devserver.io",
		"Deployment devserver-operator", "Namespace devserver-system",
		"Role devserver-operator", "RoleBinding devserver-operator",
		"Service devserver-operator-metrics", "ServiceAccount devserver-operator",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the manifest (-want +got):\n%s", diff)
	}
}
