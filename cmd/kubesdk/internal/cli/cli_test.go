package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/cli"
)

const widget = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {oneOf: [{type: string}, {type: array}]}}}}}}
`

// until returns the definition up to a line.
func until(line string) string {
	before, _, _ := strings.Cut(widget, line)
	return before
}

// result is what a run of the command left.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// entries returns the names in a folder; nil if it is not there.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "apis")
	args := []string{"generate", "--crd", "-", "--output", out, "--module-name", "example.com/apis"}
	dry := run(t, widget, append(args, "--dry-run")...)
	if dry.code != 0 || !strings.Contains(dry.stdout, "would create example.com/v1/widget_types.go") || entries(t, out) != nil {
		t.Fatalf("--dry-run: %+v, and left %v", dry, entries(t, out))
	}
	if check := run(t, widget, append(args, "--check")...); check.code != 1 || entries(t, out) != nil {
		t.Fatalf("--check of nothing: %+v", check)
	}
	first := run(t, widget, args...)
	if first.code != 0 || first.stdout != "" {
		t.Fatalf("%+v", first)
	}
	for _, want := range []string{"[1/1] example.com/v1: 1 kinds, 1 types", "warning: raw JSON: Widget.v1.example.com: .spec.b: the value may be string or array", "1 packages, 1 kinds"} {
		if !strings.Contains(first.stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, first.stderr)
		}
	}
	if check := run(t, widget, append(args, "--check")...); check.code != 0 || check.stdout != "" {
		t.Errorf("--check of what was just written: %+v", check)
	}
	changed := strings.Replace(widget, "a: {type: string}", "a: {type: boolean}", 1)
	if check := run(t, changed, append(args, "--check")...); check.code != 1 || !strings.Contains(check.stdout, "would change example.com/v1/widget_types.go") {
		t.Errorf("--check of a change: %+v", check)
	}
	if strict := run(t, widget, append(args, "--strict")...); strict.code != 1 || !strings.Contains(strict.stderr, "--strict: raw JSON at Widget.v1.example.com: .spec.b") {
		t.Errorf("--strict: %+v", strict)
	}
	if got := entries(t, filepath.Join(out, "example.com", "v1")); len(got) != 5 {
		t.Errorf("a group-version that failed lost its files: %v are left", got)
	}
	other := run(t, strings.ReplaceAll(widget, "example.com", "example.org"), args...)
	if other.code != 0 || !strings.Contains(other.stderr, "removed") || len(entries(t, filepath.Join(out, "example.com"))) != 0 {
		t.Errorf("stale packages stayed: %+v", other)
	}
}

// TestKeepsNames adds a kind that wants the names of another one's types.
func TestKeepsNames(t *testing.T) {
	t.Parallel()
	define := func(kind, port string) string {
		return strings.NewReplacer("Widget", kind, "widget", strings.ToLower(kind), "a: {type: string}",
			"port: {type: object, properties: {"+port+": {type: string}}}").Replace(widget)
	}
	out := filepath.Join(t.TempDir(), "apis")
	args := []string{"generate", "--crd", "-", "--output", out, "--module-name", "example.com/apis"}
	types := func() string {
		data, err := os.ReadFile(filepath.Join(out, "example.com/v1/widget_types.go"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if r := run(t, define("Widget", "number"), args...); r.code != 0 || !strings.Contains(types(), "type Port struct") {
		t.Fatalf("%+v\n%s", r, types())
	}
	if r := run(t, define("Apparatus", "name")+"---\n"+define("Widget", "number"), args...); r.code != 0 || !strings.Contains(types(), "type Port struct") {
		t.Errorf("a name changed although the lock file has it: %+v\n%s", r, types())
	}
	if err := os.Remove(filepath.Join(out, "kubesdk.lock.json")); err != nil {
		t.Fatal(err)
	}
	if r := run(t, define("Apparatus", "name")+"---\n"+define("Widget", "number"), args...); r.code != 0 || !strings.Contains(types(), "type WidgetPort struct") {
		t.Errorf("without a lock both kinds should give way: %+v\n%s", r, types())
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openAPI := write(t, filepath.Join(dir, "empty-openapi", "index.json"), `{"paths": {}}`)
	foreign := filepath.Join(dir, "foreign")
	write(t, filepath.Join(foreign, "main.go"), "package main")
	badLock := filepath.Join(dir, "badlock")
	write(t, filepath.Join(badLock, "kubesdk.lock.json"), "<<<<<<<")
	hostile := func(from, to string) string { return strings.Replace(widget, from, to, 1) }
	for name, test := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  []string
	}{
		"not YAML":             {"a: b\n---\na: [\n", nil, 1, []string{"<stdin>:", "reading YAML"}},
		"tab":                  {"a:\n\t- b\n", nil, 1, []string{"<stdin>:2", "reading YAML"}},
		"not JSON":             {"{\n\"a\": 1,\n}", nil, 1, []string{"<stdin>:3", "reading JSON"}},
		"scalar":               {"just text", nil, 1, []string{"<stdin>:1", "not a Kubernetes object"}},
		"empty":                {"", nil, 1, []string{"no CustomResourceDefinition"}},
		"not a CRD":            {"apiVersion: v1\nkind: ConfigMap\n", nil, 1, []string{"no CustomResourceDefinition"}},
		"v1beta1":              {"# comment\n\n" + hostile("k8s.io/v1\n", "k8s.io/v1beta1\n"), nil, 1, []string{"<stdin>:3", "widgets.example.com", "v1beta1", "removed"}},
		"no versions":          {until("  versions:"), nil, 1, []string{"<stdin>:1", "spec.versions"}},
		"no schema":            {until("    schema:"), nil, 1, []string{"<stdin>:1", "version v1 of Widget has no schema"}},
		"wrong type":           {hostile("served: true", "served: 7"), nil, 1, []string{"<stdin>:1", "widgets.example.com", "served"}},
		"twice":                {widget + "---\n" + widget, nil, 1, []string{"defined twice", "<stdin>:1", "<stdin>:14"}},
		"group escapes":        {hostile("group: example.com", "group: ../../etc"), nil, 1, []string{`group "../../etc" is refused`}},
		"group with newline":   {hostile("group: example.com", `group: "a\npackage evil"`), nil, 1, []string{"is refused"}},
		"version escapes":      {hostile("name: v1", "name: ../v1"), nil, 1, []string{`version "../v1" is refused`}},
		"kind with code":       {hostile("kind: Widget", `kind: "W struct{}; func init() {}"`), nil, 1, []string{"is refused"}},
		"kind escapes":         {hostile("kind: Widget", "kind: ../Widget"), nil, 1, []string{`kind "../Widget" is refused`}},
		"plural with newline":  {hostile("plural: widgets", `plural: "w\n// +evil"`), nil, 1, []string{"is refused"}},
		"listKind with quotes": {hostile("plural: widgets", `plural: widgets, listKind: "W\""`), nil, 1, []string{"is refused"}},
		"missing file":         {"", []string{"--crd", filepath.Join(dir, "none.yaml")}, 1, []string{"none.yaml"}},
		"no server":            {"", []string{"--url", "https://127.0.0.1:1"}, 1, []string{"https://127.0.0.1:1/", "cannot be reached"}},
		"not a URL":            {"", []string{"--url", "cluster.example"}, 1, []string{"--url", "cluster.example"}},
		"no kubeconfig":        {"", []string{"--kubeconfig", filepath.Join(dir, "none")}, 1, []string{"kubeconfig", "none"}},
		"no OpenAPI":           {"", []string{"--from-dir", filepath.Dir(openAPI)}, 1, []string{"no OpenAPI v3 document", "kubectl get --raw"}},
		"two sources":          {"", []string{"--crd", "-", "--url", "https://x"}, 2, []string{"choose one source"}},
		"stray TLS flag":       {"", []string{"--crd", "-", "--skip-tls"}, 2, []string{"--skip-tls go with --url"}},
		"unknown flag":         {"", []string{"--crds", "-"}, 2, []string{"--crds", "--help"}},
		"argument":             {"", []string{"x.yaml"}, 2, []string{`"x.yaml"`}},
		"nothing left":         {widget, []string{"--crd", "-", "--group", "other"}, 1, []string{"--group"}},
		"bad module":           {widget, []string{"--crd", "-", "--module-name", "a b"}, 1, []string{"--module-name"}},
		"foreign files":        {widget, []string{"--crd", "-", "--output", foreign}, 1, []string{foreign, "main.go"}},
		"output is a file":     {widget, []string{"--crd", "-", "--output", filepath.Join(foreign, "main.go")}, 1, []string{"is a file"}},
		"bad lock":             {widget, []string{"--crd", "-", "--output", badLock}, 1, []string{"kubesdk.lock.json", "version control"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			args := []string{"generate", "--output", out, "--module-name", "example.com/apis"}
			if test.args == nil {
				test.args = []string{"--crd", "-"}
			}
			r := run(t, test.stdin, append(args, test.args...)...)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d", r.code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
				}
			}
			if left := entries(t, out); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if got := entries(t, foreign); len(got) != 1 {
		t.Errorf("the foreign folder now holds %v", got)
	}
}

// TestOneBadKind generates the group-versions that are good and says which is not.
func TestOneBadKind(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "apis")
	bad := strings.NewReplacer("example.com", "bad.example.com", "plural: widgets", "plural: ../x").Replace(widget)
	r := run(t, bad+"---\n"+widget, "generate", "--crd", "-", "--output", out, "--module-name", "example.com/apis")
	if r.code != 1 || !strings.Contains(r.stderr, "failed: bad.example.com/v1") || !strings.Contains(r.stderr, "1 failed") {
		t.Errorf("%+v", r)
	}
	if got := entries(t, out); len(got) != 3 || got[0] != "example.com" {
		t.Errorf("generated %v", got)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := filepath.Join(t.TempDir(), "apis")
	var stderr bytes.Buffer
	code := cli.Run(ctx, []string{"generate", "--crd", "-", "--output", out, "--module-name", "a.b/c"}, strings.NewReader(widget), &bytes.Buffer{}, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "interrupted") || entries(t, out) != nil {
		t.Errorf("exit code %d, left %v: %s", code, entries(t, out), stderr.String())
	}
}

func TestModuleName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/you\n\ngo 1.26\n")
	if r := run(t, widget, "generate", "--crd", "-", "--output", filepath.Join(dir, "pkg/apis")); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	data, err := os.ReadFile(filepath.Join(dir, "pkg/apis/scheme.go"))
	if err != nil || !strings.Contains(string(data), `"example.com/you/pkg/apis/example.com/v1"`) {
		t.Errorf("%v\n%s", err, data)
	}
}

func TestOtherCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"version"}, 0, "kubesdk "},
		{[]string{"--help"}, 0, "generate"},
		{[]string{"generate", "--help"}, 0, "kubesdk generate --crd config/crd"},
		{[]string{"completion", "bash"}, 0, "__start_kubesdk"},
		{[]string{"completion", "zsh"}, 0, "#compdef kubesdk"},
		{[]string{"completion", "fish"}, 0, "complete -c kubesdk"},
		{[]string{"__complete", "generate", "--st"}, 0, "--strict"},
		{[]string{"generat"}, 2, "unknown command"},
		{[]string{"version", "x"}, 2, "takes no arguments"},
	} {
		r := run(t, "", test.args...)
		if r.code != test.code || !strings.Contains(r.stdout+r.stderr, test.want) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s%s", test.args, r.code, test.code, test.want, r.stdout, r.stderr)
		}
	}
}

func TestCompletesContexts(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "config"), "apiVersion: v1\nkind: Config\ncontexts:\n- {name: staging, context: {cluster: a, user: a}}\n- {name: production, context: {cluster: a, user: a}}\n")
	r := run(t, "", "__complete", "generate", "--kubeconfig", path, "--context", "")
	if !strings.HasPrefix(r.stdout, "production\nstaging\n") {
		t.Errorf("%+v", r)
	}
}
