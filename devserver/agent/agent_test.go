//go:build unix

package agent

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What Run does as process 1 is shown in containers, by the tests of package operator.

func TestRunIsForContainers(t *testing.T) {
	t.Parallel()
	if err := Run(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "not process 1") {
		t.Errorf("got %v", err)
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 { // again, after a restart of the init container
		if err := Install(dir); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, Name))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
	if err := Install(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("got %v", err)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	if err := CheckReady(t.Context()); err == nil {
		t.Fatal("ready, and nobody said so")
	}
	if err := announce(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := CheckReady(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789\n", 1000)
	tests := map[string]struct{ output, want string }{
		"nothing":    {"", ""},
		"few":        {"a\nb\n", "a\nb"},
		"no newline": {"a\nb", "a\nb"},
		"many":       {long, strings.TrimSuffix(long[len(long)-(lastBytes-lastBytes%11):], "\n")},
		"one line":   {strings.Repeat("x", 3*lastBytes), strings.Repeat("x", lastBytes)},
		"no text":    {"a\xff\n", "a?"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = write.WriteString(test.output); _ = write.Close() }() // the reader gets it all
			var last tail
			last.relay(read)
			if got := last.lines(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestIgnoresTerm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		want   bool
	}{
		"default": {"exec sleep 60", false},
		"ignores": {"trap '' TERM; exec sleep 60", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", test.script)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			for ctx.Err() == nil {
				name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "comm"))
				if err != nil {
					t.Skip("no /proc here")
				}
				if string(name) == "sleep\n" {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if got := ignoresTerm(cmd.Process.Pid); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestReaper takes the status of a process that somebody waits for, and of one that nobody does.
func TestReaper(t *testing.T) {
	t.Parallel()
	if os.Getenv("AGENT_TEST_REAPER") == "" { // in a process of its own: it reaps what others wait for
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestReaper$", "-test.v")
		cmd.Env = append(os.Environ(), "AGENT_TEST_REAPER=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	r := newReaper()
	go r.run(t.Context())
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	if _, err := syscall.ForkExec("/bin/sh", []string{"/bin/sh", "-c", "exit 1"}, attr); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ended, err := r.start("/bin/sh", []string{"/bin/sh", "-c", "exit 3"}, attr)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case status := <-ended:
			if describe(status) != "exit status 3" {
				t.Errorf("it ended with %s", describe(status))
			}
		case <-time.After(time.Minute):
			t.Fatal("the end of a process was missed")
		}
	}
}
