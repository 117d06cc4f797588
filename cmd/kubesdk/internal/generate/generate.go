package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/emit"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/plan"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/write"
)

// Options say what to generate and where.
type Options struct {
	// Output is the output folder. It is made if it is missing.
	Output string
	// Module is the import path of the output folder. Empty means: from the go.mod above it.
	Module string
	// Strict makes every node that becomes raw JSON a failure of its group-version.
	Strict bool
	// UpstreamTypes takes types of k8s.io/api and apimachinery wherever a schema was made from them, although
	// they may lose something.
	UpstreamTypes bool
	// DryRun and Check write nothing; they only tell what would change.
	DryRun, Check bool
}

// Summary tells what a run did.
type Summary struct {
	Packages, Kinds, Types int
	Losses                 []plan.Loss
	Reused                 []plan.Reuse
	// Failures are group-versions that were not generated: their files stayed as they were.
	Failures []schema.ScopeError
	Changes  *write.Changes
	Took     time.Duration
}

// ErrFailed means that some group-versions were not generated. The others were.
var ErrFailed = errors.New("not everything was generated")

// ErrOutdated means that a check found files that would change.
var ErrOutdated = errors.New("the output folder is out of date")

// Run generates the packages for a set. A group-version that fails is named in the summary, leaves its files
// as they were, and makes the result [ErrFailed]; nothing at all is written if the output folder, the lock
// file or the import path is bad. One line for each group-version goes to progress.
func Run(ctx context.Context, set *schema.Set, opts Options, progress io.Writer) (*Summary, error) {
	started := time.Now()
	module, err := importPath(opts)
	if err != nil {
		return nil, err
	}
	lock, err := readLock(opts.Output)
	if err != nil {
		return nil, err
	}
	if err := set.Sort(); err != nil {
		return nil, err
	}
	s := &Summary{Failures: slices.Clone(set.Failures)}
	g := &run{opts: opts, module: module, lock: lock, files: write.Files{}, summary: s, next: &names.Lock{Packages: map[string]*names.PackageLock{}}}
	groups := byGroupVersion(set.Kinds)
	for i, kinds := range groups {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("interrupted, and nothing was written: %w", err)
		}
		gv := kinds[0].GroupVersion()
		pkg, err := g.generate(kinds)
		if err != nil {
			s.Failures = append(s.Failures, schema.ScopeError{Scope: gv, Err: err})
			_, _ = fmt.Fprintf(progress, "[%d/%d] %s: failed: %v\n", i+1, len(groups), gv, err)
			continue
		}
		_, _ = fmt.Fprintf(progress, "[%d/%d] %s: %d kinds, %d types\n", i+1, len(groups), gv, len(pkg.Kinds), len(pkg.Types))
	}
	if err := g.finish(ctx); err != nil {
		return s, err
	}
	s.Took = time.Since(started)
	switch {
	case len(s.Failures) > 0:
		return s, ErrFailed
	case opts.Check && !s.Changes.Empty():
		return s, ErrOutdated
	}
	return s, nil
}

// run is the state of one run.
type run struct {
	opts       Options
	module     string
	lock, next *names.Lock
	files      write.Files
	packages   []pkgPath
	summary    *Summary
}

// generate makes the files of one package.
func (g *run) generate(kinds []schema.Kind) (*plan.Package, error) {
	var errs []error
	for i := range kinds {
		if err := kinds[i].Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	gv := kinds[0].GroupVersion()
	pkg := plan.New(kinds, g.lock.Packages[gv], plan.Options{UpstreamTypes: g.opts.UpstreamTypes})
	if err := g.checkStrict(pkg); err != nil {
		return nil, err
	}
	p := pkgPath{group: pkg.Group, version: pkg.Version}
	files, err := emit.Package(pkg, g.module+"/"+p.dir())
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		g.files[p.dir()+"/"+name] = content
	}
	g.packages = append(g.packages, p)
	g.next.Packages[gv] = pkg.Lock
	g.summary.Packages++
	g.summary.Kinds += len(pkg.Kinds)
	g.summary.Types += len(pkg.Types)
	g.summary.Losses = append(g.summary.Losses, pkg.Losses...)
	g.summary.Reused = append(g.summary.Reused, pkg.Reused...)
	return pkg, nil
}

func (g *run) checkStrict(pkg *plan.Package) error {
	if !g.opts.Strict {
		return nil
	}
	var errs []error
	for _, loss := range pkg.Losses {
		if loss.Cause == plan.Raw {
			errs = append(errs, fmt.Errorf("--strict: raw JSON at %s", loss))
		}
	}
	return errors.Join(errs...)
}

// finish adds what stands above the packages and writes everything.
func (g *run) finish(ctx context.Context) error {
	var keep []string
	for gv, lock := range g.lock.Packages {
		p := parsePath(gv)
		failed := slices.ContainsFunc(g.summary.Failures, func(f schema.ScopeError) bool { return concerns(f.Scope, p) })
		if failed && g.next.Packages[gv] == nil {
			g.next.Packages[gv] = lock
			g.packages = append(g.packages, p)
			keep = append(keep, p.dir())
		}
	}
	if len(g.packages) > 0 {
		root, err := rootFile(g.module, g.packages)
		if err != nil {
			return err
		}
		g.files["scheme.go"] = root
		g.files[names.LockFile] = g.next.Bytes()
	}
	changes, err := write.Plan(g.opts.Output, g.files, write.Options{Generated: generated, Allowed: []string{"go.mod", "go.sum"}, Keep: keep})
	if err != nil {
		return err
	}
	g.summary.Changes = changes
	if len(g.packages) == 0 || g.opts.DryRun || g.opts.Check || changes.Empty() {
		return nil
	}
	return changes.Apply(ctx)
}

// concerns tells whether a failure of a group, a group-version or all groups ("") concerns a package.
func concerns(scope string, p pkgPath) bool {
	gv := p.version
	if p.group != "" {
		gv = p.group + "/" + p.version
	}
	return scope == "" || scope == gv || scope == p.group
}

func generated(name string, content []byte) bool {
	return name == names.LockFile || strings.HasSuffix(name, ".go") && bytes.HasPrefix(content, []byte(emit.Header))
}

// byGroupVersion splits sorted kinds.
func byGroupVersion(kinds []schema.Kind) [][]schema.Kind {
	var out [][]schema.Kind
	for i := range kinds {
		if i == 0 || kinds[i].GroupVersion() != kinds[i-1].GroupVersion() {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], kinds[i])
	}
	return out
}

func readLock(output string) (*names.Lock, error) {
	data, err := os.ReadFile(filepath.Join(output, names.LockFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		if info, statErr := os.Stat(output); statErr == nil && !info.IsDir() {
			return nil, fmt.Errorf("the output %s is a file: --output takes a folder", output)
		}
		return nil, fmt.Errorf("reading the lock file: %w", err)
	}
	return names.ParseLock(data)
}

// pkgPath is the place of a package.
type pkgPath struct{ group, version string }

func parsePath(gv string) pkgPath {
	group, version, ok := strings.Cut(gv, "/")
	if !ok {
		return pkgPath{version: gv}
	}
	return pkgPath{group, version}
}

// dir returns the folder of the package: group/version. Names that mean something to the go command get an
// underscore.
func (p pkgPath) dir() string {
	group := p.group
	if group == "" {
		group = "core"
	}
	return path.Join(plainDir(group), plainDir(p.version))
}

func plainDir(name string) string {
	if name == "internal" || name == "vendor" || name == "testdata" {
		return name + "_"
	}
	return name
}
