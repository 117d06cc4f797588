package ignore_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubesdk/kubesdk/pod/internal/ignore"
)

// git asks git which of the paths a .gitignore of these lines leaves out. Paths that end with a slash are folders: git
// sees that by itself, and asked with the slash it would match that too.
func git(t *testing.T, dir, lines string, paths []string) []string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "git", "-C", dir, "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(strings.Join(paths, "\x00")+"\x00", "/\x00", "\x00"))
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("git check-ignore: %v", err)
	}
	var ignored []string
	for p := range bytes.SplitSeq(out, []byte{0}) {
		if len(p) > 0 {
			ignored = append(ignored, strings.TrimSuffix(string(p), "/"))
		}
	}
	return ignored
}

// ours is the same by this package.
func ours(lines string, paths []string) []string {
	m := ignore.New(lines)
	var ignored []string
	for _, p := range paths {
		name, isDir := strings.CutSuffix(p, "/")
		out := m.Ignored(name, isDir)
		for i := range len(name) {
			out = out || name[i] == '/' && m.Ignored(name[:i], true)
		}
		if out {
			ignored = append(ignored, strings.TrimSuffix(p, "/"))
		}
	}
	return ignored
}

// TestAgainstGit makes patterns and paths of few parts, so that they meet often, and compares with git's answers.
func TestAgainstGit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v %s", err, out)
	}
	random := rand.New(rand.NewPCG(7, 8))
	pick := func(parts []string, most int) string {
		var b strings.Builder
		for range 1 + random.IntN(most) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return b.String()
	}
	elements := []string{"a", "b", "ab", "a.b", "-", " ", "A", "1", "]", "!a", "#", "*", "\\"}
	var paths []string
	for range 300 {
		var parts []string
		for range 1 + random.IntN(4) {
			parts = append(parts, pick(elements, 2))
		}
		paths = append(paths, strings.Join(parts, "/"), strings.Join(parts, "/")+"/")
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	// Each name is a file or a folder, not both.
	paths = slices.DeleteFunc(paths, func(p string) bool {
		if !strings.HasSuffix(p, "/") && slices.ContainsFunc(paths, func(q string) bool { return strings.HasPrefix(q, p+"/") }) {
			return true
		}
		return false
	})
	if err := makeAll(dir, paths); err != nil {
		t.Fatal(err)
	}
	parts := []string{"a", "b", "/", "*", "**", "**/", "/**", "?", ".", "[a-b]", "[!a]", "[[:alpha:]]", "\\", "-", " ", "!", "#", "[", "]", "A", "1", "ab", "/**/", "\\ ", "[]-a]", "[^1]"}
	for range 600 {
		var lines []string
		for range 1 + random.IntN(3) {
			line := pick(parts, 5)
			if random.IntN(4) == 0 {
				line = "!" + line
			}
			lines = append(lines, line)
		}
		text := strings.Join(lines, "\n")
		want, got := git(t, dir, text, paths), ours(text, paths)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("patterns %q:\ngit ignores  %q\nours ignores %q", text, minus(want, got), minus(got, want))
		}
	}
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// makeAll makes the paths: git takes what is there for what it is.
func makeAll(dir string, paths []string) error {
	for _, p := range paths {
		full := filepath.Join(dir, p)
		if strings.HasSuffix(p, "/") {
			if err := os.MkdirAll(full, 0o700); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func TestNested(t *testing.T) {
	t.Parallel()
	m := ignore.New("*.log\n/top")
	m.Add("a/b", "!keep.log\n/own")
	for path, want := range map[string]bool{
		"x.log": true, "a/x.log": true, "a/b/x.log": true, "a/b/keep.log": false, "a/keep.log": true, "a/b/c/keep.log": false,
		"top": true, "a/top": false, "a/b/own": true, "own": false, "a/b/c/own": false,
	} {
		if got := m.Ignored(path, false); got != want {
			t.Errorf("%s: ignored %v, want %v", path, got, want)
		}
	}
}

func FuzzMatcher(f *testing.F) {
	f.Add("*.log\n!a", "a/b.log")
	f.Add("[[:alpha:]-\\", "[")
	f.Fuzz(func(_ *testing.T, lines, path string) {
		ignore.New(lines).Ignored(path, false) // must end, and not panic
	})
}
