package kubesdk_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/kubetest"
)

func TestSelectors(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	for name, labels := range map[string]map[string]string{
		"dev": {"env": "dev"}, "test": {"env": "test", "canary": "yes"}, "prod": {"env": "prod"}, "none": nil,
	} {
		cm := configMap(name)
		cm.Labels = labels
		must[*corev1.ConfigMap](t)(handle.Create(t.Context(), cm))
	}
	requirement := func(key string, op metav1.LabelSelectorOperator, values ...string) kubesdk.SelectOption {
		return kubesdk.LabelSelector(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: op, Values: values}}})
	}
	for name, tt := range map[string]struct {
		option kubesdk.SelectOption
		want   []string
	}{
		"equality":            {kubesdk.Labels("env=dev"), []string{"dev"}},
		"double equality":     {kubesdk.Labels("env==dev"), []string{"dev"}},
		"inequality":          {kubesdk.Labels("env!=dev"), []string{"none", "prod", "test"}},
		"in":                  {kubesdk.Labels("env in (dev, prod)"), []string{"dev", "prod"}},
		"not in":              {kubesdk.Labels("env notin (dev, prod)"), []string{"none", "test"}},
		"exists":              {kubesdk.Labels("canary"), []string{"test"}},
		"absent":              {kubesdk.Labels("!canary"), []string{"dev", "none", "prod"}},
		"several":             {kubesdk.Labels("env, !canary, env!=prod"), []string{"dev"}},
		"everything":          {kubesdk.Labels(""), []string{"dev", "none", "prod", "test"}},
		"matchLabels":         {kubesdk.LabelSelector(metav1.LabelSelector{MatchLabels: map[string]string{"env": "test", "canary": "yes"}}), []string{"test"}},
		"In":                  {requirement("env", metav1.LabelSelectorOpIn, "dev", "prod"), []string{"dev", "prod"}},
		"NotIn":               {requirement("env", metav1.LabelSelectorOpNotIn, "dev", "prod"), []string{"none", "test"}},
		"Exists":              {requirement("canary", metav1.LabelSelectorOpExists), []string{"test"}},
		"DoesNotExist":        {requirement("canary", metav1.LabelSelectorOpDoesNotExist), []string{"dev", "none", "prod"}},
		"an empty selector":   {kubesdk.LabelSelector(metav1.LabelSelector{}), []string{"dev", "none", "prod", "test"}},
		"a field":             {kubesdk.Fields("metadata.name=prod"), []string{"prod"}},
		"a field that is not": {kubesdk.Fields("metadata.name!=prod"), []string{"dev", "none", "test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := names(t, handle, tt.option)
			got = slices.DeleteFunc(got, func(n string) bool { return n == "kube-root-ca.crt" })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func names[T kubesdk.Object](t *testing.T, handle kubesdk.Resource[T], opts ...kubesdk.SelectOption) []string {
	t.Helper()
	var list []kubesdk.ListOption
	for _, o := range opts {
		list = append(list, o)
	}
	got := []string{}
	for item, err := range handle.All(t.Context(), list...) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item.GetName())
	}
	slices.Sort(got)
	return got
}

func TestCustomFieldSelector(t *testing.T) {
	t.Parallel()
	c := kubetest.Start(t).Client
	widgets(t, c)
	handle := kubesdk.For[*Widget](c).Namespace(kubetest.Namespace(t, c))
	for _, color := range []string{"red", "blue"} {
		must[*Widget](t)(handle.Create(t.Context(), &Widget{ObjectMeta: metav1.ObjectMeta{Name: color}, Spec: WidgetSpec{Color: color}}))
	}
	if got := names(t, handle, kubesdk.Fields("spec.color=red")); !slices.Equal(got, []string{"red"}) {
		t.Errorf("got %q", got)
	}
}

// Wrong selectors are refused here where their syntax says so, else by the server.
func TestWrongSelectors(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	list := func(o kubesdk.ListOption) error {
		_, err := handle.List(t.Context(), o)
		return err
	}
	mustSay(t, list(kubesdk.Labels("a in b")), "list configmaps", `label selector "a in b"`)
	mustSay(t, list(kubesdk.Labels("-x=1")), `label selector "-x=1"`)
	mustSay(t, list(kubesdk.Fields("a~b")), `field selector "a~b"`)
	mustSay(t, list(kubesdk.LabelSelector(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}})), "label selector", "Near")
	mustSay(t, list(kubesdk.Limit(-1)), "limit", "-1")
	for _, err := range []error{list(kubesdk.Labels("a in b")), list(kubesdk.Limit(-1))} {
		if e := asError(t, err); e.Attempts != 0 || e.URL != "" || e.FromServer() {
			t.Errorf("it was sent: %+v", e)
		}
	}
	err := list(kubesdk.Fields("data.k=v"))
	mustSay(t, err, "data.k", "400")
	if !errors.Is(err, kubesdk.ErrBadRequest) || !asError(t, err).FromServer() {
		t.Errorf("got %v", err)
	}
	mustSay(t, handle.DeleteAll(t.Context(), kubesdk.Labels("a in b")), `label selector "a in b"`)
}

func TestPages(t *testing.T) {
	t.Parallel()
	c, proxy := proxied(t)
	handle := kubesdk.For[*corev1.Secret](c).Namespace(kubetest.Namespace(t, c))
	const total = 7
	for i := range total {
		must[*corev1.Secret](t)(handle.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s-%d", i)}}))
	}
	proxy.Forget()
	var got []string
	page := must[*kubesdk.List[*corev1.Secret]](t)(handle.List(t.Context(), kubesdk.Limit(3)))
	if page.Remaining == nil || *page.Remaining != 4 {
		t.Errorf("remaining is %v, want 4", page.Remaining)
	}
	for pages := 1; ; pages++ {
		for _, s := range page.Items {
			got = append(got, s.Name)
		}
		if page.Continue == "" {
			if pages != 3 {
				t.Errorf("there were %d pages, want 3", pages)
			}
			break
		}
		page = must[*kubesdk.List[*corev1.Secret]](t)(handle.List(t.Context(), kubesdk.Limit(3), kubesdk.Continue(page.Continue)))
	}
	want := []string{"s-0", "s-1", "s-2", "s-3", "s-4", "s-5", "s-6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	proxy.Forget()
	got = nil
	for s, err := range handle.All(t.Context(), kubesdk.Limit(3)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" || proxy.Count(nil) != 3 {
		t.Errorf("%d requests, %s", proxy.Count(nil), diff)
	}
}

func TestResourceVersion(t *testing.T) {
	t.Parallel()
	handle := configMaps(t)
	first := must[*corev1.ConfigMap](t)(handle.Create(t.Context(), configMap("a", "k", "1")))
	list := must[*kubesdk.List[*corev1.ConfigMap]](t)(handle.List(t.Context()))
	second := configMap("a", "k", "2")
	must[*corev1.ConfigMap](t)(handle.Replace(t.Context(), second))

	old := must[*kubesdk.List[*corev1.ConfigMap]](t)(handle.List(t.Context(), kubesdk.Fields("metadata.name=a"),
		kubesdk.ResourceVersion(list.ResourceVersion), kubesdk.ResourceVersionMatch(metav1.ResourceVersionMatchExact)))
	if len(old.Items) != 1 || old.Items[0].Data["k"] != "1" || old.ResourceVersion != list.ResourceVersion {
		t.Errorf("the state of then is %+v", old)
	}
	fresh := must[*kubesdk.List[*corev1.ConfigMap]](t)(handle.List(t.Context(), kubesdk.Fields("metadata.name=a"),
		kubesdk.ResourceVersion(first.ResourceVersion), kubesdk.ResourceVersionMatch(metav1.ResourceVersionMatchNotOlderThan)))
	if len(fresh.Items) != 1 {
		t.Errorf("not older than its creation: %+v", fresh)
	}
	if got := must[*corev1.ConfigMap](t)(handle.Get(t.Context(), "a", kubesdk.ResourceVersion("0"))); got.Name != "a" {
		t.Errorf("from the cache: %+v", got)
	}
	_, err := handle.List(t.Context(), kubesdk.ResourceVersionMatch(metav1.ResourceVersionMatchExact))
	if !errors.Is(err, kubesdk.ErrInvalid) {
		t.Errorf("a match without a version: %v", err)
	}
	_, err = handle.Get(t.Context(), "a", kubesdk.ResourceVersion("99999999999"), kubesdk.Timeout(0), kubesdk.Retry(kubesdk.RetryPolicy{}))
	if !errors.Is(err, kubesdk.ErrServerTimeout) {
		t.Errorf("a version of the future: %v", err)
	}
}
