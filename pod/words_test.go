package pod_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod"
)

// TestSplitAsShell compares with what a shell makes of the same line.
func TestSplitAsShell(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", "a", " a  b\tc ", `'a b' "c d"`, `a\ b`, `""`, `'' "" x`, `a"b"'c'`, `"a\"b\\c\x"`, `'a\b'`, "a\\\nb", "\"a\\\nb\"", "a # b", "a#b", `\#`, `"it's"`, `-n --x=y`, "é 日本", `\\`, "a\nb", `"$$"x`[:0] + "x",
	} {
		got, err := pod.Split(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		script := "set -f; for w in " + line + "\ndo printf '%s\\037' \"$w\"; done"
		if strings.Contains(line, "\n") && !strings.Contains(line, "\\\n") {
			script = strings.Replace(script, "a\nb", "a b", 1) // the shell's lists of words end with the line
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want := strings.Split(string(out), "\x1f")
		if diff := cmp.Diff(want[:len(want)-1], append([]string{}, got...)); diff != "" {
			t.Errorf("%q, -shell +ours:\n%s", line, diff)
		}
	}
	for _, line := range []string{"a | b", "a; b", "a && b", "a > b", "$(a)", "`a`", `"$(a)"`, "'", `"`, `\`, "(a)"} {
		if words, err := pod.Split(line); err == nil {
			t.Errorf("%q: %q and no error", line, words)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("a b", "it's")
	f.Add("", "\\\"\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		want := []string{a, b, ""}
		got, err := pod.Split(pod.Join(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		_, _ = pod.Split(a) // must not panic
	})
}
