// Package examples runs every program of this folder against a real Kubernetes and compares what it prints with the file
// output.txt beside it. Run with -update to write these files.
package examples

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/internal/busybox"
	"github.com/kubesdk/kubesdk/internal/examples"
	"github.com/kubesdk/kubesdk/kubetest"
)

var update = flag.Bool("update", false, "write what the programs print to their output.txt")

func TestPrograms(t *testing.T) {
	t.Parallel()
	all, err := examples.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			if e.Synopsis == "" {
				t.Error("its main.go has no comment that says what it does")
			}
			binary, err := e.Build(t.Context(), bin)
			if err != nil {
				t.Fatal(err)
			}
			// A cluster of their own, since some install what belongs to the whole cluster.
			primary := kubetest.StartNamed(t, "kubetest-examples")
			if e.Node {
				primary = kubetest.Node(t)
				loadImage(t)
			}
			namespace := kubetest.Namespace(t, primary.Client)
			config := filepath.Join(t.TempDir(), "config")
			if err := examples.Kubeconfig(config, primary.Kubeconfig, namespace, kubetest.StartNamed(t, "kubetest-second").Kubeconfig); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			var stdout, stderr bytes.Buffer
			if err := examples.Command(ctx, binary, config, &stdout, &stderr).Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
			}
			if stderr.Len() > 0 {
				t.Errorf("it complains: %s", stderr.String())
			}
			compare(t, filepath.Join(e.Dir, "output.txt"), timeless(stdout.String(), namespace))
		})
	}
}

// image is the result of loading what the programs' pods are made of into the node that the tests share.
var image struct {
	once sync.Once
	err  error
}

func loadImage(t *testing.T) {
	t.Helper()
	image.once.Do(func() { image.err = busybox.Load(t.Context(), kubetest.Localkube(t), "kubetest-node") })
	switch {
	case errors.Is(image.err, exec.ErrNotFound) && os.Getenv("CI") != "true":
		t.Skip(image.err)
	case image.err != nil:
		t.Fatal(image.err)
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil { //nolint:gosec // it is source
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("it prints something else than %s (-want +got):\n%s", golden, diff)
	}
}

// varying is what is different each time.
var varying = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`https://127\.0\.0\.1:\d+`), "https://SERVER"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b(took=|in )[0-9.]+(µs|ms|s)`), "${1}DURATION"},
	{regexp.MustCompile(`\d+ per second`), "N per second"},
	{regexp.MustCompile(regexp.QuoteMeta(os.TempDir()) + `/\w+`), "TMP"},
	{regexp.MustCompile(`0/\d+ available`), "0/N available"},
}

func timeless(s, namespace string) string {
	s = regexp.MustCompile(regexp.QuoteMeta(namespace)).ReplaceAllString(s, "NAMESPACE")
	for _, v := range varying {
		s = v.pattern.ReplaceAllString(s, v.with)
	}
	return s
}
