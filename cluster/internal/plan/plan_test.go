package plan_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

var configs = map[string]state.Config{
	"control plane": {Name: "t", Port: 40000, APIServerArgs: []string{"--v=4"}},
	"node":          {Name: "t", Port: 40000, Node: true, Cgroup: "localkube-0", CNIBin: "/usr/lib/cni"},
}

func TestStepsCanBeDone(t *testing.T) {
	t.Parallel()
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var before []string
			for _, step := range plan.Steps(cfg) {
				if slices.Contains(before, step.Name) {
					t.Errorf("two steps are named %s", step.Name)
				}
				for _, need := range step.After {
					if need == step.Name || !slices.ContainsFunc(plan.Steps(cfg), func(s plan.Step) bool { return s.Name == need }) {
						t.Errorf("%s waits for %s, which never comes", step.Name, need)
					}
				}
				before = append(before, step.Name)
			}
		})
	}
}

// Every file that an argument or a configuration names must be one that is written.
func TestArgumentsNameFilesThatExist(t *testing.T) {
	t.Parallel()
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := plan.Files(cfg, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			for path := range files {
				if !filepath.IsLocal(path) {
					t.Errorf("%s is outside of the cluster's directory", path)
				}
			}
			for _, step := range plan.Steps(cfg) {
				for _, arg := range step.Args {
					_, value, _ := strings.Cut(arg, "=")
					switch filepath.Ext(value) {
					case ".crt", ".key", ".pub", ".kubeconfig", ".yaml", ".toml":
						if _, ok := files[value]; !ok {
							t.Errorf("%s: nobody writes the file of %s", step.Name, arg)
						}
					}
				}
			}
		})
	}
}

func TestKeysAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	files, err := plan.Files(configs["node"], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for path, f := range files {
		if strings.Contains(string(f.Data), "PRIVATE KEY") && f.Mode.Perm() != 0o600 {
			t.Errorf("%s has a private key and mode %v", path, f.Mode)
		}
	}
}

func TestKubeconfigs(t *testing.T) {
	t.Parallel()
	for name, cfg := range configs {
		files, err := plan.Files(cfg, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for path, f := range files {
			if filepath.Ext(path) != ".kubeconfig" && path != "kubeconfig" {
				continue
			}
			want := fmt.Sprintf("https://127.0.0.1:%d", plan.APIServerPort(cfg))
			if path == "kubeconfig" {
				want = "https://127.0.0.1:40000"
			}
			rest, err := clientcmd.RESTConfigFromKubeConfig(f.Data)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, path, err)
			}
			if rest.Host != want || len(rest.CAData) == 0 || len(rest.KeyData) == 0 {
				t.Errorf("%s: %s leads to %s, want %s, with everything inside", name, path, rest.Host, want)
			}
		}
	}
}

func TestNodeFilesAreWhole(t *testing.T) {
	t.Parallel()
	files, err := plan.Files(configs["node"], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for path, f := range files {
		if strings.Contains(string(f.Data), "@") && !strings.HasPrefix(path, "pki/") {
			t.Errorf("a word is not replaced in %s:\n%s", path, f.Data)
		}
		var err error
		var v any
		switch filepath.Ext(path) {
		case ".yaml":
			err = yaml.UnmarshalStrict(f.Data, &v)
		case ".conflist":
			err = json.Unmarshal(f.Data, &v)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestUserArgumentsComeLast(t *testing.T) {
	t.Parallel()
	for _, step := range plan.Steps(configs["control plane"]) {
		if step.Name == "kube-apiserver" && step.Args[len(step.Args)-1] != "--v=4" {
			t.Errorf("the arguments end with %s", step.Args[len(step.Args)-1])
		}
	}
}

func TestNamesAreThoseWithALog(t *testing.T) {
	t.Parallel()
	names := plan.Names()
	for _, want := range []string{"etcd", "kube-apiserver", "kubelet", "containerd", "coredns"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %v", want, names)
		}
	}
	if slices.Contains(names, "objects") {
		t.Errorf("a step without a process is in %v", names)
	}
}
