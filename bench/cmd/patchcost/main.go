// Command patchcost measures how long it takes to find out what changed in a Deployment and write it down as a patch, with
// this SDK and with apimachinery, and prints the figures as JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/kubesdk/kubesdk/bench/internal/object"
	"github.com/kubesdk/kubesdk/patch"
)

type result struct {
	Name   string
	Time   time.Duration
	Allocs float64
	Bytes  int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "patchcost:", err)
		os.Exit(1)
	}
}

func run() error {
	rounds := flag.Int("rounds", 9, "rounds of which the median is taken")
	calls := flag.Int("calls", 500, "calls in one round")
	flag.Parse()
	old := object.PatchDeployment()
	changed := old.DeepCopy()
	changed.Spec.Template.Spec.Containers[1].Image = "registry.example.com/shop/server:4.18.0"
	ways := []struct {
		name string
		make func() ([]byte, error)
	}{
		{"kubesdk patch.Diff", func() ([]byte, error) {
			p, err := patch.Diff(old, changed)
			if err != nil {
				return nil, err
			}
			return p.Data()
		}},
		{"apimachinery CreateTwoWayMergePatch, on marshaled JSON", func() ([]byte, error) {
			before, err := json.Marshal(old)
			if err != nil {
				return nil, err
			}
			after, err := json.Marshal(changed)
			if err != nil {
				return nil, err
			}
			return strategicpatch.CreateTwoWayMergePatch(before, after, appsv1.Deployment{})
		}},
	}
	results := make([]result, len(ways))
	times := make([][]time.Duration, len(ways))
	for round := range *rounds + 1 { // the first only warms up
		for i, way := range ways {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			for range *calls {
				body, err := way.make()
				if err != nil {
					return fmt.Errorf("%s: %w", way.name, err)
				}
				results[i].Bytes = len(body)
			}
			took := time.Since(start) / time.Duration(*calls)
			runtime.ReadMemStats(&after)
			results[i].Name, results[i].Allocs = way.name, float64(after.Mallocs-before.Mallocs)/float64(*calls)
			if round > 0 {
				times[i] = append(times[i], took)
			}
		}
	}
	for i := range results {
		slices.Sort(times[i])
		results[i].Time = times[i][len(times[i])/2]
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}
