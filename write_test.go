package kubesdk_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

func TestDryRun(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	dry := handle.With(kubesdk.DryRun())
	ctx := t.Context()
	made := must[*corev1.ConfigMap](t)(dry.Create(ctx, configMap("a", "k", "v")))
	if made.UID == "" || made.Data["k"] != "v" {
		t.Errorf("the server's idea of the object is missing: %+v", made)
	}
	if _, ok, err := handle.Lookup(ctx, "a"); ok || err != nil {
		t.Fatalf("a dry run created it: %v, %v", ok, err)
	}
	must[*corev1.ConfigMap](t)(handle.Create(ctx, configMap("a", "k", "v")))
	if got := must[*corev1.ConfigMap](t)(handle.Replace(ctx, configMap("a", "k", "w"), kubesdk.DryRun())); got.Data["k"] != "w" {
		t.Errorf("the dry run of Replace gives %v", got.Data)
	}
	if err := dry.Delete(ctx, "a"); err != nil {
		t.Error(err)
	}
	if err := dry.DeleteAll(ctx); err != nil {
		t.Error(err)
	}
	if got := must[*corev1.ConfigMap](t)(handle.Get(ctx, "a")); got.Data["k"] != "v" {
		t.Errorf("a dry run changed it to %v", got.Data)
	}
}

func TestFieldManager(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	cm := must[*corev1.ConfigMap](t)(handle.Create(t.Context(), configMap("a", "k", "v"), kubesdk.FieldManager("first")))
	if got := managers(cm); !slices.Equal(got, []string{"first"}) {
		t.Errorf("after Create: %q", got)
	}
	cm.Data = map[string]string{"k": "w"}
	cm = must[*corev1.ConfigMap](t)(handle.Replace(t.Context(), cm, kubesdk.FieldManager("second")))
	if got := managers(cm); !slices.Contains(got, "second") {
		t.Errorf("after Replace: %q", got)
	}
	cm = must[*corev1.ConfigMap](t)(handle.Create(t.Context(), configMap("b", "k", "v")))
	if got := managers(cm); len(got) != 1 || !strings.HasPrefix(got[0], "kubesdk.test") {
		t.Errorf("without the option it is not the program's name, but %q", got)
	}
	_, err := handle.Create(t.Context(), configMap("c"), kubesdk.FieldManager(strings.Repeat("x", 129)))
	mustSay(t, err, "field manager", "129", "128")
}

func managers(obj metav1.Object) []string {
	var names []string
	for _, m := range obj.GetManagedFields() {
		names = append(names, m.Manager)
	}
	return names
}

func TestFieldValidation(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	ns := kubetest.Namespace(t, c)
	typo := func() *unstructured.Unstructured {
		u := dynamic(metav1.ObjectMeta{Name: "a"})
		u.Object["dta"] = map[string]any{"k": "v"}
		return u
	}
	info := kubesdk.TypeInfo{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ConfigMap"), Plural: "configmaps", Namespaced: true}
	handle := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(info)).Namespace(ns).With(kubesdk.DryRun())

	_, err := handle.Create(t.Context(), typo(), kubesdk.FieldValidation(metav1.FieldValidationStrict))
	mustSay(t, err, "strict decoding error", "dta", "create configmaps", ns+"/a", "400")
	if !errors.Is(err, kubesdk.ErrBadRequest) {
		t.Errorf("%v is no ErrBadRequest", err)
	}
	for _, lax := range []string{metav1.FieldValidationWarn, metav1.FieldValidationIgnore} {
		if _, err := handle.Create(t.Context(), typo(), kubesdk.FieldValidation(lax)); err != nil {
			t.Errorf("%s: %v", lax, err)
		}
	}
	_, err = handle.Create(t.Context(), typo(), kubesdk.FieldValidation("strict"))
	mustSay(t, err, `"strict"`, "Strict, Warn, Ignore")
}

func TestReplace(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	cm := configMap("a", "k", "v")
	if _, err := handle.Replace(t.Context(), cm); !errors.Is(err, kubesdk.ErrNotFound) {
		t.Errorf("replace what is not there: %v", err)
	}
	must[*corev1.ConfigMap](t)(handle.Create(t.Context(), cm))
	unguarded := must[*corev1.ConfigMap](t)(handle.Replace(t.Context(), configMap("a", "other", "w")))
	if len(unguarded.Data) != 1 || unguarded.Data["other"] != "w" {
		t.Errorf("the whole object was not replaced: %v", unguarded.Data)
	}
}

func TestGenerateName(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-"}}
	got := must[*corev1.ConfigMap](t)(handle.Create(t.Context(), cm))
	if !strings.HasPrefix(got.Name, "made-") || len(got.Name) == len("made-") {
		t.Errorf("the name is %q", got.Name)
	}
}

// The server's warnings reach the log of the call.
func TestWarnings(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	ns := kubetest.Namespace(t, c)
	log, text := recorder()
	d := deployment(metav1.ObjectMeta{Name: "a"})
	d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TWICE", Value: "1"}, {Name: "TWICE", Value: "2"}}
	must[*appsv1.Deployment](t)(kubesdk.For[*appsv1.Deployment](c).Namespace(ns).Create(t.Context(), d, kubesdk.DryRun(),
		kubesdk.Log(kubesdk.LogPolicy{Logger: log, OnError: true})))
	if !strings.Contains(text(), "the server warns") || !strings.Contains(text(), "TWICE") {
		t.Errorf("logged: %s", text())
	}
}
