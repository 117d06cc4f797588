package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod/internal/supervise"
)

// shells are those of this machine that containers use.
func shells(t *testing.T) [][]string {
	var found [][]string
	for _, s := range [][]string{{"/bin/dash"}, {"/usr/bin/busybox", "sh"}, {"/bin/busybox", "sh"}, {"/bin/bash", "--posix"}} {
		if _, err := os.Stat(s[0]); err == nil {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		t.Skip("this machine has no shell at the usual paths")
	}
	return found
}

type result struct {
	Stdout, Stderr string
	Code           int
	Out, Err       supervise.Words
}

func run(t *testing.T, shell []string, c supervise.Command, stdin string) result {
	t.Helper()
	mark := supervise.NewMark()
	argv, err := supervise.Wrap(c, mark)
	if err != nil {
		t.Fatal(err)
	}
	argv = append(slices.Clone(shell), argv[1:]...)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	out, errs := supervise.NewScanner(mark, &stdout, nil), supervise.NewScanner(mark, &stderr, nil)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), out, errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err := errors.Join(out.Flush(), errs.Flush()); err != nil {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), out.Words(), errs.Words()}
}

func TestRun(t *testing.T) {
	t.Parallel()
	hostile := []string{"", " ", "*", "a  b", "it's", `"$HOME"`, "`id`", "$(id)", "\\", `\0101`, "\n", "x\n\n", "-n", "--", "é\xff\x81\x88\x01\x02", "\t\r", "%s%b", "~", "a\x1eb", ""}
	for i, shell := range shells(t) {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			t.Parallel()
			for _, tty := range []bool{false, true} {
				got := run(t, shell, supervise.Command{Args: append([]string{"/usr/bin/printf", `%s\037`}, hostile...), TTY: tty}, "")
				if diff := cmp.Diff(strings.Join(hostile, "\x1f")+"\x1f", got.Stdout); diff != "" {
					t.Errorf("arguments, -want +got:\n%s", diff)
				}
				if tty == (got.Out.Ended || got.Err.Ended) || got.Err.Process.PID == 0 || got.Err.Process.Started == "" {
					t.Errorf("words: %+v %+v", got.Out, got.Err)
				}
			}
			got := run(t, shell, supervise.Command{Args: []string{"/bin/sh", "-c", `echo "$PWD:$A:$B:$(cat)"; echo err >&2; exit 7`}, Dir: "/usr/lib", Env: []string{"A=1 2", "B=$x\n'"}}, "in\x00put")
			if got.Stdout != "/usr/lib:1 2:$x\n':input\n" || got.Stderr != "err\n" || got.Code != 7 {
				t.Errorf("got %+v", got)
			}
			left := run(t, shell, supervise.Command{Args: []string{"/bin/sh", "-c", "exit 8"}, Input: true}, strings.Repeat("left", 1<<20))
			if left.Code != 8 || left.Out.Code != 8 || left.Err.Code != 8 || left.Stdout+left.Stderr != "" {
				t.Errorf("input that is left over: %+v", left)
			}
			if !got.Out.Ended || !got.Err.Ended || got.Out.Code != 7 || got.Err.Code != 7 {
				t.Errorf("words: %+v %+v", got.Out, got.Err)
			}
			if got := run(t, shell, supervise.Command{Args: []string{"/bin/pwd"}, Dir: "/no/such dir"}, ""); got.Code != 125 || !strings.HasPrefix(got.Err.Problem, "dir ") || got.Stdout+got.Stderr != "" {
				t.Errorf("missing folder: %+v", got)
			}
			if got := run(t, shell, supervise.Command{Args: []string{"no-such-command"}}, ""); got.Code != 127 || got.Err.Problem != "command" || got.Stdout+got.Stderr != "" {
				t.Errorf("missing command: %+v", got)
			}
			if got := run(t, shell, supervise.Command{Args: []string{"/bin/sh", "-c", "kill -9 $$"}}, ""); got.Code != 137 || got.Out.Code != 137 || got.Stderr != "" {
				t.Errorf("killed: %+v", got)
			}
			needle := fmt.Sprintf("needle-%d-in-the-list", i) // the other shells' pgrep is not to be found either
			if got := run(t, shell, supervise.Command{Args: []string{"pgrep", "-f", needle}}, ""); got.Code != 1 || got.Stdout != "" {
				t.Errorf("pgrep -f finds the script: %+v", got)
			}
		})
	}
}

func TestEveryCode(t *testing.T) {
	t.Parallel()
	shell := shells(t)[0]
	for code := range 256 {
		got := run(t, shell, supervise.Command{Args: []string{"/bin/sh", "-c", "exit $0", strconv.Itoa(code)}}, "")
		if got.Code != code || got.Out.Code != code || !got.Out.Ended {
			t.Fatalf("exit code %d: %+v", code, got)
		}
	}
}

func TestWrapRefuses(t *testing.T) {
	t.Parallel()
	var controls []byte
	for c := byte(1); c < ' '; c++ {
		controls = append(controls, c)
	}
	for name, c := range map[string]supervise.Command{
		"zero byte":          {Args: []string{"a\x00b"}},
		"every control byte": {Args: []string{string(controls)}},
		"no =":               {Args: []string{"a"}, Env: []string{"NAME"}},
		"name":               {Args: []string{"a"}, Env: []string{"a-b=c"}},
		"digit":              {Args: []string{"a"}, Env: []string{"1=c"}},
		"code":               {Args: []string{"a"}, Env: []string{"a$(id)=c"}},
	} {
		if _, err := supervise.Wrap(c, supervise.NewMark()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestEnd ends a group whose members ignore TERM or have left children behind.
func TestEnd(t *testing.T) {
	t.Parallel()
	for _, shell := range shells(t) {
		for name, test := range map[string]struct {
			script string
			code   int
		}{
			"obeys":   {"sleep 100 & sleep 100", supervise.EndedByTerm},
			"ignores": {"trap '' TERM; sleep 100 & sleep 101; sleep 102", supervise.EndedByKill},
		} {
			t.Run(strings.Join(shell, " ")+"/"+name, func(t *testing.T) {
				t.Parallel()
				mark := supervise.NewMark()
				argv, err := supervise.Wrap(supervise.Command{Args: []string{"/bin/sh", "-c", test.script}}, mark)
				if err != nil {
					t.Fatal(err)
				}
				argv = append(slices.Clone(shell), argv[1:]...)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				heard := make(chan supervise.Words, 10)
				cmd.Stderr = supervise.NewScanner(mark, new(bytes.Buffer), func(w supervise.Words) { heard <- w })
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				process := (<-heard).Process
				if process.PID != cmd.Process.Pid {
					t.Errorf("the script says it is process %d, it is %d", process.PID, cmd.Process.Pid)
				}
				time.Sleep(200 * time.Millisecond) // for the command to have set its trap
				kill := append(slices.Clone(shell), supervise.End(process, 5)[1:]...)
				killer := exec.CommandContext(ctx, kill[0], kill[1:]...)
				if out, err := killer.CombinedOutput(); killer.ProcessState.ExitCode() != test.code {
					t.Errorf("end: %v, %s", err, out)
				}
				_ = cmd.Wait() // it was killed
				if left := members(t, process.PID); len(left) > 0 {
					t.Errorf("left of the group: %q", left)
				}
				other := supervise.Process{PID: os.Getpid(), Started: "1"}
				kill = append(slices.Clone(shell), supervise.End(other, 5)[1:]...)
				if out, err := exec.CommandContext(ctx, kill[0], kill[1:]...).CombinedOutput(); err != nil {
					t.Errorf("another process of the same number: %v %s", err, out)
				}
			})
		}
	}
}

// members are the processes of a group, without zombies.
func members(t *testing.T, group int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		stat, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); fields[0] != "Z" && fields[2] == strconv.Itoa(group) {
			found = append(found, string(stat))
		}
	}
	return found
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("hello"), []byte("world"), uint64(1), 3)
	f.Add([]byte("\x1e"), []byte("\x1e\x1e"), uint64(2), 300)
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64, code int) {
		mark := supervise.NewMark()
		whole := supervise.Say(mark, ">7 7 (sh) S\n")
		whole = append(append(append(whole, a...), b...), mark.First()...)
		whole = append(append(whole, b...), supervise.Say(mark, "<"+strconv.Itoa(code&0xff)+"\n")...)
		whole = append(whole, a...)
		want := string(a) + string(b) + string(mark.First()) + string(b) + string(a)
		var out bytes.Buffer
		s := supervise.NewScanner(mark, &out, nil)
		random := rand.New(rand.NewPCG(seed, 0))
		for len(whole) > 0 {
			n := 1 + random.IntN(len(whole))
			if _, err := s.Write(whole[:n]); err != nil {
				t.Fatal(err)
			}
			whole = whole[n:]
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("passed on %q, want %q", out.String(), want)
		}
		if w := s.Words(); !w.Ended || w.Code != code&0xff || w.Process.PID != 7 {
			t.Errorf("words %+v", w)
		}
	})
}
