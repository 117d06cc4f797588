package pod_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk/pod"
)

// BenchmarkBesideKubectl measures what a user waits for and what this machine computes meanwhile, beside the kubectl of the
// cluster's version:
//
//	go test -run '^$' -bench BesideKubectl -benchtime 4x ./pod
//
// POD_BENCH_MB is the size of the one big file (1000), POD_BENCH_FILES the number of small ones (10000).
func BenchmarkBesideKubectl(b *testing.B) {
	target := sharedPod(b, debian)
	ns, name, _ := strings.Cut(strings.Fields(target.String())[0], "/")
	k := func(stdin io.Reader, args ...string) error {
		cmd := kubectl(b, ns, args...)
		cmd.Stdin = stdin
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %q: %w: %.500s", args, err, out)
		}
		return nil
	}
	ctx := b.Context()
	size := int64(env("POD_BENCH_MB", 1000)) * 1e6
	dir := b.TempDir()
	big, many := filepath.Join(dir, "big"), filepath.Join(dir, "many")
	prepare(b, big, many, size)
	output(b, target, "rm -rf /bench; mkdir /bench")
	b.Cleanup(func() { _ = pod.Shell(target, "rm -rf /bench").Run(context.WithoutCancel(ctx)) })
	copyTo := func(from, to string) error {
		_, err := pod.CopyTo(ctx, target, from, to, pod.CopyOptions{})
		return err
	}
	copyFrom := func(from, to string) error {
		_, err := pod.CopyFrom(ctx, target, from, to, pod.CopyOptions{})
		return err
	}
	if err := errors.Join(copyTo(big, "/bench/big"), copyTo(many, "/bench/many")); err != nil {
		b.Fatal(err)
	}
	run := 0
	// Paths in the container and here where nothing is yet: what is there makes a copy another.
	there := func(name string) string { return fmt.Sprintf("/bench/%s-%d", name, run) }
	here := func(name string) string { return filepath.Join(dir, fmt.Sprintf("%s-%d", name, run)) }
	sink := fmt.Sprintf("head -c %d /bench/big", size)
	for _, m := range []struct {
		name          string
		ours, kubectl func() error
	}{
		{"file-up", func() error { return copyTo(big, there("big-ours")) }, func() error { return k(nil, "cp", big, name+":"+there("big-kubectl")) }},
		{"file-down", func() error { return copyFrom("/bench/big", here("big-ours")) },
			func() error { return k(nil, "cp", name+":/bench/big", here("big-kubectl")) }},
		{"stdin", func() error {
			cmd := pod.Shell(target, "cat >/dev/null")
			f, err := os.Open(big)
			if err != nil {
				return err
			}
			defer f.Close()
			cmd.Stdin = f
			return cmd.Run(ctx)
		}, func() error {
			f, err := os.Open(big)
			if err != nil {
				return err
			}
			defer f.Close()
			return k(f, "exec", "-i", name, "--", "sh", "-c", "cat >/dev/null")
		}},
		{"stdout", func() error {
			cmd := pod.Shell(target, sink)
			cmd.Stdout = io.Discard
			return cmd.Run(ctx)
		}, func() error {
			return kubectl(b, ns, "exec", name, "--", "sh", "-c", sink).Run()
		}},
		{"many-up", func() error { return copyTo(many, there("many-ours")) }, func() error { return k(nil, "cp", many, name+":"+there("many-kubectl")) }},
		{"many-down", func() error { return copyFrom("/bench/many", here("many-ours")) },
			func() error { return k(nil, "cp", name+":/bench/many", here("many-kubectl")) }},
		{"sync-1-percent", func() error {
			if err := touch(many); err != nil {
				return err
			}
			_, err := pod.Sync(ctx, target, many, "/bench/many", pod.SyncOptions{})
			return err
		}, func() error { return k(nil, "cp", many, name+":"+there("many-all")) }},
	} {
		b.Run(m.name, func(b *testing.B) {
			var ourTime, ourCPU, theirTime, theirCPU float64
			for b.Loop() {
				run++
				ours := func() {
					took, used := measure(b, syscall.RUSAGE_SELF, m.ours)
					ourTime, ourCPU = ourTime+took, ourCPU+used
				}
				if run%2 == 0 { // neither is always first
					ours()
				}
				took, used := measure(b, syscall.RUSAGE_CHILDREN, m.kubectl)
				theirTime, theirCPU = theirTime+took, theirCPU+used
				if run%2 != 0 {
					ours()
				}
			}
			n := float64(b.N)
			b.ReportMetric(ourTime/n, "s")
			b.ReportMetric(ourCPU/n, "cpu-s")
			b.ReportMetric(theirTime/ourTime, "times-kubectl")
			b.ReportMetric(theirCPU/ourCPU, "times-kubectl-cpu")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func env(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func prepare(b *testing.B, big, many string, size int64) {
	b.Helper()
	f, err := os.Create(big)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), size)
	if err := errors.Join(err, f.Close()); err != nil {
		b.Fatal(err)
	}
	for i := range env("POD_BENCH_FILES", 10_000) {
		p := filepath.Join(many, fmt.Sprint(i%100), fmt.Sprint(i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, fmt.Appendf(nil, "%01000d", i), 0o644)); err != nil {
			b.Fatal(err)
		}
	}
}

// touch changes one file of a hundred.
func touch(many string) error {
	for i := range env("POD_BENCH_FILES", 10_000) / 100 {
		if err := os.WriteFile(filepath.Join(many, "7", fmt.Sprint(i*100+7)), fmt.Appendf(nil, "changed %d", i), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// measure returns seconds of the clock and of this machine's processor.
func measure(b *testing.B, who int, do func() error) (elapsed, cpu float64) {
	b.Helper()
	syscall.Sync() // or one pays for what the other left to be written
	before := used(b, who)
	start := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start).Seconds(), used(b, who) - before
}

func used(b *testing.B, who int) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
