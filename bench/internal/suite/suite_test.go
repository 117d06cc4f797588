package suite

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubesdk/kubesdk/kubetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestEverythingRuns does every workload with every client on very little work. Its figures mean nothing.
func TestEverythingRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	results, err := Run(t.Context(), Options{
		Sizes: Tiny, Module: "../..", Kubeconfig: kubetest.StartNamed(t, "kubetest-bench").Kubeconfig, Scratch: dir, Progress: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range results.Contests {
		for _, row := range c.Rows {
			if row.CPU <= 0 || row.Allocs <= 0 || row.Bytes <= 0 {
				t.Errorf("%s, %s: nothing was measured: %+v", c.Title, row.Client, row)
			}
		}
	}
	for _, s := range results.Starts {
		if s.Client == sdk && s.Requests != 1 {
			t.Errorf("the first answer took %d requests, want 1", s.Requests)
		}
	}
	page := filepath.Join(dir, "RESULTS.md")
	if err := results.Write(page); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	charts := regexp.MustCompile(`\]\((charts/[^)]+)\)`).FindAllStringSubmatch(string(text), -1)
	if len(charts) < 8 {
		t.Errorf("the page has %d charts", len(charts))
	}
	for _, c := range charts {
		f, err := os.Open(filepath.Join(dir, c[1]))
		if err != nil {
			t.Error(err)
			continue
		}
		checkXML(t, c[1], f)
		_ = f.Close()
	}
}

func checkXML(t *testing.T, name string, r io.Reader) {
	t.Helper()
	for d := xml.NewDecoder(r); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := chart(&got, "CPU per call <of 8 KB>", []bar{{name: "kubesdk", value: 50, text: "50 µs", ours: true}, {name: "other", value: 100, text: "100 µs"}, {name: "none"}}); err != nil {
		t.Fatal(err)
	}
	checkXML(t, "chart", strings.NewReader(got.String()))
	golden := filepath.Join("testdata", "chart.svg")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("chart (-want +got):\n%s", diff)
	}
}

func TestGoalLines(t *testing.T) {
	t.Parallel()
	for want, goal := range map[string]Goal{
		"goal a 0.600 <=0.60 ok":    {Name: "a", Measured: 0.6, Limit: 0.6},
		"goal a 0.700 <=0.60 short": {Name: "a", Measured: 0.7, Limit: 0.6},
		"goal a 1.000 >=1.00 ok":    {Name: "a", Measured: 1, Limit: 1, AtLeast: true},
		"goal a 0.900 >=1.00 short": {Name: "a", Measured: 0.9, Limit: 1, AtLeast: true},
		"goal a NaN >=1.00 short":   {Name: "a", Measured: nan(), Limit: 1, AtLeast: true},
	} {
		if got := goal.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestMedian(t *testing.T) {
	t.Parallel()
	self := func(f float64) float64 { return f }
	for want, values := range map[float64][]float64{3: {3}, 2: {9, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values, self); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
}
