package manifest

import (
	"cmp"
	"slices"
)

// order sorts the steps by path. Steps with the same path do not occur.
func (c *comparison) order() {
	slices.SortStableFunc(c.steps, func(a, b Step) int { return cmp.Compare(a.Entry.Path, b.Entry.Path) })
	c.plan.Steps = c.steps
}

// Everything is the plan to create all of a tree.
func Everything(want *Manifest) Plan {
	var p Plan
	for _, e := range want.Entries {
		p.Steps = append(p.Steps, Step{Create, e, 0})
	}
	return p
}
