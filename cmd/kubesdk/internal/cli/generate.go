package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/generate"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/plan"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/source"
)

type generateFlags struct {
	context, kubeconfig, url string
	headers                  []string
	skipTLS                  bool
	fromDir                  string
	crds                     []string
	groups, kinds, versions  []string
	losses                   bool
	opts                     generate.Options
}

const generateExamples = `  # from CustomResourceDefinition files, into a folder of the module around it
  kubesdk generate --crd config/crd --output apis

  # from the cluster of the current context, one API group
  kubesdk generate --output apis --group cert-manager.io

  # from a release manifest on standard input
  curl -sL https://example.com/crds.yaml | kubesdk generate --crd - --output apis

  # from an API server with a token
  kubesdk generate --url https://cluster.example:6443 --http-headers "Authorization: Bearer $TOKEN" --output apis --module-name example.com/you/apis

  # in CI: fail if the checked-in code is out of date
  kubesdk generate --crd config/crd --output apis --check`

func newGenerate() *cobra.Command {
	f := &generateFlags{}
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Generate Go types from a cluster, OpenAPI documents or CustomResourceDefinitions",
		Long: `Generate writes one Go package for each version of each API group: types with documentation, defaults and
validation as kubebuilder markers, registration with a runtime.Scheme, lists and deep copies. The types lose
nothing of what the schema allows; what Go cannot type is kept as raw JSON, and a warning names it.

Without --crd, --from-dir or --url the schemas come from the cluster of the current kubeconfig context.

Exit codes: 0 success; 1 something failed, or --check found changes; 2 a mistake on the command line.`,
		Example: generateExamples,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.context, "context", "", "kubeconfig context of the cluster to read")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)")
	flags.StringVar(&f.url, "url", "", "URL of an API server to read, without a kubeconfig")
	flags.StringArrayVar(&f.headers, "http-headers", nil, `header for --url, such as "Authorization: Bearer ..." (repeatable)`)
	flags.BoolVar(&f.skipTLS, "skip-tls", false, "do not verify the server's certificate; for --url")
	flags.StringVar(&f.fromDir, "from-dir", "", "folder of saved OpenAPI v3 documents")
	flags.StringArrayVar(&f.crds, "crd", nil, "CustomResourceDefinition file, folder, or - for standard input (repeatable)")
	flags.StringSliceVar(&f.groups, "group", nil, `API groups to generate; "core" is the core group (default: all)`)
	flags.StringSliceVar(&f.kinds, "kind", nil, "kinds to generate (default: all)")
	flags.StringSliceVar(&f.versions, "version", nil, "API versions to generate (default: all)")
	flags.StringVarP(&f.opts.Output, "output", "o", "", "folder for the packages; it must hold nothing that was not generated (required)")
	flags.StringVar(&f.opts.Module, "module-name", "", "import path of the output folder (default: from the go.mod above it)")
	flags.BoolVar(&f.opts.Strict, "strict", false, "fail where a part of a schema can only become raw JSON")
	flags.BoolVar(&f.opts.UpstreamTypes, "upstream-types", false, "use metav1.Condition, corev1.PodTemplateSpec and the like also where they may lose something, and say what")
	flags.BoolVar(&f.opts.DryRun, "dry-run", false, "write nothing, list the files that would change")
	flags.BoolVar(&f.opts.Check, "check", false, "write nothing, exit with 1 if files would change")
	flags.BoolVar(&f.losses, "losses", false, "list every validation rule that no marker can carry, not only their number")
	cobra.CheckErr(cmd.MarkFlagDirname("output"))
	cobra.CheckErr(cmd.MarkFlagDirname("from-dir"))
	cobra.CheckErr(cmd.MarkFlagFilename("crd", "yaml", "yml", "json"))
	cobra.CheckErr(cmd.MarkFlagFilename("kubeconfig"))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("context", f.completeContexts))
	return cmd
}

func (f *generateFlags) run(ctx context.Context, cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return usageError{err, "generate "}
	}
	started := time.Now()
	stderr := cmd.ErrOrStderr()
	set, err := f.read(ctx, cmd.InOrStdin(), stderr)
	if err != nil {
		return err
	}
	for _, note := range set.Notes {
		sayln(stderr, "note:", note)
	}
	set.Filter(f.groups, f.kinds, f.versions)
	if len(set.Kinds) == 0 && len(set.Failures) == 0 {
		return errors.New("no kind is left to generate; check --group, --kind and --version")
	}
	summary, err := generate.Run(ctx, set, f.opts, stderr)
	if summary == nil || summary.Changes == nil {
		return err
	}
	f.report(cmd.OutOrStdout(), stderr, summary, time.Since(started))
	if errors.Is(err, generate.ErrFailed) {
		return errReported
	}
	return err
}

// check finds mistakes in the combination of flags.
func (f *generateFlags) check() error {
	sources := 0
	for _, given := range []bool{f.context != "" || f.kubeconfig != "", f.url != "", f.fromDir != "", len(f.crds) > 0} {
		if given {
			sources++
		}
	}
	switch {
	case f.opts.Output == "":
		return errors.New("--output is required: the folder for the generated packages")
	case sources > 1:
		return errors.New("choose one source: --crd, --from-dir, --url, or --context and --kubeconfig")
	case f.url == "" && (len(f.headers) > 0 || f.skipTLS):
		return errors.New("--http-headers and --skip-tls go with --url")
	case f.opts.DryRun && f.opts.Check:
		return errors.New("choose one of --dry-run and --check")
	}
	return nil
}

// read reads the schemas from wherever the flags say.
func (f *generateFlags) read(ctx context.Context, stdin io.Reader, stderr io.Writer) (*schema.Set, error) {
	if len(f.crds) > 0 {
		return source.CRDs(f.crds, stdin)
	}
	if f.fromDir != "" {
		return source.Directory(f.fromDir)
	}
	config, err := source.Kubeconfig(f.kubeconfig, f.context)
	if f.url != "" {
		config, err = source.URL(f.url, f.headers, f.skipTLS)
	}
	if err != nil {
		return nil, err
	}
	return source.Cluster(ctx, config, source.Selection{Groups: f.groups, Versions: f.versions}, stderr)
}

func (f *generateFlags) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, err := source.Contexts(f.kubeconfig)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// report prints warnings, what changed, and the summary.
func (f *generateFlags) report(stdout, stderr io.Writer, s *generate.Summary, took time.Duration) {
	counts := map[plan.Cause]int{}
	for _, loss := range s.Losses {
		counts[loss.Cause]++
		if loss.Cause == plan.Raw {
			sayln(stderr, "warning: raw JSON:", loss)
		} else if f.losses {
			say(stderr, "warning: not in the markers: %s\n", loss)
		}
	}
	for _, reuse := range s.Reused {
		if len(reuse.Loses) > 0 {
			sayln(stderr, "warning: an upstream type does not keep all:", reuse)
		}
	}
	for _, failure := range s.Failures {
		say(stderr, "failed: %v\n", failure)
	}
	c := s.Changes
	if f.opts.DryRun || f.opts.Check {
		for _, change := range []struct {
			verb  string
			files []string
		}{{"create", c.Created}, {"change", c.Changed}, {"remove", c.Removed}} {
			for _, name := range change.files {
				say(stdout, "would %s %s\n", change.verb, name)
			}
		}
	}
	parts := []string{
		fmt.Sprintf("%d packages, %d kinds, %d types in %.1fs", s.Packages, s.Kinds, s.Types, took.Seconds()),
		fmt.Sprintf("files: %d new, %d changed, %d removed, %d as they were", len(c.Created), len(c.Changed), len(c.Removed), c.Unchanged),
		fmt.Sprintf("warnings: %d raw JSON, %d rules that no marker can carry", counts[plan.Raw], counts[plan.Choice]+counts[plan.Marker]),
	}
	if n := len(s.Failures); n > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", n))
	}
	sayln(stderr, strings.Join(slices.Compact(parts), "; "))
}
