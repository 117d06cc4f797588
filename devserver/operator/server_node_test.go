package operator_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// TestManifests applies manifests with the fields that there always were, and works in what they make.
func TestManifests(t *testing.T) {
	t.Parallel()
	n := node(t)
	n.restrict()
	flavor := n.small()
	n.claim("datasets")
	files, err := filepath.Glob("testdata/manifests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	objects := kubesdk.For[*unstructured.Unstructured](n.Client, kubesdk.TypeOf[*v1.DevServer]()).Namespace(n.namespace)
	var names []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var u unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(content), "FLAVOR", flavor)), &u.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := objects.Create(t.Context(), &u); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		names = append(names, u.GetName())
	}
	for _, name := range names {
		s := n.awaitPhase(name, v1.PhaseRunning)
		if got := n.sh(name, "id -u; id -g; pwd; echo $HOME; touch ~/x && echo written; cat /proc/1/cmdline | tr '\\0' ' ' | cut -d' ' -f1"); got != "1000\n1000\n/home/dev\n/home/dev\nwritten\n/opt/devserver/devserver-agent" {
			t.Errorf("%s: %s", name, got)
		}
		if s.Status.PodName != name+"-0" || s.Status.NodeName == "" || s.Status.StartedAt == nil || s.Status.ExpiresAt == nil || s.Status.Connection == nil {
			t.Errorf("the status of %s is %+v", name, s.Status)
		}
		p, err := kubesdk.For[*corev1.Pod](n.Client).Namespace(n.namespace).Get(t.Context(), name+"-0")
		if err != nil {
			t.Fatal(err)
		}
		if p.Labels["app"] != name || p.Spec.Containers[0].Name != "devserver" {
			t.Errorf("pod of %s: labels %v, first container %s", name, p.Labels, p.Spec.Containers[0].Name)
		}
	}
	full := n.awaitPhase("full", v1.PhaseRunning)
	if got, want := full.Status.ExpiresAt.Sub(full.CreationTimestamp.Time), 90*time.Minute; got != want {
		t.Errorf("full expires after %v, want %v", got, want)
	}
	if got := n.sh("full", "touch /data/x 2>&1 || true; touch /scratch/x && df /home/dev /data | wc -l"); !strings.Contains(got, "Read-only file system") || !strings.HasSuffix(got, "3") {
		t.Errorf("volumes of full: %s", got)
	}
}

// TestRefused has what the API server refuses at once, each with the field's name.
func TestRefused(t *testing.T) {
	t.Parallel()
	n := node(t)
	ttl := func(d string) string { return fmt.Sprintf(`{flavor: small, lifecycle: {timeToLive: %q}}`, d) }
	tests := map[string]struct{ name, spec, want string }{
		"no flavor":                 {spec: `{image: busybox}`, want: "spec.flavor"},
		"empty flavor":              {spec: `{flavor: ""}`, want: "spec.flavor"},
		"time to live of nothing":   {spec: ttl("0s"), want: "spec.lifecycle.timeToLive"},
		"time to live below 0":      {spec: ttl("-1h"), want: "spec.lifecycle.timeToLive"},
		"time to live in words":     {spec: ttl("8 days"), want: "spec.lifecycle.timeToLive"},
		"time to live of ages":      {spec: ttl("999999h"), want: "spec.lifecycle.timeToLive"},
		"time to live out of range": {spec: ttl("99999999999999999999h"), want: "spec.lifecycle.timeToLive"},
		"absurdly long":             {spec: ttl(strings.Repeat("1h", 1000)), want: "spec.lifecycle.timeToLive"},
		"idle timeout":              {spec: `{flavor: small, lifecycle: {idleTimeout: soon}}`, want: "spec.lifecycle.idleTimeout"},
		"end":                       {spec: `{flavor: small, lifecycle: {onExpiry: Explode}}`, want: "spec.lifecycle.onExpiry"},
		"duplicate mountPath":       {spec: `{flavor: small, volumes: [{claimName: a, mountPath: /a}, {claimName: b, mountPath: /a}]}`, want: "spec.volumes[1]"},
		"relative mountPath":        {spec: `{flavor: small, volumes: [{claimName: a, mountPath: a/b}]}`, want: "spec.volumes[0].mountPath"},
		"mountPath upwards":         {spec: `{flavor: small, volumes: [{claimName: a, mountPath: /a/../b}]}`, want: "spec.volumes[0].mountPath"},
		"no claim":                  {spec: `{flavor: small, volumes: [{mountPath: /a}]}`, want: "spec.volumes[0].claimName"},
		"mode":                      {spec: `{flavor: small, mode: many}`, want: "spec.mode"},
		"distributed how":           {spec: `{flavor: small, mode: distributed}`, want: "spec.distributed"},
		"no workers":                {spec: `{flavor: small, mode: distributed, distributed: {worldSize: 0}}`, want: "spec.distributed.worldSize"},
		"long name":                 {name: strings.Repeat("n", 53), spec: `{flavor: small}`, want: "metadata.name"},
		"name with dots":            {name: "a.b", spec: `{flavor: small}`, want: "metadata.name"},
		"workers begin with digits": {name: "1a", spec: `{flavor: small, mode: distributed, distributed: {worldSize: 2}}`, want: "metadata.name"},
	}
	objects := kubesdk.For[*unstructured.Unstructured](n.Client, kubesdk.TypeOf[*v1.DevServer]()).Namespace(n.namespace)
	for title, test := range tests {
		name := test.name
		if name == "" {
			name = "refused"
		}
		var u unstructured.Unstructured
		if err := yaml.Unmarshal(fmt.Appendf(nil, "{apiVersion: devserver.io/v1, kind: DevServer, metadata: {name: %s}, spec: %s}", name, test.spec), &u.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := objects.Create(t.Context(), &u); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want an error with %q, got: %v", title, test.want, err)
		}
	}
}

// TestShown has what the API server cannot know to be wrong. It is shown within 5 s, and heals by itself.
func TestShown(t *testing.T) {
	t.Parallel()
	n := node(t)
	soon := 5 * time.Second
	if os.Getenv("CI") != "" || testing.Short() {
		soon = patience
	}
	shown := func(name, reason string, words ...string) {
		t.Helper()
		within(t, soon, func() string {
			s, err := n.servers.Get(t.Context(), name)
			if err != nil {
				return err.Error()
			}
			c := meta.FindStatusCondition(s.Status.Conditions, v1.ConditionValid)
			if c == nil || c.Status != metav1.ConditionFalse || c.Reason != reason || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(c.Message, w) }) {
				return fmt.Sprintf("%s: want Valid False with reason %s and %q; the status is %+v", name, reason, words, s.Status)
			}
			return ""
		})
	}
	small := n.small()
	late := "late-" + n.namespace
	n.create("flavor", v1.DevServerSpec{Flavor: late})
	shown("flavor", v1.ReasonFlavorNotFound, "spec.flavor", late)
	n.create("claim", v1.DevServerSpec{Flavor: small, Volumes: []v1.VolumeSpec{{ClaimName: "late-a", MountPath: "/a"}, {ClaimName: "late-b", MountPath: "/b"}}})
	n.claim("late-a")
	shown("claim", v1.ReasonClaimNotFound, "spec.volumes[1].claimName", `"late-b"`)
	n.create("of-flavor", v1.DevServerSpec{Flavor: n.flavor(v1.DevServerFlavorSpec{Volumes: []v1.VolumeSpec{{ClaimName: "late-c", MountPath: "/c"}}})})
	shown("of-flavor", v1.ReasonClaimNotFound, "spec.flavor", "[0].claimName", `"late-c"`)
	n.create("twice", v1.DevServerSpec{Flavor: small, Volumes: []v1.VolumeSpec{{ClaimName: "late-a", MountPath: "/a"}, {ClaimName: "late-a", MountPath: "/a/"}}})
	shown("twice", v1.ReasonInvalidSpec, "spec.volumes[1].mountPath")
	n.create("own", v1.DevServerSpec{Flavor: small, Volumes: []v1.VolumeSpec{{ClaimName: "late-a", MountPath: "/opt/devserver"}}})
	shown("own", v1.ReasonInvalidSpec, "spec.volumes[0].mountPath")
	n.create("flavors-fault", v1.DevServerSpec{Flavor: n.flavor(v1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}, Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
	}})})
	shown("flavors-fault", v1.ReasonRefused, "resources.requests")
	n.claim("taken-home")
	n.create("taken", v1.DevServerSpec{Flavor: small, PersistentHome: &v1.PersistentHomeSpec{Enabled: true}})
	shown("taken", v1.ReasonNameTaken, "metadata.name", "taken-home")
	n.create("settings", v1.DevServerSpec{Flavor: small, Mode: v1.ModeDistributed, Distributed: &v1.DistributedSpec{WorldSize: 1, NCCLSettings: map[string]string{"NCCL DEBUG": "INFO"}}})
	shown("settings", v1.ReasonInvalidSpec, "spec.distributed.ncclSettings", "NCCL DEBUG")

	flavors := kubesdk.For[*v1.DevServerFlavor](n.Client)
	if _, err := flavors.Create(t.Context(), &v1.DevServerFlavor{ObjectMeta: metav1.ObjectMeta{Name: late}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flavors.Delete(context.Background(), late) })
	n.claim("late-b")
	n.claim("late-c")
	n.change("twice", func(s *v1.DevServer) { s.Spec.Volumes[1].MountPath = "/b" })
	for _, name := range []string{"flavor", "claim", "of-flavor", "twice"} {
		s := n.awaitPhase(name, v1.PhaseRunning)
		if !meta.IsStatusConditionTrue(s.Status.Conditions, v1.ConditionValid) {
			t.Errorf("the status of %s is %+v", name, s.Status)
		}
	}
	n.create("sized", v1.DevServerSpec{Flavor: small, PersistentHome: &v1.PersistentHomeSpec{Enabled: true, Size: new(resource.MustParse("2Mi"))}})
	n.awaitPhase("sized", v1.PhaseRunning)
	for size, reason := range map[string]string{"1Mi": v1.ReasonInvalidSpec, "4Mi": v1.ReasonRefused} { // localkube's class does not let volumes grow
		n.change("sized", func(s *v1.DevServer) { s.Spec.PersistentHome.Size = new(resource.MustParse(size)) })
		if s := n.says("sized", reason, "spec.persistentHome", "not as its spec says"); s.Status.Phase != v1.PhaseRunning {
			t.Errorf("a server whose home cannot be %s is %+v", size, s.Status)
		}
	}

	edited := n.small()
	n.create("edited", v1.DevServerSpec{Flavor: edited})
	n.awaitPhase("edited", v1.PhaseRunning)
	if _, err := flavors.Mutate(t.Context(), edited, func(f *v1.DevServerFlavor) error {
		f.Spec.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")} // less than is requested
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s := n.says("edited", v1.ReasonRefused, "resources.requests"); s.Status.Phase != v1.PhaseRunning {
		t.Errorf("a server whose flavor became invalid is %+v", s.Status)
	}
	n.change("edited", func(s *v1.DevServer) { s.Spec.Running = new(false) })
	n.awaitPhase("edited", v1.PhaseStopped)

	if err := flavors.Delete(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	s := n.says("flavor", v1.ReasonFlavorNotFound, "spec.flavor", late)
	if s.Status.Phase != v1.PhaseRunning {
		t.Errorf("a server whose flavor was deleted is %+v", s.Status)
	}
	n.change("flavor", func(s *v1.DevServer) { s.Spec.Running = new(false) })
	n.awaitPhase("flavor", v1.PhaseStopped)
}

func TestFlavors(t *testing.T) {
	t.Parallel()
	n := node(t)
	flavors := kubesdk.For[*v1.DevServerFlavor](n.Client)
	await := func(name string, want func(f *v1.DevServerFlavor) bool) {
		t.Helper()
		eventually(t, func() string {
			f, err := flavors.Get(t.Context(), name)
			if err != nil || f.Status.ObservedGeneration != f.Generation || !want(f) {
				return fmt.Sprintf("%s: %v, %+v", name, err, f)
			}
			return ""
		})
	}
	valid := func(f *v1.DevServerFlavor) *metav1.Condition {
		return meta.FindStatusCondition(f.Status.Conditions, v1.ConditionValid)
	}
	one, two := n.flavor(v1.DevServerFlavorSpec{Default: true}), n.flavor(v1.DevServerFlavorSpec{Default: true})
	for name, other := range map[string]string{one: two, two: one} {
		await(name, func(f *v1.DevServerFlavor) bool {
			c := valid(f)
			return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, "spec.default") && strings.Contains(c.Message, other)
		})
	}
	if err := flavors.Delete(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	await(two, func(f *v1.DevServerFlavor) bool {
		return valid(f).Status == metav1.ConditionTrue && f.Status.Schedulable == v1.SchedulableYes
	})
	huge := n.flavor(v1.DevServerFlavorSpec{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"example.com/gpu": resource.MustParse("8")}}})
	await(huge, func(f *v1.DevServerFlavor) bool { return f.Status.Schedulable == v1.SchedulableNo })
}

// TestHome follows a home through stop, resume, deletion and a new server of the same name.
func TestHome(t *testing.T) {
	t.Parallel()
	n := node(t)
	small := n.small()
	n.claim("mine")
	homes := map[string]*v1.PersistentHomeSpec{
		"kept":      {Enabled: true, Retain: true},
		"dropped":   {Enabled: true},
		"switched":  {Enabled: true}, // to retain, in the end
		"ephemeral": nil,
		"instead":   {Enabled: true}, // the volume at /home/dev wins
	}
	spec := func(name string) v1.DevServerSpec {
		s := v1.DevServerSpec{Flavor: small, PersistentHome: homes[name]}
		if name == "instead" {
			s.Volumes = []v1.VolumeSpec{{ClaimName: "mine", MountPath: "/home/dev/"}}
		}
		return s
	}
	each := func(f func(name string)) {
		for name := range homes {
			f(name)
		}
	}
	const cat = "cat ~/note 2>/dev/null || echo none"
	each(func(name string) { n.create(name, spec(name)) })
	each(func(name string) { n.awaitPhase(name, v1.PhaseRunning); n.sh(name, "echo first > ~/note") })
	if n.hasClaim("instead-home") || n.hasClaim("ephemeral-home") {
		t.Error("there are claims for homes that nobody asked for")
	}

	each(func(name string) { n.change(name, func(s *v1.DevServer) { s.Spec.Running = new(false) }) })
	each(func(name string) { n.awaitPhase(name, v1.PhaseStopped) })
	if !n.hasClaim("kept-home") || !n.hasClaim("dropped-home") || !n.hasClaim("mine") {
		t.Error("a stop takes the claim")
	}
	each(func(name string) { n.change(name, func(s *v1.DevServer) { s.Spec.Running = new(true) }) })
	want := map[string]string{"kept": "first", "dropped": "first", "switched": "first", "ephemeral": "none", "instead": "first"}
	each(func(name string) {
		s := n.awaitPhase(name, v1.PhaseRunning)
		if got := n.sh(name, cat); got != want[name] {
			t.Errorf("after a stop the home of %s has %s, want %s", name, got, want[name])
		}
		if s.Status.ResumedAt == nil || s.Status.ExpiresAt.Sub(s.Status.ResumedAt.Time) != 24*time.Hour {
			t.Errorf("the time to live does not count anew: %+v", s.Status)
		}
	})

	// A new server of the same name, at once: what is left of the old one must not become its own.
	each(func(name string) {
		if err := n.servers.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		n.create(name, spec(name))
	})
	want = map[string]string{"kept": "first", "dropped": "none", "switched": "none", "ephemeral": "none", "instead": "first"}
	each(func(name string) {
		n.awaitPhase(name, v1.PhaseRunning)
		if got := n.sh(name, cat); got != want[name] {
			t.Errorf("the home of the new %s has %s, want %s", name, got, want[name])
		}
	})
	n.change("switched", func(s *v1.DevServer) { s.Spec.PersistentHome.Retain = true })
	n.awaitPhase("switched", v1.PhaseRunning)
	each(func(name string) { n.remove(name) })
	eventually(t, func() string {
		if n.hasClaim("dropped-home") {
			return "a home that is not retained outlives its server"
		}
		return ""
	})
	if !n.hasClaim("kept-home") || !n.hasClaim("switched-home") || !n.hasClaim("mine") {
		t.Error("a claim is gone that is not the operator's to delete")
	}
}

// TestRepair changes and deletes children behind the operator's back.
func TestRepair(t *testing.T) {
	t.Parallel()
	n := node(t)
	flavor := n.small()
	n.create("victim", v1.DevServerSpec{Flavor: flavor, Mode: v1.ModeDistributed, Distributed: &v1.DistributedSpec{WorldSize: 1},
		Env: []corev1.EnvVar{{Name: "KEEP", Value: "me"}}})
	n.awaitPhase("victim", v1.PhaseRunning)
	sets, services := kubesdk.For[*appsv1.StatefulSet](n.Client).Namespace(n.namespace), kubesdk.For[*corev1.Service](n.Client).Namespace(n.namespace)
	ctx := t.Context()

	changes := map[string]func() error{
		"scaled": func() error { _, err := sets.Scale(ctx, "victim", 0); return err },
		"unlabelled": func() error {
			return ignore(sets.Mutate(ctx, "victim", func(s *appsv1.StatefulSet) error { s.Labels = nil; return nil }))
		},
		"disowned": func() error {
			return ignore(sets.Mutate(ctx, "victim", func(s *appsv1.StatefulSet) error { s.OwnerReferences = nil; return nil }))
		},
		"edited": func() error {
			return ignore(sets.Mutate(ctx, "victim", func(s *appsv1.StatefulSet) error {
				s.Spec.Template.Spec.Containers[0].Env = nil
				return nil
			}))
		},
		"service edited": func() error {
			return ignore(services.Mutate(ctx, "victim-workers", func(s *corev1.Service) error { s.Spec.Selector = map[string]string{"app": "other"}; return nil }))
		},
		"service deleted": func() error { return services.Delete(ctx, "victim-workers") },
		"pod deleted":     func() error { return kubesdk.For[*corev1.Pod](n.Client).Namespace(n.namespace).Delete(ctx, "victim-0") },
		"deleted":         func() error { return sets.Delete(ctx, "victim") },
	}
	for title, change := range changes {
		n.awaitPhase("victim", v1.PhaseRunning)
		before := uid(t, sets, "victim")
		if err := change(); err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		eventually(t, func() string {
			set, err := sets.Get(ctx, "victim")
			if err != nil || *set.Spec.Replicas != 1 || set.Labels[v1.LabelServer] != "victim" || len(set.OwnerReferences) != 1 ||
				!slices.ContainsFunc(set.Spec.Template.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "KEEP" }) {
				return fmt.Sprintf("%s: not repaired: %v, %+v", title, err, set)
			}
			if title == "deleted" && string(set.UID) == before {
				return "not deleted yet"
			}
			s, err := services.Get(ctx, "victim-workers")
			if err != nil || s.Spec.Selector[v1.LabelServer] != "victim" {
				return fmt.Sprintf("%s: not repaired: %v", title, err)
			}
			return ""
		})
	}
	n.awaitPhase("victim", v1.PhaseRunning)

	flavors := kubesdk.For[*v1.DevServerFlavor](n.Client)
	if _, err := flavors.Mutate(ctx, flavor, func(f *v1.DevServerFlavor) error {
		f.Spec.Resources.Requests[corev1.ResourceMemory] = resource.MustParse("9Mi")
		f.Spec.Tolerations = []corev1.Toleration{{Key: "new", Operator: corev1.TolerationOpExists}}
		f.Spec.NodeSelector = map[string]string{corev1.LabelOSStable: "linux"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		p, err := kubesdk.For[*corev1.Pod](n.Client).Namespace(n.namespace).Get(ctx, "victim-0")
		if err != nil || p.Spec.Containers[0].Resources.Requests.Memory().String() != "9Mi" || p.Spec.NodeSelector[corev1.LabelOSStable] != "linux" || p.Spec.Tolerations[0].Key != "new" {
			return fmt.Sprintf("the pod does not follow its flavor: %v", err)
		}
		return ""
	})
	n.awaitPhase("victim", v1.PhaseRunning)
	n.change("victim", func(s *v1.DevServer) { s.Spec.Mode, s.Spec.Distributed = v1.ModeStandalone, nil })
	eventually(t, func() string {
		if _, ok, err := services.Lookup(ctx, "victim-workers"); ok || err != nil {
			return fmt.Sprintf("the service of the workers is left, %v", err)
		}
		return ""
	})
	n.awaitPhase("victim", v1.PhaseRunning)
}

func ignore[T any](_ T, err error) error { return err }

func uid(t *testing.T, sets kubesdk.Resource[*appsv1.StatefulSet], name string) string {
	t.Helper()
	set, ok, err := sets.Lookup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return ""
	}
	return string(set.UID)
}
