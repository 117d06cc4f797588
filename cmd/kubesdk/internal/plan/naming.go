package plan

import (
	"slices"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/names"
)

// candidates returns the names for a type, the shortest first: the last words of its primary place, then
// more of them, up to the whole place with its kind.
func candidates(g *group) []string {
	if g.node.component != "" {
		return componentNames(g.node.component)
	}
	p := g.node.path
	if len(p.segments) == 1 && (p.segments[0] == "spec" || p.segments[0] == "status") {
		return []string{names.Exported(p.kind) + names.Exported(p.segments[0])}
	}
	full := parts(p, g.form)
	short := full
	if len(p.segments) > 1 && (p.segments[0] == "spec" || p.segments[0] == "status") && len(full) > 2 {
		short = slices.Delete(slices.Clone(full), 1, 2)
	}
	from := 1
	if g.form != Struct {
		from = 2 // "Type" and "Mode" alone say nothing
	}
	var out []string
	for k := min(from, len(short)); k <= len(short); k++ {
		out = append(out, join(short[len(short)-k:]))
	}
	if len(full) != len(short) {
		out = append(out, join(full))
	}
	return slices.Compact(out)
}

// parts returns the words of a place: the kind, then one for each property, singular where it stands for one
// of many.
func parts(p place, form Form) []string {
	out := []string{names.Exported(p.kind)}
	for i, segment := range p.segments {
		switch {
		case segment != "[]" && segment != "{}":
			if i+1 < len(p.segments) && (p.segments[i+1] == "[]" || p.segments[i+1] == "{}") {
				segment = names.Singular(segment)
			}
			out = append(out, names.Exported(segment))
		case i > 0 && (p.segments[i-1] == "[]" || p.segments[i-1] == "{}"), form == Defined && i == len(p.segments)-1:
			out[len(out)-1] += map[string]string{"[]": "Item", "{}": "Value"}[segment]
		}
	}
	return out
}

// join joins words, dropping the prefix X of names that start with a digit when they do not come first, and
// a word that repeats the end of the one before.
func join(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && len(w) > 1 && w[0] == 'X' && w[1] >= '0' && w[1] <= '9' {
			w = w[1:]
		}
		if i > 0 && strings.HasSuffix(b.String(), w) {
			continue
		}
		b.WriteString(w)
	}
	return b.String()
}

// componentNames returns the names for a definition of an OpenAPI document, such as
// "io.k8s.api.core.v1.PodSpec": PodSpec, V1PodSpec, CoreV1PodSpec and so on.
func componentNames(component string) []string {
	words := strings.Split(component, ".")
	var out []string
	name := ""
	for _, w := range slices.Backward(words) {
		name = names.Exported(w) + name
		out = append(out, name)
	}
	return out
}
