package pod

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
	"github.com/kubesdk/kubesdk/pod/internal/supervise"
)

// toolkit is what a container has for transfers.
type toolkit struct {
	gnu    bool           // tar is GNU's, else BusyBox' or like it
	fast   string         // not empty: find and the programs for hashes are GNU's
	same   archive.Hasher // tells whether two files are the same
	proof  archive.Hasher // tells whether what arrived is what was sent
	helper string         // path of the pushed helper that is used instead; empty: shell and tools
}

// unpackFlags and packFlags are tar's. GNU's reads and writes 64 KiB at once then: in its usual 10 KiB, each is a message of
// its own on the way.
func (k *toolkit) unpackFlags() string {
	if k.gnu {
		return "-p -o -b 128"
	}
	return "-o"
}

func (k *toolkit) packFlags() string {
	if k.gnu {
		return "-S --format=gnu -b 128"
	}
	return ""
}

// operation is one step of a transfer in the container: a script, which the helper knows by name.
type operation struct{ name, script string }

var (
	opList    = operation{"list", manifest.List}
	opHash    = operation{"hash", manifest.Hash}
	opUnpack  = operation{"unpack", archive.Unpack}
	opCommit  = operation{"commit", archive.Commit}
	opDelete  = operation{"delete", archive.Delete}
	opAdjust  = operation{"adjust", archive.Adjust}
	opPack    = operation{"pack", archive.Pack}
	opDiscard = operation{"discard", archive.Discard}
	opProbe   = operation{"probe", archive.Probe}
)

// remote is the container's side of a transfer.
type remote struct {
	target Target
	kit    *toolkit
}

// newRemote finds out how files can be handled in the target.
func newRemote(ctx context.Context, t Target, h HelperOptions) (*remote, error) {
	t, err := t.resolve(ctx)
	if err != nil {
		return nil, err
	}
	t.known.mu.Lock()
	kit := t.known.tools[t.key()]
	t.known.mu.Unlock()
	r := &remote{target: t, kit: kit}
	if kit != nil {
		return r, nil
	}
	if r.kit, err = r.probe(ctx, h); err != nil {
		return nil, err
	}
	t.known.mu.Lock()
	t.known.tools[t.key()] = r.kit
	t.known.mu.Unlock()
	return r, nil
}

func (r *remote) probe(ctx context.Context, h HelperOptions) (*toolkit, error) {
	r.kit = &toolkit{}
	var out bytes.Buffer
	err := r.run(ctx, opProbe, nil, &out)
	if err != nil && !noShellAtAll(err) {
		return nil, err
	}
	fields := strings.Fields(out.String())
	if err != nil {
		fields = []string{"other", "slow", "-", "-", supervise.Shell}
	}
	if len(fields) < 4 {
		return nil, fmt.Errorf("find out what tools %s has: it says %q", r.target, out.String())
	}
	if missing := fields[4:]; len(missing) > 0 {
		return r.pushHelper(ctx, h, missing)
	}
	kit := &toolkit{gnu: fields[0] == "gnu", same: archive.HasherOf(fields[2]), proof: archive.HasherOf(fields[3])}
	if fields[1] == "fast" {
		kit.fast = fields[1]
	}
	return kit, nil
}

func noShellAtAll(err error) bool {
	return err != nil && strings.Contains(err.Error(), supervise.Shell) && missing(err.Error())
}

// run runs an operation. Output is written directly: its readers keep up.
func (r *remote) run(ctx context.Context, op operation, stdin io.Reader, stdout io.Writer, args ...string) error {
	argv := append([]string{supervise.Shell, "-c", op.script, "kubesdk"}, args...)
	if r.kit.helper != "" {
		argv = append([]string{r.kit.helper, op.name}, args...)
	}
	cmd := &Cmd{target: r.target, Args: argv, Stdin: stdin, Stdout: stdout, direct: true}
	err := cmd.Run(ctx)
	var exit *ExitError
	if errors.As(err, &exit) {
		return toolError(op, exit)
	}
	return err
}

// RemoteError is an error of a tool in the container that a transfer uses. It matches, where the tool's words say so,
// fs.ErrNotExist, fs.ErrPermission, syscall.ENOSPC and syscall.EROFS.
type RemoteError struct {
	Target  string // where it ran
	Message string // what it wrote to standard error
	cause   error
}

// Error says where and what.
func (e *RemoteError) Error() string {
	if e.cause != nil && !strings.Contains(strings.ToLower(e.Message), e.cause.Error()) {
		return fmt.Sprintf("%s: %s (%v)", e.Target, e.Message, e.cause)
	}
	return e.Target + ": " + e.Message
}

// Unwrap returns what the message stands for, or nil.
func (e *RemoteError) Unwrap() error { return e.cause }

func toolError(op operation, exit *ExitError) error {
	e := &RemoteError{Target: exit.Target, Message: strings.TrimSpace(string(exit.Stderr))}
	if e.Message == "" {
		e.Message = fmt.Sprintf("%s failed with exit code %d", op.name, exit.Code)
	}
	for words, cause := range map[string]error{
		"No space left on device": syscall.ENOSPC,
		"Wrote only":              syscall.ENOSPC, // GNU tar's way to say it
		"Read-only file system":   syscall.EROFS,
		"Permission denied":       fs.ErrPermission,
		"Operation not permitted": fs.ErrPermission,
	} {
		if strings.Contains(e.Message, words) {
			e.cause = cause
		}
	}
	if op.name == opList.name && exit.Code == manifest.NoSuchFile {
		e.cause = fs.ErrNotExist
	}
	return e
}

// list makes the manifest of a path in the container, with hashes of files of which that is no work, if they are asked for.
func (r *remote) list(ctx context.Context, path string, hashed bool) (*manifest.Manifest, error) {
	hasher := ""
	if hashed && r.kit.fast != "" {
		hasher = r.kit.proof.Program
	}
	var m *manifest.Manifest
	err := again(ctx, func() error {
		return r.runInto(ctx, opList, nil, func(out io.Reader) (err error) {
			m, err = manifest.Parse(out, false)
			return err
		}, path, hasher, r.kit.fast, "-size", "-129")
	})
	return m, err
}

// again does what only reads from the container up to twice more if it was cut off.
func again(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if attempt == 3 || !errors.Is(err, ErrIncomplete) || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, askAgain); err != nil {
			return err
		}
	}
}

// runInto runs an operation and lets take read what it says.
func (r *remote) runInto(ctx context.Context, op operation, stdin io.Reader, take func(io.Reader) error, args ...string) error {
	read, write := io.Pipe()
	taken := make(chan error, 1)
	go func() {
		err := take(read)
		_, _ = io.Copy(io.Discard, read) // so that the command can end, whatever it says
		taken <- err
	}()
	buffered := bufio.NewWriterSize(write, handOver)
	err := r.run(ctx, op, stdin, buffered, args...)
	_ = write.CloseWithError(buffered.Flush()) // of a pipe: it never fails
	takeErr := <-taken
	if err != nil {
		return err
	}
	if takeErr != nil {
		return fmt.Errorf("%s: %w", r.target, takeErr)
	}
	return nil
}

// handOver is how many bytes go from one goroutine to another at once: in smaller pieces, waking them up costs more than
// what they do.
const handOver = 256 << 10

// hashes hashes files in a folder of the container.
func (r *remote) hashes(ctx context.Context, by archive.Hasher, dir string, paths []string) (map[string]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	program := by.Program
	if r.kit.fast != "" {
		program += " -z"
	}
	var out bytes.Buffer
	err := again(ctx, func() error {
		out.Reset()
		return r.run(ctx, opHash, pathList(paths), &out, dir, program)
	})
	if err != nil {
		return nil, err
	}
	return manifest.ParseHashes(&out, paths, r.kit.fast != "")
}

// pathList is paths as the scripts read them.
func pathList(paths []string) io.Reader {
	var b bytes.Buffer
	for _, p := range paths {
		b.WriteString("./" + p)
		b.WriteByte(0)
	}
	return &b
}

// discard removes what a failed transfer has left. It may run after the transfer's context has ended.
func (r *remote) discard(ctx context.Context, stage string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = r.run(ctx, opDiscard, nil, nil, stage) // the transfer's own error is the one to tell
}

func stageName() string { return manifest.Stage + rand.Text()[:12] }
