package operator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk/devserver/operator"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSettings loads a file as there are in the wild, and lets the environment win.
func TestSettings(t *testing.T) {
	path := writeFile(t, `
expirationInterval: 30
flavorReconciliationInterval: 2m
workerLimit: 3
defaultDevserverImage: ubuntu:22.04
staticDependenciesImage: deps:1
defaultPersistentHomeSize: 5Gi
leaderElection: false
`)
	t.Setenv("DEVSERVER_WORKER_LIMIT", "7")
	t.Setenv("DEVSERVER_DEFAULT_TIME_TO_LIVE", "90m")
	s := operator.DefaultSettings()
	if err := s.Load(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if s.ExpirationInterval != 30*time.Second || s.FlavorReconciliationInterval != 2*time.Minute || s.WorkerLimit != 7 ||
		s.DefaultDevserverImage != "ubuntu:22.04" || s.StaticDependenciesImage != "deps:1" || s.DefaultPersistentHomeSize.String() != "5Gi" ||
		s.LeaderElection || s.DefaultTimeToLive != 90*time.Minute {
		t.Errorf("got %+v", s)
	}
}

func TestSettingsErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, want string }{
		"unknown":    {"workersLimit: 3", `no setting "workersLimit"`},
		"not number": {"workerLimit: many", "workerLimit: many"},
		"fraction":   {"workerLimit: 1.5", "workerLimit"},
		"quantity":   {"defaultPersistentHomeSize: big", "defaultPersistentHomeSize: big"},
		"twice":      {"workerLimit: 1\nworkerLimit: 2", "workerLimit"},
		"no YAML":    {"{", "yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := operator.DefaultSettings()
			path := writeFile(t, test.file)
			if err := s.Load(path); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	s := operator.DefaultSettings()
	if err := s.Load(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a file that is absent is no error")
	}
	s.WorkerLimit = 0
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "staticDependenciesImage") || !strings.Contains(err.Error(), "workerLimit") {
		t.Errorf("got %v", err)
	}
}

// TestSettingNames holds each setting to one name in its three forms.
func TestSettingNames(t *testing.T) {
	t.Parallel()
	var s operator.Settings
	seen := map[string]bool{}
	for _, setting := range s.List() {
		if seen[setting.Flag()] || setting.Usage == "" {
			t.Errorf("%s: twice, or without usage", setting.Name)
		}
		seen[setting.Flag()] = true
		if got := strings.ToUpper(strings.ReplaceAll(setting.Flag(), "-", "_")); "DEVSERVER_"+got != setting.Env() {
			t.Errorf("%s is --%s and $%s", setting.Name, setting.Flag(), setting.Env())
		}
	}
}
