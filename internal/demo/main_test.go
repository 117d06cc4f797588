package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk/internal/examples"
	"github.com/kubesdk/kubesdk/kubetest"
)

const exitNotFound = 3 // of localkube: there is no such cluster

func TestDemo(t *testing.T) {
	t.Parallel()
	binary := kubetest.Localkube(t)
	isGone := func(t *testing.T, d *demo) {
		t.Helper()
		if err := d.stop(); err != nil {
			t.Error(err)
		}
		var exit *exec.ExitError
		if err := exec.Command(binary, "status", "--name", d.name).Run(); !errors.As(err, &exit) || exit.ExitCode() != exitNotFound {
			t.Errorf("the cluster is still there: %v", err)
		}
	}
	t.Run("one fails, the others run", func(t *testing.T) {
		d := &demo{localkube: binary, name: "demo-test", running: map[string]string{}}
		defer isGone(t, d)
		err := d.run(t.Context(), "testdata", []string{"bad", "good"})
		if err == nil || !strings.Contains(err.Error(), "1 of 2 examples failed") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("interrupted while a program runs", func(t *testing.T) {
		d := &demo{localkube: binary, name: "demo-test", running: map[string]string{"demo-test": kubetest.Start(t).Kubeconfig}}
		all, err := examples.Find("testdata")
		if err != nil {
			t.Fatal(err)
		}
		slow, err := choose(all, []string{"slow"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if took, err := d.example(ctx, slow[0], t.TempDir()); err == nil || took > time.Minute {
			t.Errorf("after %s: %v", took, err)
		}
	})
	t.Run("interrupted while it starts", func(t *testing.T) {
		d := &demo{localkube: binary, name: "demo-test", running: map[string]string{}}
		defer isGone(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		start := time.Now()
		if err := d.run(ctx, "testdata", []string{"slow"}); err == nil {
			t.Error("no error")
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %s to stop", took)
		}
	})
	t.Run("no such example", func(t *testing.T) {
		d := &demo{localkube: binary, running: map[string]string{}}
		if err := d.run(t.Context(), "testdata", []string{"none"}); err == nil || !strings.Contains(err.Error(), `"none"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no localkube", func(t *testing.T) {
		d := &demo{localkube: "/does/not/exist", name: "demo-test", running: map[string]string{}}
		if err := d.run(t.Context(), "testdata", []string{"good"}); err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
			t.Errorf("got %v", err)
		}
	})
}
