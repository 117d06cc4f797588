package fieldpath_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesdk/kubesdk/fieldpath"
)

// pathCase is a path, and how it is written.
type pathCase struct {
	path    fieldpath.Any
	string  string
	pointer string
}

func pathCases() []pathCase {
	d := fieldpath.Root[appsv1.Deployment]()
	cm := fieldpath.Root[corev1.ConfigMap]()
	s := fieldpath.Root[corev1.Service]()
	pod := fieldpath.Root[corev1.Pod]()
	lr := fieldpath.Root[corev1.LimitRange]()
	c := fieldpath.Root[corev1.Container]()
	containers := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	return []pathCase{
		{fieldpath.Of(d, d), ".", ""},
		{fieldpath.Of(d, &d.Kind), ".kind", "/kind"},
		{fieldpath.Of(d, &d.ObjectMeta), ".metadata", "/metadata"},
		{fieldpath.Of(d, &d.Name), ".metadata.name", "/metadata/name"},
		{fieldpath.Of(d, &d.CreationTimestamp), ".metadata.creationTimestamp", "/metadata/creationTimestamp"},
		{fieldpath.Of(d, &d.Spec), ".spec", "/spec"},
		{fieldpath.Of(d, &d.Spec.Replicas), ".spec.replicas", "/spec/replicas"},
		{fieldpath.Of(d, d.Spec.Replicas), ".spec.replicas", "/spec/replicas"},
		{fieldpath.Of(d, &d.Spec.Template.ObjectMeta.Name), ".spec.template.metadata.name", "/spec/template/metadata/name"},
		{fieldpath.Of(d, &d.Spec.Strategy.RollingUpdate.MaxSurge), ".spec.strategy.rollingUpdate.maxSurge", "/spec/strategy/rollingUpdate/maxSurge"},
		{fieldpath.Of(d, d.Spec.Strategy.RollingUpdate.MaxSurge), ".spec.strategy.rollingUpdate.maxSurge", "/spec/strategy/rollingUpdate/maxSurge"},
		{fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0]), ".spec.template.spec.containers[0]", "/spec/template/spec/containers/0"},
		{fieldpath.Of(d, &d.Spec.Template.Spec.Containers[0].Image), ".spec.template.spec.containers[0].image", "/spec/template/spec/containers/0/image"},
		{fieldpath.Index(containers, 3), ".spec.template.spec.containers[3]", "/spec/template/spec/containers/3"},
		{fieldpath.End(containers), ".spec.template.spec.containers[-]", "/spec/template/spec/containers/-"},
		{fieldpath.Where(containers, "name", "nginx"), `.spec.template.spec.containers[name="nginx"]`, "!"},
		{fieldpath.Join(fieldpath.Where(containers, "name", "nginx"), fieldpath.Of(c, &c.Image)), `.spec.template.spec.containers[name="nginx"].image`, "!"},
		{fieldpath.Where(fieldpath.Of(s, &s.Spec.Ports), "port", 80), ".spec.ports[port=80]", "!"},
		{fieldpath.Of(s, &s.Spec.Ports[0].TargetPort), ".spec.ports[0].targetPort", "/spec/ports/0/targetPort"},
		{fieldpath.Key(fieldpath.Of(cm, &cm.Data), "specific-key"), ".data.specific-key", "/data/specific-key"},
		{fieldpath.Key(fieldpath.Of(cm, &cm.Data), "app.properties"), ".data['app.properties']", "/data/app.properties"},
		{fieldpath.Key(fieldpath.Of(cm, &cm.Data), ""), ".data['']", "/data/"},
		{fieldpath.Key(fieldpath.Of(cm, &cm.Data), `it's\so`), `.data['it\'s\\so']`, `/data/it's\so`},
		{fieldpath.Key(fieldpath.Of(cm, &cm.Labels), "app.kubernetes.io/name"), ".metadata.labels['app.kubernetes.io/name']", "/metadata/labels/app.kubernetes.io~1name"},
		{fieldpath.Key(fieldpath.Of(cm, &cm.Labels), "~tilde"), ".metadata.labels.~tilde", "/metadata/labels/~0tilde"},
		{fieldpath.Key(fieldpath.Of(c, &c.Resources.Limits), corev1.ResourceCPU), ".resources.limits.cpu", "/resources/limits/cpu"},
		{fieldpath.Key(fieldpath.Of(lr, &lr.Spec.Limits[0].Max), "memory"), ".spec.limits[0].max.memory", "/spec/limits/0/max/memory"},
		{fieldpath.Of(pod, &pod.Spec.Volumes[0].EmptyDir), ".spec.volumes[0].emptyDir", "/spec/volumes/0/emptyDir"},
		{fieldpath.Of(pod, &pod.Spec.Volumes[0].ConfigMap.LocalObjectReference.Name), ".spec.volumes[0].configMap.name", "/spec/volumes/0/configMap/name"},
		{fieldpath.Of(pod, &pod.Spec.Containers[0].LivenessProbe.HTTPGet.Port), ".spec.containers[0].livenessProbe.httpGet.port", "/spec/containers/0/livenessProbe/httpGet/port"},
	}
}

func TestSpelling(t *testing.T) {
	t.Parallel()
	for _, tc := range pathCases() {
		if err := tc.path.Err(); err != nil {
			t.Errorf("%s: %v", tc.string, err)
			continue
		}
		if got := tc.path.String(); got != tc.string {
			t.Errorf("String: got %s, want %s", got, tc.string)
		}
		got, err := tc.path.Pointer()
		if tc.pointer == "!" {
			if err == nil {
				t.Errorf("%s: Pointer is %q, want an error", tc.string, got)
			}
			continue
		}
		if err != nil || got != tc.pointer {
			t.Errorf("%s: Pointer is %q, %v; want %q", tc.string, got, err, tc.pointer)
		}
	}
}

// The types are inferred: these lines would not compile if they were others.
var (
	deployment                                                         = fieldpath.Root[appsv1.Deployment]()
	_          fieldpath.Path[appsv1.Deployment, *int32]               = fieldpath.Of(deployment, &deployment.Spec.Replicas)
	_          fieldpath.Path[appsv1.Deployment, int32]                = fieldpath.Of(deployment, deployment.Spec.Replicas)
	containers fieldpath.Path[appsv1.Deployment, []corev1.Container]   = fieldpath.Of(deployment, &deployment.Spec.Template.Spec.Containers)
	_          fieldpath.Path[appsv1.Deployment, corev1.Container]     = fieldpath.Where(containers, "name", "nginx")
	_          fieldpath.Path[appsv1.Deployment, corev1.Container]     = fieldpath.Index(containers, 1)
	_          fieldpath.Path[appsv1.Deployment, string]               = fieldpath.Key(fieldpath.Of(deployment, &deployment.Labels), "a")
	container                                                          = fieldpath.Root[corev1.Container]()
	limits                                                             = fieldpath.Of(container, &container.Resources.Limits)
	_          fieldpath.Path[appsv1.Deployment, apiresource.Quantity] = fieldpath.Key(fieldpath.Join(fieldpath.Index(containers, 0), limits), "cpu")
	_          fieldpath.Path[appsv1.Deployment, *intstr.IntOrString]  = fieldpath.Of(deployment, &deployment.Spec.Strategy.RollingUpdate.MaxSurge)
)

func TestParseReadsWhatStringWrites(t *testing.T) {
	t.Parallel()
	for _, tc := range pathCases() {
		reparsed := reparse(tc.path)
		if reparsed == nil {
			t.Errorf("no parser for %s", tc.path.Root())
			continue
		}
		byString, byPointer, err := reparsed(tc.string, tc.pointer)
		if err != nil {
			t.Errorf("%s: %v", tc.string, err)
			continue
		}
		if !slices.Equal(byString, tc.path.Steps()) {
			t.Errorf("%s: parsed as %v, want %v", tc.string, byString, tc.path.Steps())
		}
		if tc.pointer != "!" && !slices.Equal(byPointer, tc.path.Steps()) {
			t.Errorf("%s: parsed as %v, want %v", tc.pointer, byPointer, tc.path.Steps())
		}
	}
}

func reparse(p fieldpath.Any) func(text, pointer string) ([]fieldpath.Step, []fieldpath.Step, error) {
	switch p.Root() {
	case reflect.TypeFor[appsv1.Deployment]():
		return parsedAs[appsv1.Deployment]
	case reflect.TypeFor[corev1.ConfigMap]():
		return parsedAs[corev1.ConfigMap]
	case reflect.TypeFor[corev1.Service]():
		return parsedAs[corev1.Service]
	case reflect.TypeFor[corev1.Pod]():
		return parsedAs[corev1.Pod]
	case reflect.TypeFor[corev1.LimitRange]():
		return parsedAs[corev1.LimitRange]
	case reflect.TypeFor[corev1.Container]():
		return parsedAs[corev1.Container]
	}
	return nil
}

func parsedAs[T any](text, pointer string) ([]fieldpath.Step, []fieldpath.Step, error) {
	p, err := fieldpath.Parse[T, any](text)
	if err != nil || pointer == "!" {
		return p.Steps(), nil, err
	}
	q, err := fieldpath.ParsePointer[T, any](pointer)
	return p.Steps(), q.Steps(), err
}

func TestParse(t *testing.T) {
	t.Parallel()
	type labels = map[string]string
	same := func(name, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	// The F of the field, of what it points to, and any.
	for _, p := range []fieldpath.Any{
		must(fieldpath.Parse[appsv1.Deployment, *int32](".spec.replicas"))(t),
		must(fieldpath.Parse[appsv1.Deployment, int32]("spec.replicas"))(t),
		must(fieldpath.Parse[appsv1.Deployment, any](".spec['replicas']"))(t),
		must(fieldpath.ParsePointer[appsv1.Deployment, int32]("/spec/replicas"))(t),
	} {
		same("replicas", p.String(), ".spec.replicas")
	}
	same("jsonpath's escape", must(fieldpath.Parse[corev1.Pod, string](`.metadata.labels.app\.kubernetes\.io/name`))(t).String(),
		".metadata.labels['app.kubernetes.io/name']")
	same("double quotes", must(fieldpath.Parse[corev1.Pod, string](`metadata.labels["a.b"]`))(t).String(), ".metadata.labels['a.b']")
	same("where", must(fieldpath.Parse[corev1.Pod, string](`.spec.containers[name='nginx'].image`))(t).String(), `.spec.containers[name="nginx"].image`)
	same("where, bare", must(fieldpath.Parse[corev1.Pod, string](`.spec.containers[name=nginx].image`))(t).String(), `.spec.containers[name="nginx"].image`)
	same("unstructured", must(fieldpath.Parse[unstructured.Unstructured, any](".spec.ports[0].name"))(t).String(), ".spec.ports[0].name")
	same("unstructured pointer", must(fieldpath.ParsePointer[unstructured.Unstructured, any]("/spec/ports/0/name"))(t).String(), ".spec.ports.0.name")
	same("a map", must(fieldpath.Parse[corev1.Pod, labels](".metadata.labels"))(t).String(), ".metadata.labels")

	for _, bad := range []struct{ path, says string }{
		{".spec.replica", `v1.Deployment to interface {}: at .spec: v1.DeploymentSpec has no field "replica"`},
		{".spec.Replicas", `has no field "Replicas"`},
		{".spec..replicas", "without a name"},
		{".spec.", "without a name"},
		{"..", "without a name"},
		{".spec.template.spec.containers.0", "a list: give an index"},
		{".spec.template.spec.containers[nginx]", "neither an index"},
		{".spec.template.spec.containers[00]", "neither an index"},
		{".spec.template.spec.containers[-1]", "neither an index"},
		{".spec.template.spec.containers[0", "not closed"},
		{".spec.template.spec.containers[name=nginx", "not closed"},
		{".spec.template.spec.containers[naem=nginx]", `no field "naem"`},
		{".spec.template.spec.containers[name=3]", "name is a string"},
		{".spec.template.spec.containers[0]image", "must follow a ]"},
		{".metadata.labels['a", "not closed"},
		{".metadata.labels['a'x", "a ] is missing"},
		{".metadata.labels[0]", "a map: name a key"},
		{".spec.strategy.rollingUpdate.maxSurge.type", "one value in JSON"},
		{".spec.replicas.x", "a single value"},
		{`.metadata.labels.a\`, "backslash"},
	} {
		_, err := fieldpath.Parse[appsv1.Deployment, any](bad.path)
		if err == nil || !strings.Contains(err.Error(), bad.says) || !strings.Contains(err.Error(), "parse") {
			t.Errorf("Parse(%q): %v; want it to say %q", bad.path, err, bad.says)
		}
	}
	for _, bad := range []struct{ pointer, says string }{
		{"spec", "starts with /"},
		{"/spec/~2", "only before 0 or 1"},
		{"/spec/~", "only before 0 or 1"},
		{"/spec/template/spec/containers/00", "not an index"},
		{"/spec/template/spec/containers/name", "not an index"},
		{"/nothing", `no field "nothing"`},
	} {
		p, err := fieldpath.ParsePointer[appsv1.Deployment, any](bad.pointer)
		if err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("ParsePointer(%q): %v; want it to say %q", bad.pointer, err, bad.says)
		}
		if p.Err() == nil {
			t.Errorf("ParsePointer(%q): the path has no error", bad.pointer)
		}
	}
	if _, err := fieldpath.Parse[appsv1.Deployment, string](".spec.replicas"); err == nil || !strings.Contains(err.Error(), "the field is a *int32") {
		t.Errorf("the wrong F: %v", err)
	}
}

func must[T, F any](p fieldpath.Path[T, F], err error) func(*testing.T) fieldpath.Any {
	return func(t *testing.T) fieldpath.Any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// The examples of RFC 6901, section 5.
func TestRFC6901(t *testing.T) {
	t.Parallel()
	doc := map[string]any{
		"foo": []any{"bar", "baz"}, "": int64(0), "a/b": int64(1), "c%d": int64(2), "e^f": int64(3), "g|h": int64(4),
		`i\j`: int64(5), `k"l`: int64(6), " ": int64(7), "m~n": int64(8),
	}
	for pointer, want := range map[string]any{
		"": doc, "/foo": doc["foo"], "/foo/0": "bar", "/": int64(0), "/a~1b": int64(1), "/c%d": int64(2), "/e^f": int64(3),
		"/g|h": int64(4), `/i\j`: int64(5), `/k"l`: int64(6), "/\x20": int64(7), "/m~0n": int64(8),
	} {
		p, err := fieldpath.ParsePointer[map[string]any, any](pointer)
		if err != nil {
			t.Errorf("%q: %v", pointer, err)
			continue
		}
		got, err := fieldpath.Get(&doc, p)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v; want %v", pointer, got, err, want)
		}
		if again, err := p.Pointer(); err != nil || again != pointer {
			t.Errorf("%q: written back as %q, %v", pointer, again, err)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	d := fieldpath.Root[appsv1.Deployment]()
	s := fieldpath.Root[corev1.Service]()
	secret := fieldpath.Root[corev1.Secret]()
	own := &appsv1.Deployment{}
	copied := *d
	var nothing *int32
	var empty fieldpath.Path[appsv1.Deployment, string]
	containers := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)
	for name, tc := range map[string]struct {
		path fieldpath.Any
		says []string
	}{
		"outside":       {fieldpath.Of(d, new(int32)), []string{"int32", "v1.Deployment", "not inside the probe"}},
		"copy":          {fieldpath.Of(d, &copied.Spec.Paused), []string{"bool", "v1.Deployment", "not inside the probe"}},
		"other probe":   {fieldpath.Of(d, &s.Spec.Type), []string{"v1.ServiceType", "not inside the probe"}},
		"nil":           {fieldpath.Of(d, nothing), []string{"*int32", "nil"}[1:]},
		"no probe":      {fieldpath.Of(own, &own.Spec.Paused), []string{"not the probe", "Root"}},
		"nil root":      {fieldpath.Of((*appsv1.Deployment)(nil), &d.Spec.Paused), []string{"root is nil"}},
		"inlined":       {fieldpath.Of(d, &d.TypeMeta), []string{"v1.TypeMeta is inlined"}},
		"inside a leaf": {fieldpath.Of(s, &s.Spec.Ports[0].TargetPort.IntVal), []string{".spec.ports[0].targetPort", "intstr.IntOrString", "one value in JSON"}},
		"inside a time": {fieldpath.Of(d, &d.CreationTimestamp.Time), []string{".metadata.creationTimestamp", "v1.Time"}},
		"of bytes":      {fieldpath.Index(fieldpath.Key(fieldpath.Of(secret, &secret.Data), "x"), 0), []string{".data.x", "[]uint8", "one value in JSON"}},
		"negative":      {fieldpath.Index(containers, -1), []string{"-1", ".spec.template.spec.containers"}},
		"no such key":   {fieldpath.Where(containers, "naem", "x"), []string{`containers[naem="x"]`, `v1.Container has no field "naem"`}},
		"wrong value":   {fieldpath.Where(containers, "name", 3), []string{"name is a string", "int64"}},
		"no scalar":     {fieldpath.Where(containers, "resources", "x"), []string{"resources is a v1.ResourceRequirements"}},
		"zero":          {empty, []string{"zero Path"}},
		"carried":       {fieldpath.Index(fieldpath.Index(fieldpath.Path[appsv1.Deployment, [][]string]{}, 0), 0), []string{"zero Path"}},
	} {
		err := tc.path.Err()
		if err == nil {
			t.Errorf("%s: no error: %s", name, tc.path)
			continue
		}
		for _, say := range tc.says {
			if !strings.Contains(err.Error(), say) {
				t.Errorf("%s: %q does not say %q", name, err, say)
			}
		}
		if !strings.HasPrefix(tc.path.String(), "!(") {
			t.Errorf("%s: spelled %s", name, tc.path)
		}
		if _, err := tc.path.Pointer(); err == nil {
			t.Errorf("%s: has a pointer", name)
		}
	}
	if _, err := fieldpath.Get(own, empty); err == nil {
		t.Error("Get with the zero path")
	}
	if _, err := fieldpath.Set(own, empty, "x"); err == nil {
		t.Error("Set with the zero path")
	}
	if _, err := fieldpath.Has(own, empty); err == nil {
		t.Error("Has with the zero path")
	}
	if _, err := fieldpath.Take(own, own, empty); err == nil {
		t.Error("Take with the zero path")
	}
	if _, err := fieldpath.Take(&corev1.Pod{}, &corev1.Pod{}, fieldpath.Of(d, &d.Spec)); err == nil || !strings.Contains(err.Error(), "a path into v1.Deployment, not v1.Pod") {
		t.Errorf("Take with another type's path: %v", err)
	}
}

// Types of this test's own: what built-in types do not have.
type (
	Inner struct {
		A string `json:"a"`
	}
	Pointed struct {
		P string `json:"p"`
	}
	Nothing  struct{}
	Embedder struct {
		Inner     `json:",inline"`
		*Pointed  `json:",inline"`
		First     First                `json:"first"`
		Empty     Nothing              `json:"empty"`
		EmptyPtr  *Nothing             `json:"emptyPtr,omitempty"`
		EmptyPtr2 *Nothing             `json:"emptyPtr2,omitempty"`
		Empties   []Nothing            `json:"empties,omitempty"`
		After     string               `json:"after"`
		Hidden    string               `json:"-"`
		Pair      [2]Inner             `json:"pair"`
		Named     networkingv1.Ingress `json:"named"`
		Deep      **string             `json:"deep"`
		NoTag     string
	}
	// First shares its address with what it begins with.
	First struct {
		Second Second `json:"second"`
	}
	Second struct {
		Third string `json:"third"`
	}
	// Tree contains itself.
	Tree struct {
		Name     string  `json:"name"`
		Left     *Tree   `json:"left,omitempty"`
		Children []Tree  `json:"children,omitempty"`
		ByName   []*Tree `json:"byName,omitempty"`
	}
)

func TestShapes(t *testing.T) {
	t.Parallel()
	e := fieldpath.Root[Embedder]()
	tree := fieldpath.Root[Tree]()
	for want, p := range map[string]fieldpath.Any{
		".a":                     fieldpath.Of(e, &e.A),
		".p":                     fieldpath.Of(e, &e.P),
		".first":                 fieldpath.Of(e, &e.First),
		".first.second":          fieldpath.Of(e, &e.First.Second),
		".first.second.third":    fieldpath.Of(e, &e.First.Second.Third),
		".empty":                 fieldpath.Of(e, &e.Empty),
		".emptyPtr":              fieldpath.Of(e, e.EmptyPtr),
		".emptyPtr2":             fieldpath.Of(e, e.EmptyPtr2),
		".empties[0]":            fieldpath.Of(e, &e.Empties[0]),
		".after":                 fieldpath.Of(e, &e.After),
		".pair[1].a":             fieldpath.Of(e, &e.Pair[1].A),
		".pair[0]":               fieldpath.Of(e, &e.Pair[0]),
		".named.metadata":        fieldpath.Of(e, &e.Named.ObjectMeta),
		".deep":                  fieldpath.Of(e, *e.Deep),
		".NoTag":                 fieldpath.Of(e, &e.NoTag),
		".left.left.name":        fieldpath.Of(tree, &tree.Left.Left.Name),
		".children[0].left.name": fieldpath.Of(tree, &tree.Children[0].Left.Name),
		".byName[0].name":        fieldpath.Of(tree, &tree.ByName[0].Name),
	} {
		if p.String() != want {
			t.Errorf("got %s, want %s", p, want)
		}
	}
	if p := fieldpath.Of(e, &e.Hidden); p.Err() == nil || !strings.Contains(p.Err().Error(), "field Hidden of fieldpath_test.Embedder is not in its JSON") {
		t.Errorf("a hidden field: %v", p.Err())
	}
	if p := fieldpath.Of(e, &e.Inner); p.Err() == nil {
		t.Errorf("an inlined struct: %s", p)
	}
	if tree.Left.Left.Left != nil || len(tree.Children[0].Children[0].Children) != 0 {
		t.Error("the tree's probe is deeper than three levels")
	}
	if p := fieldpath.Of(tree, tree.Left.Left.Left); p.Err() == nil || !strings.Contains(p.Err().Error(), "3 levels") {
		t.Errorf("below the limit: %v", p.Err())
	}
	deeper := fieldpath.Join(fieldpath.Of(tree, tree.Left.Left), fieldpath.Of(tree, &tree.Left.Left.Name))
	if deeper.String() != ".left.left.left.left.name" {
		t.Errorf("joined: %s", deeper)
	}
}

func TestProbeIsShared(t *testing.T) {
	t.Parallel()
	got := make(chan *corev1.Pod)
	for range 8 {
		go func() { got <- fieldpath.Root[corev1.Pod]() }()
	}
	first := <-got
	for range 7 {
		if <-got != first {
			t.Fatal("two probes of one type")
		}
	}
}
