package generate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/generate"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/plan"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/roundtrip"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/source"
)

var update = flag.Bool("update", false, "write the golden packages anew")

// moduleRoot is the folder of this module's go.mod, from this package.
const moduleRoot = "../.."

// corpus returns the folder of public CustomResourceDefinitions, or skips.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KUBESDK_CORPUS")
	if dir == "" {
		dir = filepath.Join(moduleRoot, "../../../shared/corpus")
	}
	dir = filepath.Join(dir, "crds")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus of public CRDs at %s: set KUBESDK_CORPUS", dir)
	}
	return dir
}

// workspace is a Go module with generated packages in apis.
type workspace struct {
	dir     string
	set     *schema.Set
	summary *generate.Summary
	rules   map[string]int // differences after controller-gen, by rule
}

// newWorkspace generates the definitions of a path into a new module that needs no download.
func newWorkspace(t *testing.T, path string) *workspace {
	t.Helper()
	set, err := source.CRDs([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{dir: t.TempDir(), set: set}
	w.summary, err = generate.Run(t.Context(), set, generate.Options{Output: filepath.Join(w.dir, "apis"), Module: "example.com/corpus/apis"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	writeModule(t, w.dir, "example.com/corpus")
	return w
}

// writeModule writes a go.mod with this module's requirements, so that everything comes from the module
// cache.
func writeModule(t *testing.T, dir, path string) {
	t.Helper()
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(mod), "module github.com/kubesdk/kubesdk/cmd/kubesdk", "module "+path, 1)
	text = strings.ReplaceAll(text, "=> ../..", "=> "+filepath.Join(root, "../.."))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": text, "go.sum": string(sum)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// goCommand runs the go command in a folder, outside the workspace of this repository. -trimpath makes the
// build cache independent of the temporary folder.
func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -trimpath -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out[:min(len(out), 8000)])
	}
}

// TestCorpus generates all public definitions as one module and holds the promises of the generator on it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, corpus(t))
	if got := w.summary; got.Kinds != len(w.set.Kinds) || len(got.Failures) > 0 {
		t.Fatalf("generated %d of %d kinds, failures: %v", got.Kinds, len(w.set.Kinds), got.Failures)
	}
	counts := map[plan.Cause]int{}
	for _, loss := range w.summary.Losses {
		counts[loss.Cause]++
	}
	t.Logf("%d kinds, %d types, upstream types at %d places, losses by cause: %v", w.summary.Kinds, w.summary.Types, len(w.summary.Reused), counts)
	for _, reuse := range w.summary.Reused {
		if len(reuse.Loses) > 0 {
			t.Errorf("an upstream type was reused although it loses something: %s", reuse)
		}
	}
	t.Cleanup(func() { w.documented(t) }) // after the subtests
	t.Run("deterministic", w.deterministic)
	t.Run("vet", func(t *testing.T) {
		t.Parallel()
		goCommand(t, w.dir, "vet", "./...")
	})
	t.Run("lossless", w.lossless)
	t.Run("schema", w.schemaRoundTrip)
}

// guide is the page that lists the losses.
const guide = moduleRoot + "/../../docs/guide/generate.md"

// documented holds the table of losses in the guide to what was counted.
func (w *workspace) documented(t *testing.T) {
	if w.rules == nil {
		return // only some subtests ran
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d kinds in %d packages, %d types besides; upstream types at %d places.\n\n", w.summary.Kinds, w.summary.Packages, w.summary.Types, len(w.summary.Reused))
	b.WriteString("| reported by the tool | places |\n|---|---:|\n")
	counts := map[string]int{}
	for _, loss := range w.summary.Losses {
		what := "no marker carries it: " + loss.What
		if loss.Cause == plan.Raw {
			what = "raw JSON: " + loss.What
		}
		counts[what]++
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "| %s | %d |\n", what, counts[what])
	}
	b.WriteString("\n| a document may change by | |\n|---|---|\n")
	for _, rule := range roundtrip.Allowed {
		fmt.Fprintf(&b, "| %s | %s |\n", rule.Name, rule.What)
	}
	b.WriteString("\n| a definition may change by | | places |\n|---|---|---:|\n")
	fmt.Fprintf(&b, "| lost | what the tool reported, above; one report may stand for several keywords | %d |\n", w.rules["lost"])
	for _, rule := range roundtrip.SchemaRules {
		places := "in reading"
		if n := w.rules[rule.Name]; n > 0 || rule.Counted {
			places = strconv.Itoa(n)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", rule.Name, rule.What, places)
	}
	page, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- losses: begin -->\n", "<!-- losses: end -->\n"
	head, rest, ok := strings.Cut(string(page), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the losses", guide)
	}
	if *update {
		if err := os.WriteFile(guide, []byte(head+begin+b.String()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, b.String()); diff != "" {
		t.Errorf("the guide is out of date; run the test with -update (-page +counted):\n%s", diff)
	}
}

// TestExample holds that the checked-in packages of the example are what the generator makes: go generate
// brings them up to date.
func TestExample(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(moduleRoot, "examples/widgets")
	set, err := source.CRDs([]string{filepath.Join(dir, "crd")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := generate.Options{Output: filepath.Join(dir, "apis"), Check: !*update}
	if s, err := generate.Run(t.Context(), set, opts, io.Discard); err != nil {
		t.Fatalf("%v; run the tests with -update: %+v", err, s)
	}
}

// TestHardCases holds the same promises on the definitions of this package, which are always there.
func TestHardCases(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, "testdata/crds")
	t.Run("deterministic", w.deterministic)
	t.Run("vet", func(t *testing.T) {
		t.Parallel()
		goCommand(t, w.dir, "vet", "./...")
	})
	t.Run("lossless", w.lossless)
	t.Run("schema", w.schemaRoundTrip)
}

// deterministic generates again, from shuffled input, and compares.
func (w *workspace) deterministic(t *testing.T) {
	t.Parallel()
	set := &schema.Set{Kinds: slices.Clone(w.set.Kinds)}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(set.Kinds), func(i, j int) { set.Kinds[i], set.Kinds[j] = set.Kinds[j], set.Kinds[i] })
	for _, out := range []string{filepath.Join(w.dir, "apis"), filepath.Join(t.TempDir(), "apis")} {
		fresh := out != filepath.Join(w.dir, "apis")
		s, err := generate.Run(t.Context(), set, generate.Options{Output: out, Module: "example.com/corpus/apis", Check: !fresh}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if !fresh {
			if !s.Changes.Empty() {
				t.Errorf("a second run would change %v %v %v", s.Changes.Created, s.Changes.Changed, s.Changes.Removed)
			}
			continue
		}
		compareTrees(t, filepath.Join(w.dir, "apis"), out)
	}
}

// compareTrees fails unless two folders hold the same files.
func compareTrees(t *testing.T, want, got string) {
	t.Helper()
	for _, pair := range [][2]string{{want, got}, {got, want}} {
		err := filepath.WalkDir(pair[0], func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, _ := filepath.Rel(pair[0], path)
			a, _ := os.ReadFile(path)
			b, err := os.ReadFile(filepath.Join(pair[1], rel))
			if err != nil {
				t.Errorf("%s is in one folder only", rel)
			} else if !bytes.Equal(a, b) {
				t.Errorf("%s differs: %s", rel, cmp.Diff(string(a), string(b)))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// documentsPerKind is how many random documents each kind is tried with.
const documentsPerKind = 40

// lossless draws documents for every kind and sends them through the generated types.
func (w *workspace) lossless(t *testing.T) {
	t.Parallel()
	r := w.startRunner(t)
	rng := rand.New(rand.NewPCG(2026, 5))
	failures := 0
	documents := max(documentsPerKind, 4000/len(w.set.Kinds))
	for i := range w.set.Kinds {
		kind := &w.set.Kinds[i]
		for range documents {
			if problem := r.check(t, kind, roundtrip.Draw(rng, kind)); problem != "" {
				t.Errorf("%s: %s", kind, problem)
				failures++
				break
			}
		}
		if failures > 20 {
			t.Fatal("too many failures")
		}
	}
}

// runner is the program that holds the generated types.
type runner struct {
	in  *json.Encoder
	out *bufio.Reader
}

func (w *workspace) startRunner(t *testing.T) *runner {
	t.Helper()
	program, err := os.ReadFile("testdata/runner/main.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.dir, "runner")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), program, 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(w.dir, "runner.exe")
	goCommand(t, w.dir, "build", "-o", binary, "./runner")
	cmd := exec.CommandContext(t.Context(), binary)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &runner{in: json.NewEncoder(in), out: bufio.NewReaderSize(out, 1<<20)}
}

// answer is what the runner sends back.
type answer struct {
	Doc, Copy, Dynamic json.RawMessage
	Typed, Error       string
}

// send sends one document through the types.
func (r *runner) send(t *testing.T, kind *schema.Kind, doc map[string]any) answer {
	t.Helper()
	if err := r.in.Encode(map[string]any{"Group": kind.Group, "Version": kind.Version, "Kind": kind.Kind, "Doc": doc}); err != nil {
		t.Fatal(err)
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: the runner ended: %v", kind, err)
	}
	var res answer
	if err := json.Unmarshal(line, &res); err != nil {
		t.Fatal(err)
	}
	return res
}

// check sends one document through the types and says what is wrong with what comes back.
func (r *runner) check(t *testing.T, kind *schema.Kind, doc map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	res := r.send(t, kind, doc)
	if res.Error != "" {
		return fmt.Sprintf("%s\n%s", res.Error, raw)
	}
	gvk := apischema.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind}
	if want := fmt.Sprintf("%s %s %t", gvk, kind.Plural, kind.Namespaced); res.Typed != want {
		return fmt.Sprintf("KubeType tells %q, want %q", res.Typed, want)
	}
	if !bytes.Equal(res.Doc, res.Copy) {
		return fmt.Sprintf("the deep copy encodes differently: %s", cmp.Diff(string(res.Doc), string(res.Copy)))
	}
	want := roundtrip.Document(kind, decode(t, raw))
	if got := roundtrip.Document(kind, decode(t, res.Doc)); !reflect.DeepEqual(want, got) { // cmp is slow
		return fmt.Sprintf("the document changed (-sent +received):\n%s", cmp.Diff(want, got))
	}
	typed, converted := withoutNulls(kind, decode(t, res.Doc)), withoutNulls(kind, decode(t, res.Dynamic))
	if !reflect.DeepEqual(typed, converted) {
		return fmt.Sprintf("client-go's converter changed the object (-typed +converted):\n%s", cmp.Diff(typed, converted))
	}
	return ""
}

// withoutNulls drops fields that are null: client-go's converter does so by itself, whatever the type.
func withoutNulls(kind *schema.Kind, doc map[string]any) map[string]any {
	dropNulls(doc)
	return roundtrip.Document(kind, doc)
}

func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if value == nil {
				delete(v, name)
			}
			dropNulls(value)
		}
	case []any:
		for _, item := range v {
			dropNulls(item)
		}
	}
}

func decode(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := utiljson.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
