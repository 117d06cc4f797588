package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

var ignoreInodes = cmpopts.IgnoreUnexported(manifest.Entry{})

// TestScriptAgainstScan: the script and Go see the same tree.
func TestScriptAgainstScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, name := range []string{"a", "b c", "new\nline", "-n", "back\\slash", "x/y/z", "x/.hidden", "x/..two", "bytes\xff\x81", "é", "[a]*?"} {
		p := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, make([]byte, i), 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 250 { // more than one batch
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("x/", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "x/link")), os.Symlink("to\n\nthere\n", filepath.Join(dir, "symlink")), os.Mkdir(filepath.Join(dir, "empty"), 0o1777)); err != nil {
		t.Fatal(err)
	}
	before := time.Unix(-100, 250_000_000)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "large"), make([]byte, 70_000), 0o600), os.Chtimes(filepath.Join(dir, "a"), before, before)); err != nil {
		t.Fatal(err)
	}
	want, err := manifest.Scan(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}, {"bash", "--posix"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue
		}
		for _, test := range [][]string{{"", ""}, {"md5sum", ""}, {"", "fast"}, {"sha1sum", "fast"}, {"sha1sum", "fast", "-size", "-129"}, {"cksum", "fast"}} {
			if test[0] == "cksum" && exec.CommandContext(t.Context(), "cksum", "-z", "/dev/null").Run() != nil {
				t.Log("cksum knows no -z (coreutils before 9.0): not tested")
				continue
			}
			if shell[0] == "busybox" && test[1] != "" {
				continue // its shell takes its own find
			}
			args := append(slices.Clone(shell[1:]), "-c", manifest.List, "list", dir)
			out, err := exec.CommandContext(t.Context(), shell[0], append(args, test...)...).Output()
			if err != nil {
				t.Fatalf("%s %q: %v", shell, test, err)
			}
			got, err := manifest.Parse(bytes.NewReader(out), test[0] != "")
			if err != nil {
				t.Fatalf("%s %q: %v", shell, test, err)
			}
			ignore := cmpopts.IgnoreFields(manifest.Entry{}, "CTime", "Hash")
			if diff := cmp.Diff(want.Entries, got.Entries, ignoreInodes, ignore); diff != "" {
				t.Errorf("%s %q, -scan +script:\n%s", shell, test, diff)
			}
			for _, e := range got.Entries {
				want := ""
				if e.Kind == manifest.File && test[0] != "" && (e.Size <= 64<<10 || len(test) == 2) {
					want = hashOf(t, test[0], filepath.Join(dir, e.Path))
				}
				if e.Hash != want {
					t.Errorf("%s %q: hash of %q is %q, want %q", shell, test, e.Path, e.Hash, want)
				}
			}
		}
	}
}

func hashOf(t *testing.T, program, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := archive.HasherOf(program).New()
	_, _ = h.Write(b) // it never fails
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestWriteParse: what the helper writes is what is read.
func TestWriteParse(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		want := random(rand.New(rand.NewPCG(seed, 0)))
		var b bytes.Buffer
		if err := want.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		got, err := manifest.Parse(&b, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Entries, got.Entries, ignoreInodes, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
			t.Fatal(diff)
		}
	}
}

// random is a tree of few names, so that two have much in common.
func random(r *rand.Rand) *manifest.Manifest {
	m := &manifest.Manifest{Now: time.Unix(2e9, 0)}
	at := func() time.Time { return time.Unix(1e9+r.Int64N(3), 0) }
	var fill func(prefix string, depth int)
	fill = func(prefix string, depth int) {
		for _, name := range []string{"a", "b", "c"} {
			e := manifest.Entry{Path: prefix + name, MTime: at(), CTime: time.Unix(1.5e9, 0), Mode: 0o600 | uint32(r.IntN(2))}
			switch r.IntN(6) {
			case 0:
				continue
			case 1, 2:
				if depth > 0 {
					e.Kind = manifest.Dir
					m.Entries = append(m.Entries, e)
					fill(e.Path+"/", depth-1)
					continue
				}
				fallthrough
			case 3, 4:
				e.Kind, e.Size = manifest.File, r.Int64N(2)
			case 5:
				e.Kind, e.Target, e.Mode = manifest.Symlink, fmt.Sprint(r.IntN(2)), 0o777
			}
			m.Entries = append(m.Entries, e)
		}
	}
	fill("", 2)
	slices.SortFunc(m.Entries, func(a, b manifest.Entry) int { return strings.Compare(a.Path, b.Path) })
	return m
}

// TestCompare applies plans: what comes out must be what was wanted.
func TestCompare(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		want, have := random(r), random(r)
		plan := manifest.Compare(want, have, manifest.Policy{Delete: true})
		same := map[string]bool{}
		for _, p := range plan.Unsure {
			same[p] = true
		}
		plan = manifest.Compare(want, have, manifest.Policy{Delete: true, Same: same})
		if len(plan.Unsure) > 0 {
			t.Fatalf("still unsure of %q", plan.Unsure)
		}
		result := map[string]manifest.Entry{}
		for _, e := range have.Entries {
			result[e.Path] = e
		}
		for _, s := range plan.Steps {
			if _, there := result[s.Entry.Path]; there == (s.Action == manifest.Create) {
				t.Fatalf("%s %s, which is there: %v", s.Action, s.Entry.Path, there)
			}
			if s.Action == manifest.Delete {
				delete(result, s.Entry.Path)
			} else {
				result[s.Entry.Path] = s.Entry
			}
		}
		got := &manifest.Manifest{}
		for _, e := range result {
			got.Entries = append(got.Entries, e)
		}
		slices.SortFunc(got.Entries, func(a, b manifest.Entry) int { return strings.Compare(a.Path, b.Path) })
		if diff := cmp.Diff(want.Entries, got.Entries, ignoreInodes, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(manifest.Entry{}, "CTime"), cmp.Comparer(func(a, b time.Time) bool { return true })); diff != "" {
			t.Fatalf("seed %d, -want +got:\n%s", seed, diff)
		}
		if again := manifest.Compare(want, want, manifest.Policy{Delete: true}); len(again.Steps) > 0 {
			t.Fatalf("a tree differs from itself: %v", again.Steps)
		}
	}
}

func TestProtect(t *testing.T) {
	t.Parallel()
	have := &manifest.Manifest{}
	for _, p := range []string{"d", "d/kept", "d/other", "e", "e/f"} {
		kind := manifest.File
		if len(p) == 1 {
			kind = manifest.Dir
		}
		have.Entries = append(have.Entries, manifest.Entry{Path: p, Kind: kind})
	}
	plan := manifest.Compare(&manifest.Manifest{}, have, manifest.Policy{Delete: true, Protect: func(p string, _ bool) bool { return p == "d/kept" }})
	var got []string
	for _, s := range plan.Steps {
		got = append(got, s.Entry.Path)
	}
	if diff := cmp.Diff([]string{"d/other", "e", "e/f"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckLink(t *testing.T) {
	t.Parallel()
	for link, inside := range map[string]bool{
		"a>b": true, "a>..": false, "d/a>../b": true, "d/a>../../b": false, "a>/etc": false, "a>d/../../x": false, "a>./d/..": true,
		"d/e/a>../../../x": false, "a>": true, "d/a>..": true, "d/a>../..": false, "a>d/../d/../../d": false,
	} {
		p, target, _ := strings.Cut(link, ">")
		if err := manifest.CheckLink(p, target); (err == nil) != inside {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	if err := random(rand.New(rand.NewPCG(1, 1))).Write(&b, false); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("T 1 dir\nB 1\n../x\x0081a4 1 1 1 1 1 1 1 x 00:00:00.5\nE\n"))
	f.Fuzz(func(t *testing.T, listing []byte) {
		m, err := manifest.Parse(bytes.NewReader(listing), false)
		if err != nil {
			return
		}
		for _, e := range m.Entries {
			if err := manifest.CheckPath(e.Path); err != nil {
				t.Errorf("passed: %v", err)
			}
			if dir := filepath.Dir(e.Path); dir != "." {
				if parent, ok := m.Find(filepath.ToSlash(dir)); !ok || parent.Kind != manifest.Dir {
					t.Errorf("%q lies in no folder", e.Path)
				}
			}
		}
	})
}
