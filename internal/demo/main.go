// Command demo starts a real Kubernetes, runs every program of examples/ against it, stops it, and says how long each took.
//
//	go run ./internal/demo [-localkube bin/localkube] [-name demo] [example ...]
//
// It ends with an error if one of them fails, which does not keep the others from running.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubesdk/kubesdk/internal/busybox"
	"github.com/kubesdk/kubesdk/internal/examples"
)

const (
	staging, node = "-staging", "-node" // the further clusters
	exitMissing   = 5                   // of localkube: this machine lacks what a node needs
)

func main() {
	binary := flag.String("localkube", localkube(), "the localkube to use ($LOCALKUBE)")
	name := flag.String("name", "demo", "name of the Kubernetes; further ones are named after it")
	root := flag.String("examples", "examples", "folder of the programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{localkube: *binary, name: *name, running: map[string]string{}}
	err := d.run(ctx, *root, flag.Args())
	err = errors.Join(err, d.stop())
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // stop only gives the signals back, which the end of the program does too
	}
}

func localkube() string {
	if path := os.Getenv("LOCALKUBE"); path != "" {
		return path
	}
	return filepath.Join("bin", "localkube")
}

// demo is one run.
type demo struct {
	localkube string
	name      string            // of the first cluster
	running   map[string]string // kubeconfig by name of the cluster
	noNode    string            // why pods cannot run here
}

// outcome is what became of an example.
type outcome struct {
	name, result string
	took         time.Duration
}

func (d *demo) run(ctx context.Context, root string, only []string) error {
	all, err := examples.Find(root)
	if err != nil {
		return err
	}
	if all, err = choose(all, only); err != nil {
		return err
	}
	bin, err := os.MkdirTemp("", "kubesdk-demo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }()
	if err := d.start(ctx, all); err != nil {
		return err
	}
	var outcomes []outcome
	failed, start := 0, time.Now()
	for i, e := range all {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		fmt.Printf("\n━━ %d/%d %s: %s\n\n", i+1, len(all), e.Name, e.Synopsis)
		if e.Node && d.noNode != "" {
			fmt.Println("skipped:", d.noNode)
			outcomes = append(outcomes, outcome{e.Name, "skipped", 0})
			continue
		}
		took, err := d.example(ctx, e, bin)
		result := "ok"
		if err != nil {
			fmt.Println("failed:", err)
			result = "FAILED"
			failed++
		}
		outcomes = append(outcomes, outcome{e.Name, result, took})
	}
	fmt.Print("\n━━ done\n\n")
	for _, o := range outcomes {
		fmt.Printf("  %-16s %-8s %6.1f s\n", o.name, o.result, o.took.Seconds())
	}
	fmt.Printf("  %-16s %-8s %6.1f s, with compiling them\n", "all", "", time.Since(start).Seconds())
	if failed > 0 {
		return fmt.Errorf("%d of %d examples failed", failed, len(all))
	}
	return nil
}

func choose(all []examples.Example, only []string) ([]examples.Example, error) {
	if len(only) == 0 {
		return all, nil
	}
	var chosen []examples.Example
	for _, name := range only {
		i := slices.IndexFunc(all, func(e examples.Example) bool { return e.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no example %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// example builds and runs one program, and says how long the running took.
func (d *demo) example(ctx context.Context, e examples.Example, bin string) (time.Duration, error) {
	binary, err := e.Build(ctx, bin)
	if err != nil {
		return 0, err
	}
	cluster := d.name
	if e.Node {
		cluster = d.name + node
	}
	config := filepath.Join(bin, "kubeconfig")
	if err := examples.Kubeconfig(config, d.running[cluster], "default", d.running[d.name+staging]); err != nil {
		return 0, err
	}
	start := time.Now()
	err = examples.Command(ctx, binary, config, os.Stdout, os.Stderr).Run()
	return time.Since(start), err
}

// start brings up the clusters that the examples need.
func (d *demo) start(ctx context.Context, all []examples.Example) error {
	for _, name := range []string{d.name, d.name + staging} {
		if err := d.up(ctx, name); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(all, func(e examples.Example) bool { return e.Node }) {
		return nil
	}
	err := d.up(ctx, d.name+node, "--node")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitMissing {
		d.noNode = "pods cannot run on this machine, as localkube says above"
		return nil
	}
	if err != nil {
		return err
	}
	err = busybox.Load(ctx, d.localkube, d.name+node)
	if errors.Is(err, exec.ErrNotFound) {
		d.noNode = fmt.Sprintf("their pods need BusyBox, which Debian has in the package busybox-static: %v", err)
		return nil
	}
	return err
}

func (d *demo) up(ctx context.Context, name string, flags ...string) error {
	fmt.Printf("━━ start Kubernetes %q\n\n", name)
	cmd := exec.CommandContext(ctx, d.localkube, append([]string{"up", "--name", name, "-o", "json", "--idle-timeout", "15m"}, flags...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	d.running[name] = "" // to be stopped, whatever comes of it
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	var info struct{ Kubeconfig string }
	if err := json.Unmarshal(out, &info); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	d.running[name] = info.Kubeconfig
	return nil
}

// stop takes the clusters down, also after an interrupt.
func (d *demo) stop() error {
	var errs []error
	for name := range d.running {
		fmt.Printf("\n━━ stop Kubernetes %q\n", name)
		cmd := exec.Command(d.localkube, "down", "--name", name) //nolint:noctx // it is to be done whatever was cancelled
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err))
		}
	}
	return errors.Join(errs...)
}
