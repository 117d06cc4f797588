package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/cluster/internal/cluster"
	"github.com/kubesdk/kubesdk/cluster/internal/node"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

func TestOwnFlagsEndWhereKubectlBegins(t *testing.T) {
	t.Parallel()
	type result struct {
		Name, Root string
		Rest       []string
		Help, Err  bool
	}
	for _, tt := range []struct {
		args string
		want result
	}{
		{"get pods", result{Name: "default", Rest: []string{"get", "pods"}}},
		{"--name a get pods --name b", result{Name: "a", Rest: []string{"get", "pods", "--name", "b"}}},
		{"--name=a --dir=/d get", result{Name: "a", Root: "/d", Rest: []string{"get"}}},
		{"-n x get pods", result{Name: "default", Rest: []string{"-n", "x", "get", "pods"}}},
		{"--name a -- --help", result{Name: "a", Rest: []string{"--help"}}},
		{"--help", result{Name: "default", Help: true}},
		{"get --help", result{Name: "default", Rest: []string{"get", "--help"}}},
		{"--name", result{Name: "default", Err: true}},
		{"", result{Name: "default", Rest: []string{}}},
	} {
		a := &app{name: state.DefaultName}
		rest, help, err := a.ownFlags(strings.Fields(tt.args))
		got := result{a.name, a.root, rest, help, err != nil}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q: %s", tt.args, diff)
		}
	}
}

func TestSeekTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", 300)
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc", 2, "b\nc"},
		{"a\nb\n", 5, "a\nb\n"},
		{"a\nb\n", 0, ""},
		{"", 3, ""},
		{"\n\n\n", 2, "\n\n"},
		{long, 200, long[100*100:]},
	} {
		r := strings.NewReader(tt.text)
		if err := seekTail(r, tt.n); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); string(got) != tt.want {
			t.Errorf("the last %d lines of %.20q are %.20q, want %.20q", tt.n, tt.text, got, tt.want)
		}
	}
}

func FuzzSeekTail(f *testing.F) {
	f.Add("a\nb\n", 1)
	f.Add(strings.Repeat("y\n", 9000), 8500)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 0 {
			return
		}
		r := strings.NewReader(text)
		if err := seekTail(r, n); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(r)
		lines := strings.SplitAfter(text, "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		want := strings.Join(lines[max(0, len(lines)-n):], "")
		if string(got) != want {
			t.Errorf("the last %d lines of %q are %q, want %q", n, text, got, want)
		}
	})
}

func TestAPIServerArg(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"v=4": "--v=4", "--v=4": "--v=4", "runtime-config=api/all=true": "--runtime-config=api/all=true",
		"v": "", "=4": "", "": "", "--": "",
	} {
		got, err := apiServerArg(arg)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", arg, got, err)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	var w words
	for _, s := range []string{"sleep", `["1 2","3"]`} {
		if err := w.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(words{"sleep", "1 2", "3"}, w); diff != "" {
		t.Error(diff)
	}
	if err := w.Set(`["a"`); err == nil {
		t.Error("half a list is taken")
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context //nolint:containedctx // a case of the table
		err  error
		want int
	}{
		{t.Context(), nil, 0},
		{t.Context(), errors.New("x"), 1},
		{t.Context(), usageError{errors.New("x")}, 2},
		{t.Context(), fmt.Errorf("x: %w", state.ErrNotFound), 3},
		{t.Context(), fmt.Errorf("x: %w", errNotReady), 4},
		{t.Context(), fmt.Errorf("x: %w", node.ErrMissing), 5},
		{t.Context(), exitError(42), 42},
		{cancelled, errors.New("x"), 130},
	} {
		if got := exitCode(tt.ctx, tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestDescribeShowsHowAComponentDied(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	a := &app{out: &out}
	err := a.describe(cluster.Info{Name: "c", Phase: state.Degraded, Components: []state.Component{
		{Name: "etcd", Phase: state.Ready, PID: 7},
		{Name: "kubelet", Phase: state.Exited, ExitCode: 1, Message: "exit status 1", Log: "no\tspace\n"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Degraded", "etcd", "7", "exit status 1", "no\tspace\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestCommandsExplainThemselves(t *testing.T) {
	t.Parallel()
	root := (&app{out: io.Discard, err: io.Discard}).command()
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && cmd.Short == "" {
			t.Errorf("%s says nothing of itself", cmd.Name())
		}
	}
}
