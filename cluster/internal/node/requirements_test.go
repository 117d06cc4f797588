package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindCNIWantsAllPluginsInOnePlace(t *testing.T) {
	t.Parallel()
	half, whole := t.TempDir(), t.TempDir()
	for _, name := range cniPlugins {
		if err := os.WriteFile(filepath.Join(whole, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(half, cniPlugins[0]), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := findCNI([]string{half, whole}); got != whole {
		t.Errorf("found %q", got)
	}
	if got := findCNI([]string{half, filepath.Join(half, "missing")}); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Check()
	if !errors.Is(err, ErrMissing) {
		t.Fatalf("with no program: %v", err)
	}
	for _, want := range []string{"containerd", "runc", "nft", "apt-get install"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if _, packages, _ := strings.Cut(err.Error(), "apt-get install "); strings.Count(packages, "containerd") > 1 {
		t.Errorf("%q names a package twice", err)
	}
}
