package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubesdk/kubesdk/cluster/internal/cluster"
	"github.com/kubesdk/kubesdk/cluster/internal/image"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func (a *app) image() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Build images and load them into a cluster's node",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q: use load or build", "image "+args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.imageLoad(), a.imageBuild())
	return cmd
}

func (a *app) imageLoad() *cobra.Command {
	return &cobra.Command{
		Use:   "load TAR",
		Short: "Load the images of an archive into a cluster's node",
		Long: "load loads the images of a docker-archive or OCI archive into the node of the cluster --name. Pods use them with the\n" +
			"imagePullPolicy Never or IfNotPresent, which is the default but for the tag \"latest\".",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name one archive")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, cfg, err := a.running()
			if err != nil {
				return err
			}
			return a.load(cmd, dir, cfg, args[0])
		},
	}
}

func (a *app) load(cmd *cobra.Command, dir state.Dir, cfg state.Config, archive string) error {
	p := newProgress(a.err)
	began := time.Now()
	p.waiting([]string{"loading"})
	names, err := cluster.LoadImages(cmd.Context(), dir, cfg, archive)
	p.stop()
	if err != nil {
		return err
	}
	p.total("loaded "+strings.Join(names, ", "), time.Since(began))
	return nil
}

func (a *app) imageBuild() *cobra.Command {
	var rootfs, ref, output string
	var cfg image.Config
	var entrypoint, command words
	cmd := &cobra.Command{
		Use:   "build --rootfs DIR|TAR --name REF",
		Short: "Build an image of a root file system and load it into a cluster's node",
		Long: "build makes an image named REF of a root file system, and loads it into the node of the cluster --cluster, or only\n" +
			"writes it to --output. The same root file system and flags give the same bytes.",
		Example: "  localkube image build --rootfs rootfs/ --name example.com/busybox:1 --cmd sleep --cmd infinity\n" +
			"  localkube image build --rootfs debian.tar --name debian:bookworm --cmd '[\"bash\",\"-l\"]' --output debian-image.tar",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rootfs == "" || ref == "" {
				return usageError{errors.New("--rootfs and --name are needed")}
			}
			cfg.Entrypoint, cfg.Cmd = entrypoint, command
			if output != "" {
				return buildImage(rootfs, ref, cfg, output)
			}
			// Asked first, since building may take long.
			dir, clusterConfig, err := a.running()
			if err != nil {
				return err
			}
			if !clusterConfig.Node {
				return fmt.Errorf("cluster %q: %w", dir.Name(), cluster.ErrNoNode)
			}
			f, err := os.CreateTemp("", "localkube-image-*.tar")
			if err != nil {
				return err
			}
			_ = f.Close()
			defer func() { _ = os.Remove(f.Name()) }()
			if err := buildImage(rootfs, ref, cfg, f.Name()); err != nil {
				return err
			}
			return a.load(cmd, dir, clusterConfig, f.Name())
		},
	}
	f := cmd.Flags()
	f.StringVar(&rootfs, "rootfs", "", "directory or tar file of the root file system")
	f.StringVar(&ref, "name", "", "name of the image, like example.com/app:1")
	f.StringVar(&a.name, "cluster", state.DefaultName, "name of the cluster to load the image into")
	f.Var(&entrypoint, "entrypoint", "a word of the program that containers run (repeat it for each word), or all as a JSON list")
	f.Var(&command, "cmd", "a word of the program's default arguments, or of the program if there is no entrypoint; like --entrypoint")
	f.StringArrayVar(&cfg.Env, "env", nil, "environment variable NAME=VALUE; may be repeated")
	f.StringVar(&cfg.User, "user", "", "user that containers run as, like 1000:1000 (default root)")
	f.StringVar(&cfg.WorkDir, "workdir", "", "working directory (default /)")
	f.StringVar(&cfg.Platform, "platform", "", "os/architecture (default this machine's)")
	f.StringVar(&output, "output", "", "only write the archive to this file")
	_ = cmd.RegisterFlagCompletionFunc("cluster", a.completeNames)
	_ = cmd.RegisterFlagCompletionFunc("name", cobra.NoFileCompletions)
	return cmd
}

// buildImage writes the archive to the file output, which is not there if it fails.
func buildImage(rootfs, ref string, cfg image.Config, output string) (err error) {
	root, err := image.Open(rootfs)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	var f io.WriteCloser
	if f, err = os.Create(output); err != nil {
		return err
	}
	if err = errors.Join(root.Write(f, ref, cfg), f.Close()); err != nil {
		_ = os.Remove(output)
	}
	return err
}

// words is a flag that collects one word each time it is given, or takes all of them as a JSON list.
type words []string

// String implements pflag.Value.
func (w *words) String() string { return strings.Join(*w, " ") }

// Type implements pflag.Value.
func (w *words) Type() string { return "word" }

// Set implements pflag.Value.
func (w *words) Set(s string) error {
	if !strings.HasPrefix(s, "[") {
		*w = append(*w, s)
		return nil
	}
	var list []string
	if err := json.Unmarshal([]byte(s), &list); err != nil {
		return fmt.Errorf("%s is not a JSON list of strings: %w", s, err)
	}
	*w = append(*w, list...)
	return nil
}
