package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/kubesdk/kubesdk/devserver/operator"
)

// TestPrecedence: flags win over the environment, which wins over the file.
func TestPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte("staticDependenciesImage: file\nworkerLimit: 1\ndefaultDevserverImage: file\nleaderElection: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DEVSERVER_WORKER_LIMIT", "2")
	t.Setenv("DEVSERVER_DEFAULT_DEVSERVER_IMAGE", "environment")
	opts := &options{settings: operator.DefaultSettings()}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	opts.register(flags)
	if err := flags.Parse([]string{"--config", path, "--default-devserver-image", "flag", "--leader-election=false"}); err != nil {
		t.Fatal(err)
	}
	if err := opts.load(flags); err != nil {
		t.Fatal(err)
	}
	settings := opts.settings
	if settings.StaticDependenciesImage != "file" || settings.WorkerLimit != 2 || settings.DefaultDevserverImage != "flag" || settings.LeaderElection {
		t.Errorf("got %+v", settings)
	}
}
