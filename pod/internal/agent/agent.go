// Package agent does in Go what the scripts of transfers do with a shell and tools, for containers that have neither: it is
// the whole of the pushed helper. Arguments, input and output of each operation are those of its script, see packages
// manifest and archive.
package agent

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// Hasher is the program for hashes that the agent stands for.
const Hasher = "sha1sum"

// Run does the operation args[0] and returns the exit code.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		_, _ = fmt.Fprintln(stderr, "this program is for the Kubernetes SDK's copying of files: it is not for people")
		return 2
	}
	rest := slices.Concat(args[1:], make([]string, 5))
	var err error
	switch a := (agent{stdin, stdout}); args[0] {
	case "list":
		err = a.list(rest[0], rest[1])
	case "hash":
		err = a.each(rest[0], func(path string) error { return a.hash(rest[0], path) })
	case "unpack":
		err = a.unpack(rest[0], rest[1], rest[3])
	case "commit":
		err = a.commit(rest[0], rest[1], rest[2] != "")
	case "delete":
		err = a.each(rest[0], func(path string) error { return os.RemoveAll(filepath.Join(rest[0], path)) })
	case "adjust":
		err = a.adjust(rest[0])
	case "pack":
		err = a.pack(rest[0])
	case "discard":
		err = os.RemoveAll(rest[0])
	case "cat":
		err = a.cat(rest[0])
	default:
		err = fmt.Errorf("unknown operation %q: the helper and the program that uses it are not of one version", args[0])
	}
	switch {
	case err == nil:
		return 0
	case args[0] == "list" && errors.Is(err, fs.ErrNotExist):
		_, _ = fmt.Fprintf(stderr, "%s: No such file or directory\n", rest[0])
		return manifest.NoSuchFile
	}
	_, _ = fmt.Fprintln(stderr, sentence(err))
	return 1
}

// sentence writes system errors as tools do.
func sentence(err error) string {
	text := err.Error()
	for _, words := range []string{"No space left on device", "Read-only file system", "Permission denied", "Operation not permitted"} {
		text = strings.ReplaceAll(text, strings.ToLower(words), words)
	}
	return text
}

type agent struct {
	in  io.Reader
	out io.Writer
}

func (a agent) list(path, hasher string) error {
	m, err := manifest.Scan(context.Background(), path, nil)
	if err != nil {
		return err
	}
	dir := path
	if m.Single {
		dir = filepath.Dir(path)
	}
	for i := range m.Entries {
		if e := &m.Entries[i]; e.Kind == manifest.File && hasher != "" {
			if e.Hash, err = hashOf(filepath.Join(dir, e.Path)); err != nil {
				return err
			}
		}
	}
	return m.Write(a.out, hasher != "")
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha1.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func (a agent) hash(dir, path string) error {
	h, err := hashOf(filepath.Join(dir, path))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s  %s\n", h, path)
	return err
}

// fields reads fields that end with a zero byte.
func (a agent) fields(each func(string) error) error {
	r := bufio.NewReader(a.in)
	for {
		field, err := r.ReadString(0)
		if errors.Is(err, io.EOF) && field == "" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(field[:len(field)-1]); err != nil {
			return err
		}
	}
}

func (a agent) each(_ string, do func(path string) error) error { return a.fields(do) }

func (a agent) adjust(dir string) error {
	var three []string
	return a.fields(func(f string) error {
		if three = append(three, f); len(three) < 3 {
			return nil
		}
		mode, err := strconv.ParseUint(three[0], 8, 32)
		if err != nil {
			return err
		}
		at, err := parseTime(three[1])
		if err != nil {
			return err
		}
		path := filepath.Join(dir, three[2])
		three = nil
		e := manifest.Entry{Mode: uint32(mode)}
		if err := os.Chmod(path, e.FileMode()); err != nil {
			return err
		}
		return os.Chtimes(path, at, at)
	})
}

// parseTime reads seconds with an optional fraction of nine digits.
func parseTime(s string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	var nanos int64
	if fraction != "" {
		if nanos, err = strconv.ParseInt(fraction, 10, 64); err != nil {
			return time.Time{}, err
		}
	}
	return time.Unix(seconds, nanos), nil
}

func (a agent) cat(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = a.out.Write(b)
	return err
}

// pack writes the files that are asked for. A file that becomes shorter is an error, one that becomes longer is cut.
func (a agent) pack(dir string) error {
	w := tar.NewWriter(a.out)
	err := a.fields(func(path string) error {
		f, err := os.Open(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Size: info.Size(), Mode: 0o600, Format: tar.FormatGNU}); err != nil {
			return err
		}
		_, err = io.CopyN(w, f, info.Size())
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
