package suite

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Write writes the page to path, and its charts into the folder "charts" beside it.
func (r *Results) Write(path string) error {
	charts := filepath.Join(filepath.Dir(path), "charts")
	if err := os.MkdirAll(charts, 0o755); err != nil {
		return err
	}
	prefix := strings.TrimSuffix(filepath.Base(path), ".md")
	p := &page{image: func(id, title string, bars []bar) (string, error) {
		name := fmt.Sprintf("%s-%s.svg", strings.ToLower(strings.ReplaceAll(prefix, ".", "-")), id)
		var svg bytes.Buffer
		if err := chart(&svg, title, bars); err != nil {
			return "", err
		}
		return "charts/" + name, os.WriteFile(filepath.Join(charts, name), svg.Bytes(), 0o644)
	}}
	r.render(p)
	if p.err != nil {
		return p.err
	}
	return os.WriteFile(path, p.text.Bytes(), 0o644)
}

type page struct {
	text  bytes.Buffer
	image func(id, title string, bars []bar) (path string, err error)
	err   error
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (p *page) table(head ...string) {
	p.line("\n| %s |\n|%s", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
}

func (p *page) row(cells ...string) { p.line("| %s |", strings.Join(cells, " | ")) }

func (p *page) chart(id, title string, bars []bar) {
	path, err := p.image(id, title, bars)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.line("\n![%s](%s)", title, path)
}

func (r *Results) render(p *page) {
	p.line("# kubesdk beside client-go and controller-runtime\n")
	p.line("Written by `make bench`; do not edit. Read the ratios first: absolute times are of one small machine, on which the")
	p.line("clients and the servers share the cores. Contenders of one table ran by turns, each in a process of its own, and the")
	p.line("figures are medians. CPU is that of the client's process, user and system.\n")
	p.line("%s. Kubernetes %s. Taken on %s.", r.Machine, r.Server, r.Taken.UTC().Format(time.DateOnly))
	names := make([]string, 0, len(r.Versions))
	for _, v := range r.Versions {
		names = append(names, v.Name+" "+v.Version)
	}
	p.line("%s.", strings.Join(names, ", "))
	p.line("\n## Goals")
	p.table("goal", "measured", "limit", "")
	for _, g := range r.Goals {
		fields := strings.Fields(g.String())
		p.row(fields[1], fields[2], strings.NewReplacer("<=", "≤ ", ">=", "≥ ").Replace(fields[3]), fields[4])
	}
	p.line("\n## The client's own cost\n")
	p.line("A replay server in another process gives recorded answers of the real one, over TLS and HTTP/2. What an object is in bytes:")
	sizes := make([]string, 0, len(r.Bytes))
	for _, what := range slices.Sorted(maps.Keys(r.Bytes)) {
		sizes = append(sizes, fmt.Sprintf("%s %s", strings.ToLower(what[:1])+what[1:], thousands(r.Bytes[what])))
	}
	p.line("%s.", strings.Join(sizes, "; "))
	for _, c := range r.Contests {
		if strings.HasPrefix(c.ID, "memory") {
			continue
		}
		r.contest(p, c)
	}
	r.memory(p)
	r.start(p)
	r.system500(p)
	r.patch(p)
}

func (r *Results) contest(p *page, c Contest) {
	p.line("\n### %s", c.Title)
	ours := c.Rows[0]
	p.table("client", "CPU, of "+ours.Client, "µs CPU per "+c.Item, "allocations", "KB allocated")
	var bars []bar
	for _, row := range c.Rows {
		us := row.CPU.Seconds() * 1e6
		p.row(row.Client, fmt.Sprintf("%.2f ×", float64(row.CPU)/float64(ours.CPU)), fmt.Sprintf("%.1f", us), fmt.Sprintf("%.0f", row.Allocs), fmt.Sprintf("%.1f", row.Bytes/1024))
		bars = append(bars, bar{name: row.Client, value: us, text: fmt.Sprintf("%.1f µs", us), ours: strings.HasPrefix(row.Client, sdk)})
	}
	p.chart(c.ID, c.Title+": client CPU per "+c.Item, bars)
}

func (r *Results) memory(p *page) {
	p.line("\n## Memory of long lists\n")
	p.line("The most that was resident, less what was before the list was asked for.")
	p.table("list", "client", "peak above idle, MiB")
	var bars []bar
	for _, c := range r.Contests {
		if !strings.HasPrefix(c.ID, "memory") {
			continue
		}
		for _, row := range c.Rows {
			mib := row.Peak / (1 << 20)
			what := strings.TrimPrefix(c.Title, "Memory: ")
			p.row(what, row.Client, fmt.Sprintf("%.1f", mib))
			bars = append(bars, bar{name: row.Client + ", " + what, value: mib, text: fmt.Sprintf("%.1f MiB", mib), ours: strings.HasPrefix(row.Client, sdk)})
		}
	}
	p.chart("memory", "Peak memory above idle", bars)
}

func (r *Results) start(p *page) {
	p.line("\n## First answer\n")
	p.line("A process that makes a client, reads one Deployment from the real API server, and ends.")
	p.table("client", "requests", "ms from start to end", "ms CPU")
	var bars []bar
	for _, s := range r.Starts {
		ms := s.Wall.Seconds() * 1e3
		p.row(s.Client, fmt.Sprint(s.Requests), fmt.Sprintf("%.1f", ms), fmt.Sprintf("%.1f", s.CPU.Seconds()*1e3))
		bars = append(bars, bar{name: s.Client, value: ms, text: fmt.Sprintf("%.1f ms", ms), ours: s.Client == sdk})
	}
	p.chart("start", "First answer: from process start to end", bars)
}

func (r *Results) system500(p *page) {
	p.line("\n## Whole system\n")
	p.line("%s Deployments on the real API server, %d calls in flight: make each, read each, watch until all were told of, delete each.",
		thousands(r.Sizes.Deployments), min(headlineInFlight, r.Sizes.Deployments))
	p.table("phase", "client", "objects/s, of client-go", "objects/s", "CPU, of client-go", "µs CPU per object")
	var bars []bar
	for _, s := range r.Headline {
		base := r.system(s.Phase, clientGo)
		p.row(s.Phase, s.Client, fmt.Sprintf("%.2f ×", s.Rate/base.Rate), fmt.Sprintf("%.0f", s.Rate),
			fmt.Sprintf("%.2f ×", float64(s.CPU)/float64(base.CPU)), fmt.Sprintf("%.0f", s.CPU.Seconds()*1e6))
		bars = append(bars, bar{name: s.Phase + ", " + s.Client, value: s.Rate, text: fmt.Sprintf("%.0f objects/s", s.Rate), ours: s.Client == sdk})
	}
	p.chart("headline", "Whole system: objects per second", bars)
}

func (r *Results) patch(p *page) {
	if len(r.Patches) == 0 {
		return
	}
	p.line("\n## Computing a patch\n")
	p.line("One changed image in a Deployment of three containers with 50 variables each; both objects in memory, the patch as bytes.")
	p.table("how", "µs", "allocations", "bytes of patch")
	for _, x := range r.Patches {
		p.row(x.Name, fmt.Sprintf("%.0f", x.Time.Seconds()*1e6), fmt.Sprintf("%.0f", x.Allocs), fmt.Sprint(x.Bytes))
	}
}
