package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kubesdk/kubesdk/pod/internal/archive"
	"github.com/kubesdk/kubesdk/pod/internal/manifest"
)

// SyncOptions are the options of [Sync] and [SyncFrom].
type SyncOptions struct {
	CopyOptions
	// Delete also deletes what is only in the destination, and replaces folders by files and the other way around where
	// that is what the source has. What takes no part because of Include, Ignore or IgnoreFile is never deleted.
	Delete bool
	// DryRun changes nothing: the report has what would be done.
	DryRun bool
	// Checksum compares the contents of all files, also of those with the same size and time.
	Checksum bool
}

// Sync makes the folder to in the container the same as the local folder from, and sends only what differs: what is of
// another type, mode, size, modification time or link. Where these cannot tell (the same size and another time, or a
// change within the second of the last sync), contents are compared by hashes. See [CopyTo] for what is kept and how
// files get into place.
func Sync(ctx context.Context, t Target, from, to string, o SyncOptions) (*Report, error) {
	fail := func(err error) error { return fmt.Errorf("sync %s to %s in %s: %w", from, to, t, err) }
	start := time.Now()
	f := newFilter(o.CopyOptions)
	want, err := f.scan(ctx, from)
	if err != nil {
		return nil, fail(err)
	}
	if want.Single {
		return nil, fail(fmt.Errorf("%s %w", from, errNoFolder))
	}
	r, err := newRemote(ctx, t, o.Helper)
	if err != nil {
		return nil, fail(err)
	}
	to = cleanRemote(to)
	have, err := r.list(ctx, to, false)
	if have, err = orEmpty(have, err); err != nil {
		return nil, fail(err)
	}
	if have.Single {
		return nil, fail(fmt.Errorf("%s %w", to, errNoFolder))
	}
	plan, err := planSync(ctx, want, have, f, o, func(ctx context.Context, paths []string) (map[string]bool, error) {
		return sameContents(ctx, r, to, from, paths)
	})
	if err != nil {
		return nil, fail(err)
	}
	m := newMeter(o.Progress)
	if o.DryRun || len(plan.Steps) == 0 {
		return m.report(plan.Steps, start), nil
	}
	resendSmall(plan.Steps)
	u := &upload{remote: r, top: from, to: to, want: want, plan: plan, force: o.Delete, meter: m}
	if err := u.run(ctx); err != nil {
		return nil, fail(err)
	}
	return m.report(plan.Steps, start), nil
}

// SyncFrom makes the local folder to the same as the folder from in the container. It is [Sync] in the other direction,
// with the care of [CopyFrom].
func SyncFrom(ctx context.Context, t Target, from, to string, o SyncOptions) (*Report, error) {
	fail := func(err error) error { return fmt.Errorf("sync %s in %s to %s: %w", from, t, to, err) }
	start := time.Now()
	r, err := newRemote(ctx, t, o.Helper)
	if err != nil {
		return nil, fail(err)
	}
	from = cleanRemote(from)
	want, err := r.list(ctx, from, false)
	if err != nil {
		return nil, fail(err)
	}
	if want.Single {
		return nil, fail(fmt.Errorf("%s %w", from, errNoFolder))
	}
	f := newFilter(o.CopyOptions)
	if err := f.readRemote(ctx, r, from, want); err != nil {
		return nil, fail(err)
	}
	f.only(want)
	have, err := manifest.Scan(ctx, to, nil)
	if have, err = orEmpty(have, err); err != nil {
		return nil, fail(err)
	}
	if have.Single {
		return nil, fail(fmt.Errorf("%s %w", to, errNoFolder))
	}
	plan, err := planSync(ctx, want, have, f, o, func(ctx context.Context, paths []string) (map[string]bool, error) {
		return sameContents(ctx, r, from, to, paths)
	})
	if err != nil {
		return nil, fail(err)
	}
	m := newMeter(o.Progress)
	if o.DryRun || len(plan.Steps) == 0 {
		return m.report(plan.Steps, start), nil
	}
	d := &download{remote: r, top: from, to: filepath.Clean(to), want: want, plan: plan, force: o.Delete, meter: m}
	if err := d.run(ctx); err != nil {
		return nil, fail(err)
	}
	return m.report(plan.Steps, start), nil
}

// orEmpty takes a destination that is not there for an empty one.
func orEmpty(m *manifest.Manifest, err error) (*manifest.Manifest, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return &manifest.Manifest{}, nil
	}
	return m, err
}

// planSync compares, and where that is not enough compares contents, and plans again.
func planSync(ctx context.Context, want, have *manifest.Manifest, f *filter, o SyncOptions, same func(context.Context, []string) (map[string]bool, error)) (manifest.Plan, error) {
	policy := manifest.Policy{Delete: o.Delete, All: o.Checksum, Protect: f.protects}
	plan := manifest.Compare(want, have, policy)
	if len(plan.Unsure) > 0 {
		known, err := same(ctx, plan.Unsure)
		if err != nil {
			return plan, err
		}
		policy.Same = known
		plan = manifest.Compare(want, have, policy)
	}
	if o.Delete {
		return plan, nil
	}
	for _, s := range plan.Steps {
		if s.Was != 0 && (s.Was == manifest.Dir) != (s.Entry.Kind == manifest.Dir) {
			return plan, fmt.Errorf("%q is a %s and what is in its place a %s: with Delete it is replaced", s.Entry.Path, s.Entry.Kind, s.Was)
		}
	}
	return plan, nil
}

// sameContents compares files of the container with local ones by their hashes.
func sameContents(ctx context.Context, r *remote, there, here string, paths []string) (map[string]bool, error) {
	type result struct {
		hashes map[string]string
		err    error
	}
	said := make(chan result, 1)
	go func() {
		h, err := r.hashes(ctx, r.kit.same, there, paths)
		said <- result{h, err}
	}()
	root, err := os.OpenRoot(here)
	if err != nil {
		<-said
		return nil, err
	}
	defer func() { _ = root.Close() }() // it was only read from
	local := map[string]string{}
	for _, p := range paths {
		if local[p], err = hashFile(root, p, r.kit.same); err != nil {
			<-said
			return nil, err
		}
	}
	remote := <-said
	if remote.err != nil {
		return nil, remote.err
	}
	same := map[string]bool{}
	for _, p := range paths {
		same[p] = local[p] == remote.hashes[p]
	}
	return same, nil
}

func hashFile(root *os.Root, p string, by archive.Hasher) (string, error) {
	f, err := root.Open(filepath.FromSlash(p))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := by.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// small is the size of a file that is sent again sooner than a program is started for it, in bytes.
const small = 32 << 10

// resendSmall sends small files again of which only the mode or time differs.
func resendSmall(steps []manifest.Step) {
	for i, s := range steps {
		if s.Action == manifest.Adjust && s.Entry.Kind == manifest.File && s.Entry.Size <= small {
			steps[i].Action = manifest.Change
		}
	}
}
