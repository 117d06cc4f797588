package suite

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Results are all figures of a run.
type Results struct {
	Sizes    Sizes
	Taken    time.Time
	Machine  string
	Versions []Version
	Server   string         // version of the real API server
	Bytes    map[string]int // how large the recorded objects are
	Contests []Contest
	Starts   []Start
	Headline []System
	Patches  []Patch
	Goals    []Goal
}

// Version is that of a module, or of Go.
type Version struct{ Name, Version string }

// Contest is one workload and what it cost each client.
type Contest struct {
	ID, Title, Item string
	Rows            []Row
}

// Row is the median of a client's rounds. All but Peak are for one item.
type Row struct {
	Client string
	CPU    time.Duration
	Allocs float64
	Bytes  float64
	Peak   float64 // resident bytes above idle
}

// Start is a process that reads one object and ends.
type Start struct {
	Client   string
	Requests int
	Wall     time.Duration
	CPU      time.Duration
}

// System is one phase of the headline workload.
type System struct {
	Phase, Client string
	Rate          float64       // objects per second
	CPU           time.Duration // of the client, for each object
}

// Patch is one way to compute what changed.
type Patch struct {
	Name   string
	Time   time.Duration
	Allocs float64
	Bytes  int // of the patch
}

// Goal is a figure that must hold.
type Goal struct {
	Name     string
	Measured float64
	AtLeast  bool // else at most
	Limit    float64
}

// Met says whether it holds.
func (g Goal) Met() bool {
	if g.AtLeast {
		return g.Measured >= g.Limit
	}
	return g.Measured <= g.Limit
}

func (g Goal) String() string {
	bound, verdict := "<=", "short"
	if g.AtLeast {
		bound = ">="
	}
	if g.Met() {
		verdict = "ok"
	}
	return fmt.Sprintf("goal %s %.3f %s%.2f %s", g.Name, g.Measured, bound, g.Limit, verdict)
}

// Short counts the goals that do not hold.
func (r *Results) Short() int {
	n := 0
	for _, g := range r.Goals {
		if !g.Met() {
			n++
		}
	}
	return n
}

// judge holds the figures against the goals of issue 4.
func (r *Results) judge() {
	most := func(name string, measured, limit float64) {
		r.Goals = append(r.Goals, Goal{Name: name, Measured: measured, Limit: limit})
	}
	least := func(name string, measured, limit float64) {
		r.Goals = append(r.Goals, Goal{Name: name, Measured: measured, AtLeast: true, Limit: limit})
	}
	cpu := func(contest, who, than string) float64 {
		return float64(r.row(contest, who).CPU) / float64(r.row(contest, than).CPU)
	}
	most("get-cpu-of-client-go", cpu("get", sdk, clientGo), 0.6)
	most("create-cpu-of-client-go", cpu("create", sdk, clientGo), 0.6)
	most("list-pods-cpu-of-client-go", cpu("pods", "kubesdk List", clientGo), 0.7)
	most("all-pods-cpu-of-client-go", cpu("pods", "kubesdk All", clientGo), 0.5)
	most("all-custom-cpu-of-client-go-dynamic", cpu("applications", "kubesdk All", dynamicClient), 0.5)
	most("all-custom-cpu-of-controller-runtime", cpu("applications", "kubesdk All", controllerRuntime), 0.7)
	const mib = 1 << 20
	small, huge := r.row("memory-small", "kubesdk All").Peak/mib, r.row("memory", "kubesdk All").Peak/mib
	most("all-huge-peak-mib", huge, 32)
	most("all-huge-peak-mib-above-small", huge-small, 4)
	most("watch-cpu-of-client-go", cpu("watch", "kubesdk Watch", clientGo), 0.6)
	for _, start := range r.Starts {
		if start.Client == sdk {
			most("first-answer-requests", float64(start.Requests), 1)
		}
	}
	for _, phase := range []string{"POST", "GET", "watch", "DELETE"} {
		ours, theirs := r.system(phase, sdk), r.system(phase, clientGo)
		name := "headline-" + strings.ToLower(phase)
		least(name+"-rate-of-client-go", ours.Rate/theirs.Rate, 1)
		most(name+"-cpu-of-client-go", float64(ours.CPU)/float64(theirs.CPU), 1)
	}
}

func (r *Results) row(contest, client string) Row {
	for _, c := range r.Contests {
		if c.ID != contest {
			continue
		}
		for _, row := range c.Rows {
			if row.Client == client {
				return row
			}
		}
	}
	panic("no figures for " + client + " at " + contest) // the plan and the goals disagree
}

func (r *Results) system(phase, client string) System {
	for _, s := range r.Headline {
		if s.Phase == phase && s.Client == client {
			return s
		}
	}
	panic("no figures for " + client + " at " + phase)
}

func (c Contest) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", c.Title)
	for _, row := range c.Rows {
		fmt.Fprintf(&b, "  %-26s %9.1f µs CPU %8.1f allocations %9.1f KB allocated per %s, peak %7.1f MiB\n",
			row.Client, row.CPU.Seconds()*1e6, row.Allocs, row.Bytes/1024, c.Item, row.Peak/(1<<20))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func machine() string {
	model := runtime.GOARCH
	if content, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(content)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if content, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel += " " + strings.TrimSpace(string(content))
	}
	return fmt.Sprintf("%s, %d cores, %s", model, runtime.NumCPU(), kernel)
}

func versions() []Version {
	all := []Version{{"Go", strings.TrimPrefix(runtime.Version(), "go")}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	for _, wanted := range []string{"k8s.io/client-go", "k8s.io/api", "sigs.k8s.io/controller-runtime"} {
		for _, m := range info.Deps {
			if m.Path == wanted {
				all = append(all, Version{wanted, m.Version})
			}
		}
	}
	return all
}
