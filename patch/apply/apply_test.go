package apply_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/patch"
	"github.com/kubesdk/kubesdk/patch/apply"
)

// operationCase is a case of a JSON patch test suite.
type operationCase struct {
	Comment  string
	Doc      json.RawMessage
	Patch    json.RawMessage
	Expected json.RawMessage
	Error    string
}

func TestOperations(t *testing.T) {
	t.Parallel()
	for _, tc := range cases(t, "testdata/operations.json") {
		tc.run(t, true)
	}
}

// The public test suite is read where it lies: it is not ours to copy.
func TestPublicSuite(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("KUBESDK_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	for _, name := range []string{"tests.json", "spec_tests.json"} {
		file := filepath.Join(dir, "json-patch", name)
		if _, err := os.Stat(file); err != nil {
			t.Skipf("the public JSON patch test suite is not here (set KUBESDK_CORPUS): %v", err)
		}
		ran := 0
		for _, tc := range cases(t, file) {
			tc.run(t, false)
			ran++
		}
		if ran == 0 {
			t.Errorf("%s: no cases", name)
		}
		t.Logf("%s: %d cases", name, ran)
	}
}

func cases(t *testing.T, file string) []operationCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []operationCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// run applies the case. exact says that the error must say what the case says.
func (tc operationCase) run(t *testing.T, exact bool) {
	t.Helper()
	got, err := apply.To(tc.Doc, patch.Raw(types.JSONPatchType, tc.Patch))
	switch {
	case tc.Error != "":
		if err == nil {
			t.Errorf("%s: %s on %s gives %s; want an error: %s", tc.Comment, tc.Patch, tc.Doc, got, tc.Error)
		} else if exact && !strings.Contains(err.Error(), tc.Error) {
			t.Errorf("%s: %v; want it to say %q", tc.Comment, err, tc.Error)
		}
	case err != nil:
		t.Errorf("%s: %s on %s: %v", tc.Comment, tc.Patch, tc.Doc, err)
	case tc.Expected != nil:
		if diff := cmp.Diff(canonical(t, tc.Expected), canonical(t, got)); diff != "" {
			t.Errorf("%s: %s on %s (-want +got):\n%s", tc.Comment, tc.Patch, tc.Doc, diff)
		}
	}
}

// canonical is JSON with sorted members; numbers keep their digits.
func canonical(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The cases of RFC 7386, appendix A.
func TestRFC7386(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ original, patch, result string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := apply.To([]byte(tc.original), patch.Merge([]byte(tc.patch)))
		if err != nil || canonical(t, got) != tc.result {
			t.Errorf("%s on %s: got %s, %v; want %s", tc.patch, tc.original, got, err, tc.result)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x"}, {Name: "b", Image: "y"}}},
	}}}
	before := deployment.DeepCopy()
	got, err := apply.To(deployment, patch.Strategic(`{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"z"}]}}}}`))
	if err != nil || got.Spec.Template.Spec.Containers[1].Image != "z" || len(got.Spec.Template.Spec.Containers) != 2 {
		t.Errorf("strategic: %v, %v", got, err)
	}
	got, err = apply.To(deployment, patch.Merge(`{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"z"}]}}}}`))
	if err != nil || len(got.Spec.Template.Spec.Containers) != 1 {
		t.Errorf("merge: %v, %v", got, err)
	}
	if diff := cmp.Diff(before, deployment); diff != "" {
		t.Errorf("the original changed:\n%s", diff)
	}

	plain := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"n": int64(1)}}}
	changed, err := apply.To(plain, patch.Merge(`{"spec":{"n":2}}`))
	if want := map[string]any{"spec": map[string]any{"n": int64(2)}}; err != nil || !cmp.Equal(changed.Object, want) {
		t.Errorf("unstructured: %v, %v", changed, err)
	}
	if _, err := apply.To(plain, patch.Strategic(`{}`)); err == nil || !strings.Contains(err.Error(), "needs a Go type") {
		t.Errorf("strategic on unstructured: %v", err)
	}
	if _, err := apply.To(plain, patch.Raw(types.ApplyPatchType, []byte("{}"))); err == nil || !strings.Contains(err.Error(), "the server's to apply") {
		t.Errorf("server-side apply: %v", err)
	}
	if _, err := apply.To(plain, patch.Merge(func() {})); err == nil || !strings.Contains(err.Error(), "func()") {
		t.Errorf("a patch that cannot be made: %v", err)
	}
	_, err = apply.To(plain, patch.Raw(types.JSONPatchType, []byte(`[{"op":"test","path":"/spec/n","value":7}]`)))
	if !errors.Is(err, apply.ErrTestFailed) || !strings.Contains(err.Error(), `operation 0: test "/spec/n"`) {
		t.Errorf("a failed test: %v", err)
	}
}
