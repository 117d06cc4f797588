package pod_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/pod"
)

// TestHostilePod copies from a container that lies: its tools are replaced. Nothing outside the target may be touched, and
// nothing in it changes.
func TestHostilePod(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ prepare, says string }{
		"links out of the tree": {"ln -s ../../outside /srv/tree/link", `"../../outside"`},
		"absolute link":         {"ln -s /etc/passwd /srv/tree/link", `"/etc/passwd"`},
		"device":                {"mknod /srv/tree/null c 1 3", `"null"`},
		"pipe":                  {"mkfifo /srv/tree/pipe", `"pipe"`},
		"tar sends ../outside":  {fake("cd /srv/evil/in; tar.real -c ../outside"), "outside"},
		"tar sends a link":      {fake("cd /srv/evil/link; tar.real -c file"), `"file"`},
		"tar sends a device":    {fake("cd /srv/evil/dev; tar.real -c file"), `"file"`},
		"tar sends other bytes": {fake("cd /srv/evil/other; tar.real -c file"), "file"},
		"tar sends half":        {fake("cd /srv/tree; tar.real -c ./file ./second | head -c 700"), "archive"},
		"tar sends one of two":  {fake("cd /srv/tree; tar.real -c ./file"), "second"},
		"tar fails after all":   {fake("cd /srv/tree; tar.real -c ./file ./second; echo tar is ill >&2; exit 1"), "tar is ill"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			target := ownPod(t, podOf("hostile", debian))
			output(t, target, `mkdir -p /srv/tree /srv/evil/in /srv/evil/link /srv/evil/dev /srv/evil/other; cd /srv/evil
echo evil >outside; ln -s /etc/passwd link/file; mknod dev/file c 1 3; echo evil >other/file
cd /srv/tree; echo good >file; echo more >second`)
			output(t, target, test.prepare)
			outer := t.TempDir()
			to := filepath.Join(outer, "to")
			if err := errors.Join(os.Mkdir(to, 0o755), os.WriteFile(filepath.Join(to, "file"), []byte("old"), 0o600), os.WriteFile(filepath.Join(outer, "outside"), []byte("untouched"), 0o600)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, outer, time.Second)
			_, err := pod.CopyFrom(t.Context(), target, "/srv/tree", to, pod.CopyOptions{})
			if test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("error %v, want one that says %s", err, test.says)
			}
			after := tree(t, outer, time.Second)
			if err == nil {
				return
			}
			for _, m := range []map[string]file{before, after} {
				delete(m, "to") // its time
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("changed, -before +after:\n%s", diff)
			}
		})
	}
}

// fake replaces tar by a script.
func fake(script string) string {
	return "mv /bin/tar /bin/tar.real; cat >/bin/tar <<'EOF'\n#!/bin/sh\n[ \"$1\" != --version ] || exec tar.real --version\n" + script + "\nEOF\nchmod 755 /bin/tar"
}

// TestDamagedOnArrival copies into containers whose tar damages what it unpacks, with each kind of proof. The old files must
// stay, and nothing else be left.
func TestDamagedOnArrival(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	for name, content := range map[string]string{"small": "content\n", "large": strings.Repeat("content\n", 100_000)} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("small", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	for tools, prepare := range map[string]string{"cksum": "", "sha1sum": "rm /usr/bin/cksum", "without-find": "rm /usr/bin/find"} {
		t.Run(tools, func(t *testing.T) {
			t.Parallel()
			target := ownPod(t, podOf("damaged", debian))
			output(t, target, prepare+"\nmkdir -p /srv/to; echo old >/srv/to/small; mv /usr/bin/tar /usr/bin/tar.real")
			for name, test := range map[string]struct{ damage, says string }{
				"none":              {"true", ""},
				"one byte, small":   {"printf D | dd of=small conv=notrunc bs=1 seek=3 status=none", `"small" arrived wrong: its contents`},
				"one byte, large":   {"printf D | dd of=large conv=notrunc bs=1 seek=400003 status=none", `"large" arrived wrong: its contents`},
				"bytes exchanged":   {"printf ontentc | dd of=large conv=notrunc bs=1 seek=4096 status=none", `"large" arrived wrong: its contents`},
				"shorter":           {"truncate -s -1 large", `"large" arrived wrong: it has 799999 bytes`},
				"lost":              {"rm small", `"small" did not arrive`},
				"mode":              {"chmod 666 small", `"small" arrived wrong: its mode is 666`},
				"time":              {"touch small", `"small" arrived wrong: its mode is 640 and its time`},
				"link":              {"ln -sf large link", `"link" arrived wrong: it links to "large"`},
				"one too many":      {"echo >other", "more entries arrived"},
				"a folder for file": {"rm small; mkdir small", `"small" arrived wrong: it is a folder`},
			} {
				output(t, target, "cat >/usr/bin/tar <<'end'\n#!/bin/sh\ntar.real \"$@\" || exit\nexec 2>&1\n"+test.damage+"\nexit 0\nend\nchmod 755 /usr/bin/tar")
				to := "/srv/to"
				if name == "none" {
					to = "/srv/sound" // the wrapper by itself does no harm
				}
				_, err := pod.CopyTo(t.Context(), target, from, to, pod.CopyOptions{})
				switch {
				case test.says == "" && err != nil:
					t.Errorf("%s: %v", name, err)
				case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
					t.Errorf("%s: error %v, want one that says %s", name, err, test.says)
				}
				if got := output(t, target, "cd /srv/to; ls -A; cat small"); got != "small\nold\n" {
					t.Errorf("%s: left behind %q", name, got)
				}
			}
		})
	}
}
