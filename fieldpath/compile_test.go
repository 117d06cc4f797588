package fieldpath_test

import (
	"strings"
	"testing"

	"github.com/kubesdk/kubesdk/internal/typecheck"
)

// What must not compile, and what the compiler says.
func TestDoesNotCompile(t *testing.T) {
	t.Parallel()
	checker := typecheck.New(t, map[string]string{
		"fieldpath": "github.com/kubesdk/kubesdk/fieldpath",
		"appsv1":    "k8s.io/api/apps/v1",
		"corev1":    "k8s.io/api/core/v1",
	})
	const before = `
		d := fieldpath.Root[appsv1.Deployment]()
		pod := fieldpath.Root[corev1.Pod]()
		c := fieldpath.Root[corev1.Container]()
		replicas := fieldpath.Of(d, &d.Spec.Replicas)
		labels := fieldpath.Of(d, &d.Labels)
		containers := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
		image := fieldpath.Of(c, &c.Image)
		podName := fieldpath.Of(pod, &pod.Name)
		deployment := &appsv1.Deployment{}
		_, _, _, _, _, _ = replicas, labels, containers, image, podName, deployment
	`
	if complaint := checker.Check(t, before); complaint != "" {
		t.Fatalf("what all snippets start with does not compile:\n%s", complaint)
	}
	for name, tc := range map[string]struct{ snippet, says string }{
		"misspelled field":         {`_ = fieldpath.Of(d, &d.Spec.Replica)`, "d.Spec.Replica undefined"},
		"not an address":           {`_ = fieldpath.Of(d, d.Spec.Paused)`, "does not match"},
		"a map entry's address":    {`_ = fieldpath.Of(d, &d.Labels["a"])`, "cannot take address of d.Labels"},
		"another key type":         {`_ = fieldpath.Key(labels, 3)`, "cannot use 3"},
		"key of a list":            {`_ = fieldpath.Key(containers, "a")`, "does not satisfy"},
		"index of a map":           {`_ = fieldpath.Index(labels, 0)`, "does not satisfy"},
		"index of a scalar":        {`_ = fieldpath.Index(replicas, 0)`, "does not satisfy"},
		"where on a map":           {`_ = fieldpath.Where(labels, "name", "a")`, "does not satisfy"},
		"where with no key value":  {`_ = fieldpath.Where(containers, "name", 1.5)`, "float64 does not satisfy"},
		"join that does not fit":   {`_ = fieldpath.Join(containers, image)`, "does not match"},
		"join across types":        {`_ = fieldpath.Join(replicas, podName)`, "does not match"},
		"set of another type":      {`_, _ = fieldpath.Set(deployment, replicas, "three")`, `cannot use "three"`},
		"set by value":             {`_, _ = fieldpath.Set(deployment, replicas, 3)`, "cannot use 3"},
		"set in another object":    {`_, _ = fieldpath.Set(&corev1.Pod{}, replicas, nil)`, "does not match"},
		"get from another object":  {`_, _ = fieldpath.Get(&corev1.Pod{}, replicas)`, "does not match"},
		"get into another type":    {`var s string; s, _ = fieldpath.Get(deployment, replicas); _ = s`, "cannot use"},
		"a path as another path":   {`var p fieldpath.Path[appsv1.Deployment, string] = replicas; _ = p`, "cannot use replicas"},
		"a path into another type": {`var p fieldpath.In[appsv1.Deployment] = podName; _ = p`, "cannot use podName"},
		"a path of one's own":      {`var p fieldpath.Any = struct{}{}; _ = p`, "does not implement"},
	} {
		complaint := checker.Check(t, before+tc.snippet)
		if !strings.Contains(complaint, tc.says) {
			t.Errorf("%s: the compiler says %q; want it to say %q", name, complaint, tc.says)
		}
	}
	for _, good := range []string{
		`_ = fieldpath.Of(d, d.Spec.Replicas)`,
		`_ = fieldpath.Join(fieldpath.Index(containers, 0), image)`,
		`_, _ = fieldpath.Set(deployment, fieldpath.Key(labels, "a"), "b")`,
		`var p fieldpath.In[appsv1.Deployment] = replicas; _ = p`,
	} {
		if complaint := checker.Check(t, before+good); complaint != "" {
			t.Errorf("%s does not compile: %s", good, complaint)
		}
	}
}
