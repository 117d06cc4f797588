package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/record"
)

// Options say where a run takes place.
type Options struct {
	Sizes      Sizes
	Module     string // folder of the bench module, which the programs are built from
	Kubeconfig string // of a real API server that may be worked on
	Scratch    string // folder for programs and recordings; it exists
	Progress   io.Writer
}

// Run measures everything.
func Run(ctx context.Context, o Options) (*Results, error) {
	s := &session{Options: o, results: &Results{Sizes: o.Sizes, Taken: time.Now(), Machine: machine(), Versions: versions()}}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"build the clients", s.build}, {"record a real API server's answers", s.record}, {"measure each client's own cost on the replayed answers", s.replayed},
		{"first answer from process start", s.starts}, {"whole system", s.headline}, {"computing a patch", s.patches},
	} {
		s.say("== %s", step.what)
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	s.results.judge()
	return s.results, nil
}

type session struct {
	Options
	results *Results
}

func (s *session) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Progress, format+"\n", args...) // progress that cannot be shown is no reason to stop
}

func (s *session) program(name string) string { return filepath.Join(s.Scratch, name) }

func (s *session) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.Scratch+string(filepath.Separator), "./cmd/...")
	cmd.Dir = s.Module
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func (s *session) record(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	r, err := record.From(ctx, config, record.Sizes{Pods: s.Sizes.Recorded, Applications: s.Sizes.Recorded, Events: s.Sizes.Events})
	if err != nil {
		return err
	}
	s.results.Server = r.Server
	s.results.Bytes = map[string]int{
		"Deployment, protobuf": len(r.Deployment[record.Protobuf].Body), "Deployment, JSON": len(r.Deployment[record.JSON].Body),
		"Pod in a list, protobuf": len(r.Pods[record.Protobuf].Body) / s.Sizes.Recorded, "Pod in a list, JSON": len(r.Pods[record.JSON].Body) / s.Sizes.Recorded,
		"Custom resource in a list, JSON": len(r.Applications.Body) / s.Sizes.Recorded, "Event of a pod, protobuf": len(r.Events[record.Protobuf].Frames[0]),
	}
	return r.Save(s.program("answers.gob"))
}

// replayed measures all contests of the plan on a replay server, which is another process.
func (s *session) replayed(ctx context.Context) error {
	kubeconfig, stop, err := s.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, c := range plan(s.Sizes) {
		samples := make([][]measure.Sample, len(c.contenders))
		for range c.rounds {
			for i, who := range c.contenders {
				sample, err := s.measure(ctx, programs[who.client], c.args(kubeconfig, who)...)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.title, who.name(), err)
				}
				samples[i] = append(samples[i], sample)
			}
		}
		table := Contest{ID: c.id, Title: c.title, Item: c.items}
		for i, who := range c.contenders {
			table.Rows = append(table.Rows, summarize(who.name(), samples[i]))
		}
		s.results.Contests = append(s.results.Contests, table)
		s.say("%s", table.text())
	}
	return nil
}

// serve starts the replay server and waits for its kubeconfig.
func (s *session) serve(ctx context.Context) (kubeconfig string, stop func(), err error) {
	kubeconfig = s.program("replay.kubeconfig")
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.program("replay"), "-answers", s.program("answers.gob"), "-kubeconfig", kubeconfig)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		ended <- cmd.Wait()
	}()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it has ended already if this fails
		<-gone
	}
	for range 300 {
		if _, err := os.Stat(kubeconfig); err == nil {
			return kubeconfig, stop, nil
		}
		select {
		case err := <-ended:
			return "", nil, fmt.Errorf("replay server: %w: %s", err, stderr.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	stop()
	return "", nil, errors.New("replay server: no kubeconfig after 30 s")
}

func (s *session) measure(ctx context.Context, program string, args ...string) (measure.Sample, error) {
	var sample measure.Sample
	out, _, err := s.start(ctx, program, args...)
	if err != nil {
		return sample, err
	}
	return sample, json.Unmarshal(out, &sample)
}

// start runs a program to its end.
func (s *session) start(ctx context.Context, program string, args ...string) (stdout []byte, state *os.ProcessState, err error) {
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.program(program), args...)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		return nil, nil, fmt.Errorf("%s: %w: %s", program, err, text[:min(len(text), 500)])
	}
	return out.Bytes(), cmd.ProcessState, nil
}

func summarize(name string, samples []measure.Sample) Row {
	per := func(f func(measure.Sample) float64) float64 {
		return median(samples, func(s measure.Sample) float64 { return f(s) / float64(s.Items) })
	}
	return Row{
		Client: name,
		CPU:    time.Duration(per(func(s measure.Sample) float64 { return float64(s.CPU) })),
		Allocs: per(func(s measure.Sample) float64 { return float64(s.Allocs) }),
		Bytes:  per(func(s measure.Sample) float64 { return float64(s.Bytes) }),
		Peak:   median(samples, func(s measure.Sample) float64 { return float64(s.Peak) }),
	}
}

func median[T any](all []T, f func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = f(v)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}
