package pod_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/pod"
)

var withShell = []string{busybox, debian}

// TestEveryExitCode runs 1,024 commands, in two containers one after the other in each. Every exit code and every byte has
// to be right, and nothing may be left on this machine.
func TestEveryExitCode(t *testing.T) {
	var targets []pod.Target
	for _, img := range withShell {
		target := sharedPod(t, img)
		output(t, target, "true") // what is made once is made
		targets = append(targets, target)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	runs := 512
	if testing.Short() {
		runs = 32
	}
	var wg sync.WaitGroup
	for _, target := range targets {
		wg.Go(func() {
			for i := range runs {
				if err := everyExitCode(t, target, i); err != nil {
					t.Errorf("run %d in %s: %v", i, target, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		g, f := runtime.NumGoroutine(), openFiles(t)
		if g <= goroutines && f <= files {
			return
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines and %d files before, %d and %d after\n%s", goroutines, files, g, f, buf[:runtime.Stack(buf, true)])
		}
	}
}

func everyExitCode(t *testing.T, target pod.Target, i int) error {
	code := i % 256
	wantOut, wantErr := fmt.Sprint("out", i), fmt.Sprint("err", i)
	var stdout, stderr bytes.Buffer
	cmd := pod.Command(target, "sh", "-c", `printf %s "$1"; printf %s "$2" >&2; exit $3`, "sh", wantOut, wantErr, fmt.Sprint(code))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(t.Context()); !exited(err, code) {
		return fmt.Errorf("want exit code %d, got %w", code, err)
	}
	if stdout.String() != wantOut || stderr.String() != wantErr {
		return fmt.Errorf("stdout %q, stderr %q", &stdout, &stderr)
	}
	return nil
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}

func check(t *testing.T, err error, code int) {
	t.Helper()
	if !exited(err, code) {
		t.Fatalf("want exit code %d, got %v", code, err)
	}
}

func exited(err error, code int) bool {
	var exit *pod.ExitError
	return code == 0 && err == nil || code != 0 && errors.As(err, &exit) && exit.Code == code
}

// TestSideBySide runs 100 commands at once, 20 in each of five pods: a shim of containerd before 1.7 stops for seconds at a
// time when more than 32 of its processes end together.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	c := node(t)
	ns := kubetest.Namespace(t, c.Client)
	var targets []pod.Target
	for i := range 5 {
		img := withShell[i%len(withShell)]
		image(t, c, img)
		name := fmt.Sprint("side-", i)
		create(t, c.Client, ns, podOf(name, img))
		targets = append(targets, pod.Named(c.Client, ns, name).ReadyWithin(time.Minute))
	}
	for _, target := range targets {
		output(t, target, "true")
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			want := strings.Repeat(fmt.Sprintf("line %d\n", i), 1000)
			cmd := pod.Command(targets[i%len(targets)], "sh", "-c", "cat; exit $0", fmt.Sprint(i))
			cmd.Stdin = strings.NewReader(want)
			out, err := cmd.Output(t.Context())
			if !exited(err, i) {
				t.Errorf("command %d: %v", i, err)
			}
			if string(out) != want {
				t.Errorf("command %d: %d bytes of %d, or wrong ones", i, len(out), len(want))
			}
		})
	}
	wg.Wait()
}

// TestBytes sends random bytes through a command and back on both outputs.
func TestBytes(t *testing.T) {
	t.Parallel()
	sizes := []int64{0, 1, 2, 4095, 32 << 10, 32<<10 + 1, 1 << 20, 10_000_019, 100_000_000}
	if testing.Short() {
		sizes = sizes[:7]
	}
	each(t, append(withShell, distroless), func(t *testing.T, target pod.Target) {
		for _, size := range sizes {
			want, gotOut, gotErr := sha256.New(), sha256.New(), sha256.New()
			cmd := pod.Command(target, "/program", "cat")
			if !strings.Contains(target.String(), "distroless") {
				cmd = pod.Command(target, "sh", "-c", "tee /dev/fd/3 3>&2 2>/dev/null")
			} else if size > 1<<20 {
				continue
			}
			cmd.Stdin = io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{byte(size)}), size), want)
			cmd.Stdout, cmd.Stderr = gotOut, gotErr
			if err := cmd.Run(t.Context()); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if !bytes.Equal(want.Sum(nil), gotOut.Sum(nil)) {
				t.Errorf("%d bytes: standard output is not what was sent", size)
			}
			if strings.Contains(target.String(), "distroless") {
				continue
			}
			if !bytes.Equal(want.Sum(nil), gotErr.Sum(nil)) {
				t.Errorf("%d bytes: standard error is not what was sent", size)
			}
		}
	})
}

func TestDistroless(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, distroless)
	for _, code := range []int{0, 1, 2, 77, 126, 127, 137, 255} {
		check(t, pod.Command(target, "/program", "exit", fmt.Sprint(code)).Run(t.Context()), code)
	}
	cmd := pod.Command(target, "/program", "exit", "0")
	cmd.Dir = "/"
	if err := cmd.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "shell") {
		t.Errorf("Dir without a shell: %v", err)
	}
	if err := canceled(t, pod.Command(target, "/program")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "may still run") {
		t.Errorf("cancel without a shell: %v", err)
	}
}

// canceled starts a command and cancels it.
func canceled(t *testing.T, cmd *pod.Cmd) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := cmd.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	return cmd.Wait()
}

func TestEnvDirArgs(t *testing.T) {
	t.Parallel()
	each(t, withShell, func(t *testing.T, target pod.Target) {
		args := []string{"", "a b", "*", "$HOME", "'", "\"", "`id`", "\\", "\n", "-n", "é\xff\x81", "%s"}
		got, err := pod.Command(target, "printf", append([]string{`%s\037`}, args...)...).Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Join(args, "\x1f")+"\x1f", string(got)); diff != "" {
			t.Errorf("arguments, -want +got:\n%s", diff)
		}
		cmd := pod.Command(target, "sh", "-c", `echo "$PWD $X"`)
		cmd.Dir, cmd.Env = "/etc", []string{"X=$(id) '", "PATH=/bin:/usr/bin"}
		if got, err := cmd.Output(t.Context()); err != nil || string(got) != "/etc $(id) '\n" {
			t.Errorf("got %q, %v", got, err)
		}
		out, err := pod.Shell(target, "echo out; echo err >&2").CombinedOutput(t.Context())
		if err != nil || len(out) != 8 {
			t.Errorf("combined: %q, %v", out, err)
		}
		var exit *pod.ExitError
		_, err = pod.Shell(target, "echo one >&2; echo two >&2; exit 9").Output(t.Context())
		if !errors.As(err, &exit) || string(exit.Stderr) != "one\ntwo\n" || !strings.HasSuffix(err.Error(), "exit code 9: two") {
			t.Errorf("got %v", err)
		}
	})
}

// TestCancel ends process groups, and finds nothing of them afterwards.
func TestCancel(t *testing.T) {
	t.Parallel()
	each(t, withShell, func(t *testing.T, target pod.Target) {
		for name, test := range map[string]struct{ script, how string }{
			"obeys":   {"echo ready; sleep 4242 & sleep 4242", "was ended"},
			"ignores": {"trap '' TERM; echo ready; while :; do sleep 4243; done", "SIGKILL"},
		} {
			for _, tty := range []bool{false, true} {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cmd := pod.Shell(target, test.script)
				cmd.Grace, cmd.TTY = time.Second, tty
				cmd.Stdout = writerFunc(func(p []byte) (int, error) {
					cancel()
					return len(p), nil
				})
				err := cmd.Run(ctx)
				if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), test.how) {
					t.Errorf("%s, tty %v: %v", name, tty, err)
				}
			}
		}
		left := output(t, target, `{ for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' <$f; echo; done; } 2>/dev/null | grep '^sleep 424' || true`)
		if left != "" {
			t.Errorf("left in the container:\n%s", left)
		}
	})
}

// TestStalledReader: one output that nobody reads holds up neither the other nor the end.
func TestStalledReader(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, busybox)
	read, write := io.Pipe()
	var stderr bytes.Buffer
	closed := make(chan struct{})
	cmd := pod.Shell(target, "echo begin >&2; dd if=/dev/zero bs=1M count=20 2>/dev/null; echo end >&2; exit 3")
	cmd.Stdout = write
	cmd.Stderr = writerFunc(func(p []byte) (int, error) {
		stderr.Write(p)
		if strings.HasSuffix(stderr.String(), "end\n") {
			close(closed)
		}
		return len(p), nil
	})
	if err := cmd.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed: // though nothing of standard output was read
	case <-time.After(time.Minute):
		t.Fatal("standard error waits for standard output to be read")
	}
	n := make(chan int64)
	go func() {
		read, _ := io.Copy(io.Discard, read)
		n <- read
	}()
	check(t, cmd.Wait(), 3)
	_ = write.Close()
	if got := <-n; got != 20<<20 {
		t.Errorf("%d bytes of standard output", got)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestStdin(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, debian)
	// A command that ends without reading its input.
	cmd := pod.Command(target, "true")
	cmd.Stdin = io.LimitReader(rand.NewChaCha8([32]byte{}), 20<<20)
	if err := cmd.Run(t.Context()); err != nil {
		t.Errorf("input that is not read: %v", err)
	}
	// An input that fails must not look like one that ends.
	broken := errors.New("broken")
	var out bytes.Buffer
	cmd = pod.Shell(target, "cat; echo the end")
	cmd.Stdin, cmd.Stdout = io.MultiReader(strings.NewReader("half"), errReader{broken}), &out
	if err := cmd.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("input that fails: %v", err)
	}
	if strings.Contains(out.String(), "the end") {
		t.Error("the command took the failure for the end of its input")
	}
}

// TestInputLeft runs commands that end while much of their input is under way: what they said must have arrived.
func TestInputLeft(t *testing.T) {
	t.Parallel()
	each(t, withShell, func(t *testing.T, target pod.Target) {
		const size = 100_000
		for range 20 {
			cmd := pod.Shell(target, fmt.Sprintf("head -c %d; echo ill >&2; exit 3", size))
			cmd.Stdin = rand.NewChaCha8([32]byte{}) // it never ends
			out, err := cmd.Output(t.Context())
			check(t, err, 3)
			var exit *pod.ExitError
			if errors.As(err, &exit) && string(exit.Stderr) != "ill\n" || len(out) != size {
				t.Errorf("%d bytes of output, %v", len(out), err)
			}
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestTTY(t *testing.T) {
	t.Parallel()
	target := sharedPod(t, debian)
	sizes := make(chan pod.Size, 1)
	sizes <- pod.Size{Width: 123, Height: 45}
	cmd := pod.Command(target, "sh", "-c", `tty; for i in 1 2 3 4 5 6 7 8 9; do [ "$(stty size)" = "45 123" ] && break; sleep 0.3; done; stty size; exit 6`)
	cmd.TTY, cmd.Resize = true, sizes
	out, err := cmd.Output(t.Context())
	check(t, err, 6)
	if lines := strings.Split(string(out), "\r\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "/dev/") || lines[1] != "45 123" {
		t.Errorf("got %q", out)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	each(t, append(withShell, distroless), func(t *testing.T, target pod.Target) {
		if err := pod.Command(target, "no-such-command").Run(t.Context()); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("missing command: %v", err)
		}
	})
}
