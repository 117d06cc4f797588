package fieldpath_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk/fieldpath"
)

// What Parse accepts, String writes so that Parse reads the same, and the same goes for pointers.
func FuzzParse(f *testing.F) {
	for _, tc := range pathCases() {
		f.Add(tc.string)
	}
	f.Add(`.a["\x00"]['\'']`)
	f.Add(`a.0[0][-][b=true][c=-3][d='e']`)
	f.Fuzz(func(t *testing.T, path string) {
		parseAgain[corev1.Pod](t, path)
		parseAgain[unstructured.Unstructured](t, path)
		pointAgain[corev1.Pod](t, path)
		pointAgain[unstructured.Unstructured](t, path)
	})
}

func parseAgain[T any](t *testing.T, path string) {
	p, err := fieldpath.Parse[T, any](path)
	if (err == nil) != (p.Err() == nil) {
		t.Fatalf("%q: error %v, the path's %v", path, err, p.Err())
	}
	if err != nil {
		return
	}
	again, err := fieldpath.Parse[T, any](p.String())
	if err != nil || !slices.Equal(again.Steps(), p.Steps()) {
		t.Fatalf("%q: spelled %q, which reads as %q, %v", path, p, again, err)
	}
}

func pointAgain[T any](t *testing.T, pointer string) {
	p, err := fieldpath.ParsePointer[T, any](pointer)
	if err != nil {
		return
	}
	got, err := p.Pointer()
	if err != nil || got != pointer {
		t.Fatalf("%q: written as %q, %v", pointer, got, err)
	}
	again, err := fieldpath.Parse[T, any](p.String())
	if err != nil || !slices.Equal(again.Steps(), p.Steps()) {
		t.Fatalf("%q: spelled %q, which reads as %q, %v", pointer, p, again, err)
	}
}

// What is set is got back, and nothing else changes: taking the field back from the original gives the original.
func FuzzSet(f *testing.F) {
	f.Add(".metadata.labels.a", "b")
	f.Add(`.spec.containers[name="x"].image`, "y")
	f.Add(`.spec.initContainers[0].env[0].valueFrom.secretKeyRef.key`, "y")
	f.Add(".spec.nodeSelector['a.b/c']", "")
	f.Fuzz(func(t *testing.T, path, value string) {
		setAndGet(t, &corev1.Pod{}, path, value)
		setAndGet(t, &unstructured.Unstructured{Object: map[string]any{}}, path, value)
	})
}

func setAndGet[T any](t *testing.T, obj *T, path, value string) {
	p, err := fieldpath.Parse[T, string](path)
	if err != nil {
		return
	}
	changed, err := fieldpath.Set(obj, p, value)
	if err != nil {
		return
	}
	resolved := p
	if slices.ContainsFunc(p.Steps(), func(s fieldpath.Step) bool { return s.Kind == fieldpath.EndStep || s.Name == "-" }) {
		return // the place after the last is another one now
	}
	got, err := fieldpath.Get(changed, resolved)
	if err != nil || got != value {
		t.Fatalf("%s: set to %q, got %q, %v", p, value, got, err)
	}
	again, err := fieldpath.Set(changed, p, value)
	if err != nil {
		t.Fatalf("%s: set again: %v", p, err)
	}
	if diff := cmp.Diff(changed, again); diff != "" {
		t.Fatalf("%s: set again, it changed:\n%s", p, diff)
	}
	if _, err := fieldpath.Get(obj, p); !errors.Is(err, fieldpath.ErrAbsent) && value != "" && err == nil {
		if old, _ := fieldpath.Get(obj, p); old == value {
			t.Fatalf("%s: the original changed", p)
		}
	}
}
