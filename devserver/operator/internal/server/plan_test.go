package server

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

var update = flag.Bool("update", false, "write the golden files")

func serverWith(spec devserverv1.DevServerSpec) *devserverv1.DevServer {
	return &devserverv1.DevServer{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "dev-alice", UID: "1234", Generation: 3}, Spec: spec}
}

func quantities(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

var testDefaults = Defaults{Image: "default:1", AgentImage: "agent:1", HomeSize: resource.MustParse("10Gi")}

func TestPlan(t *testing.T) {
	t.Parallel()
	gpu := devserverv1.DevServerFlavorSpec{
		Resources: corev1.ResourceRequirements{
			Requests: quantities("cpu", "500m", "memory", "1Gi"),
			Limits:   quantities("memory", "2Gi", "nvidia.com/gpu", "2"),
		},
		NodeSelector: map[string]string{"gpu": "a100"},
		Tolerations:  []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}},
		Volumes: []devserverv1.VolumeSpec{
			{ClaimName: "datasets", MountPath: "/data", ReadOnly: true},
			{ClaimName: "cache", MountPath: "/cache/"},
		},
	}
	tests := map[string]struct {
		spec   devserverv1.DevServerSpec
		flavor devserverv1.DevServerFlavorSpec
	}{
		"minimal": {},
		"stopped": {spec: devserverv1.DevServerSpec{Running: new(false)}},
		"flavored": {
			spec: devserverv1.DevServerSpec{
				Image:          "mine:2",
				PersistentHome: &devserverv1.PersistentHomeSpec{Enabled: true, Size: new(resource.MustParse("20Gi")), StorageClassName: new("fast")},
				Volumes: []devserverv1.VolumeSpec{
					{ClaimName: "mine", MountPath: "/cache"},
					{ClaimName: "mine", MountPath: "/work", ReadOnly: true},
				},
				Env:        []corev1.EnvVar{{Name: "USER", Value: "alice"}, {Name: "TOKEN", Value: "$(USER)"}},
				InitScript: "echo $HOME $(date) $$",
			},
			flavor: gpu,
		},
		"home-replaced": {spec: devserverv1.DevServerSpec{
			PersistentHome: &devserverv1.PersistentHomeSpec{Enabled: true},
			Volumes:        []devserverv1.VolumeSpec{{ClaimName: "mine", MountPath: "/home/dev/"}},
		}},
		"distributed": {
			spec: devserverv1.DevServerSpec{
				Mode:           devserverv1.ModeDistributed,
				Distributed:    &devserverv1.DistributedSpec{WorldSize: 4, NprocsPerNode: 8, Backend: "nccl", NCCLSettings: map[string]string{"NCCL_DEBUG": "INFO", "RANK": "7"}},
				PersistentHome: &devserverv1.PersistentHomeSpec{Enabled: true, Retain: true},
			},
			flavor: gpu,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := plan(serverWith(test.spec), &devserverv1.DevServerFlavor{Spec: test.flavor}, testDefaults)
			var got bytes.Buffer
			all := []client.Object{c.workload}
			if c.home != nil {
				all = append(all, c.home)
			}
			if c.service != nil {
				all = append(all, c.service)
			}
			for _, obj := range all {
				u, err := applyConfiguration(obj)
				if err != nil {
					t.Fatal(err)
				}
				text, err := yaml.Marshal(u.Object)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(text)
			}
			golden(t, filepath.Join("testdata", "plan", name+".yaml"), got.Bytes())
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; write it with -update):\n%s", path, diff)
	}
}

// TestMatches has changes that the operator undoes, and such that it leaves to others.
func TestMatches(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(c *children)
		want   bool
	}{
		"same":           {func(*children) {}, true},
		"defaulted":      {func(c *children) { c.workload.Spec.Template.Spec.RestartPolicy = "Always" }, true},
		"others' labels": {func(c *children) { c.workload.Labels["team"] = "blue" }, true},
		"scaled":         {func(c *children) { c.workload.Spec.Replicas = new(int32(3)) }, false},
		"label changed":  {func(c *children) { c.workload.Labels[labelManagedBy] = "me" }, false},
		"disowned":       {func(c *children) { c.workload.OwnerReferences = nil }, false},
		"image":          {func(c *children) { c.workload.Spec.Template.Spec.Containers[0].Image = "other" }, false},
		"flag":           {func(c *children) { c.workload.Spec.Template.Spec.AutomountServiceAccountToken = new(true) }, false},
		"sidecar": {func(c *children) {
			c.workload.Spec.Template.Spec.Containers = append(c.workload.Spec.Template.Spec.Containers, corev1.Container{Name: "more"})
		}, false},
		"another plan": {func(c *children) { c.workload.Annotations[annotationApplied] = "0" }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverWith(devserverv1.DevServerSpec{Running: new(false)})
			want, err := applyConfiguration(plan(s, &devserverv1.DevServerFlavor{}, testDefaults).workload)
			if err != nil {
				t.Fatal(err)
			}
			live := plan(s, &devserverv1.DevServerFlavor{}, testDefaults)
			live.workload.Annotations = want.GetAnnotations()
			test.change(&live)
			if got, err := matches(want, live.workload); err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

// TestSettled has changes of the operator's settings, which end nobody's work, and changes by people, which may.
func TestSettled(t *testing.T) {
	t.Parallel()
	newer := Defaults{Image: "default:2", AgentImage: "agent:2", HomeSize: testDefaults.HomeSize}
	tests := map[string]struct {
		made, now devserverv1.DevServerSpec
		flavor    devserverv1.DevServerFlavorSpec
		change    func(c *children)
		want      Defaults
	}{
		"nothing but settings": {want: testDefaults},
		"own image":            {made: devserverv1.DevServerSpec{Image: "mine"}, now: devserverv1.DevServerSpec{Image: "mine"}, want: Defaults{Image: "default:2", AgentImage: "agent:1", HomeSize: testDefaults.HomeSize}},
		"another image":        {made: devserverv1.DevServerSpec{Image: "mine"}, now: devserverv1.DevServerSpec{Image: "other"}, want: newer},
		"the default again":    {made: devserverv1.DevServerSpec{Image: "mine"}, want: newer},
		"resumed":              {made: devserverv1.DevServerSpec{Running: new(false)}, want: newer},
		"stopped":              {now: devserverv1.DevServerSpec{Running: new(false)}, want: newer},
		"another flavor":       {flavor: devserverv1.DevServerFlavorSpec{NodeSelector: map[string]string{"a": "b"}}, want: newer},
		"tampered with":        {change: func(c *children) { c.workload.Spec.Template.Spec.InitContainers[0].Image = "evil" }, want: newer},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := plan(serverWith(test.made), &devserverv1.DevServerFlavor{}, testDefaults)
			applied, err := applyConfiguration(made.workload)
			if err != nil {
				t.Fatal(err)
			}
			made.workload.Annotations = applied.GetAnnotations()
			if test.change != nil {
				test.change(&made)
			}
			o := &observed{flavor: &devserverv1.DevServerFlavor{Spec: test.flavor}, workload: made.workload}
			if got := settled(serverWith(test.now), o, newer); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestKeepHome has a claim that is there already.
func TestKeepHome(t *testing.T) {
	t.Parallel()
	has := homeClaim(serverWith(devserverv1.DevServerSpec{PersistentHome: &devserverv1.PersistentHomeSpec{
		Enabled: true, Size: new(resource.MustParse("40Gi")), StorageClassName: new("slow"),
	}}), testDefaults)
	tests := map[string]struct {
		spec devserverv1.PersistentHomeSpec
		size string
	}{
		"of another size by default": {devserverv1.PersistentHomeSpec{Enabled: true}, "40Gi"},
		"that is to grow":            {devserverv1.PersistentHomeSpec{Enabled: true, Size: new(resource.MustParse("50Gi"))}, "50Gi"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverWith(devserverv1.DevServerSpec{PersistentHome: &test.spec, Mode: devserverv1.ModeDistributed, Distributed: &devserverv1.DistributedSpec{WorldSize: 2}})
			want := homeClaim(s, testDefaults)
			keepHome(s, want, has)
			if size := want.Spec.Resources.Requests[corev1.ResourceStorage]; size.String() != test.size || want.Spec.AccessModes[0] != corev1.ReadWriteOnce || *want.Spec.StorageClassName != "slow" {
				t.Errorf("got %+v", want.Spec)
			}
		})
	}
}
