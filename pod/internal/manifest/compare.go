package manifest

import (
	"strings"
	"time"
)

// Action is what a plan does with a path.
type Action string

// The actions of a plan.
const (
	Create Action = "create" // it is not there
	Change Action = "change" // its contents, its target or what it is differ
	Adjust Action = "adjust" // only its mode or time differ
	Delete Action = "delete" // it is there, and is not wanted
)

// Step is one change to the destination.
type Step struct {
	Action Action
	Entry  Entry // as it is wanted; for Delete, as it is
	Was    Kind  // what is there now, 0 if nothing is
}

// Plan is how to make one tree the same as another.
type Plan struct {
	Steps []Step // in the order of paths; deletions come before what they make room for
	// Unsure are the paths of files whose contents may differ though nothing says so, or may be the same though their
	// times differ: compare their hashes and plan again.
	Unsure []string
}

// Policy is how to compare.
type Policy struct {
	Delete  bool                             // plan to delete what is not wanted
	All     bool                             // be unsure of every file that is on both sides
	Protect func(path string, dir bool) bool // what must not be deleted; nil: nothing
	// Same has what is known of files that a former plan was unsure of: true where the contents are the same.
	Same map[string]bool
}

// racy is how long after its last change a file must have been copied for a later change to show in whole seconds.
const racy = 2 * time.Second

// Compare plans how to make have the same as want.
func Compare(want, have *Manifest, p Policy) Plan {
	c := comparison{want: want, have: have, policy: p, send: map[string]bool{}}
	skew := have.Now.Sub(want.Now)
	for _, e := range want.Entries {
		c.entry(e, skew)
	}
	c.links()
	if p.Delete {
		c.deletions()
	}
	c.order()
	return c.plan
}

type comparison struct {
	want, have *Manifest
	policy     Policy
	plan       Plan
	steps      []Step
	send       map[string]bool // files whose contents go over
}

func (c *comparison) entry(e Entry, skew time.Duration) {
	old, there := c.have.Find(e.Path)
	if !there {
		c.step(Create, e, 0)
		return
	}
	if old.Kind != e.Kind || e.Kind == Symlink && old.Target != e.Target || e.Kind == File && (old.Size != e.Size || old.First != e.First) {
		c.step(Change, e, old.Kind)
		return
	}
	adjust := e.Kind != Symlink && e.Mode != old.Mode
	if e.Kind == File {
		same, known := c.policy.Same[e.Path]
		timely := SameTime(e.MTime, old.MTime)
		switch {
		case known && !same:
			c.step(Change, e, old.Kind)
			return
		case !known && (!timely || c.policy.All || coarse(e.MTime, old.MTime) && old.CTime.Add(-skew).Sub(e.MTime) < racy):
			c.plan.Unsure = append(c.plan.Unsure, e.Path)
		}
		adjust = adjust || !timely
	}
	if e.Kind == Dir && !SameTime(e.MTime, old.MTime) {
		adjust = true
	}
	if adjust && e.First == "" {
		c.step(Adjust, e, old.Kind)
	}
}

// SameTime compares modification times. BusyBox' tar knows only whole seconds.
func SameTime(a, b time.Time) bool { return a.Equal(b) || coarse(a, b) && a.Unix() == b.Unix() }

func coarse(a, b time.Time) bool { return (a.Nanosecond() == 0) != (b.Nanosecond() == 0) }

func (c *comparison) step(a Action, e Entry, was Kind) {
	if e.Kind == File && (a == Create || a == Change) {
		c.send[e.Path] = true
	}
	c.steps = append(c.steps, Step{a, e, was})
}

// links sends a file with all its names where one of them must be made: a link is made where its file is.
func (c *comparison) links() {
	groups := map[string]bool{}
	for _, e := range c.want.Entries {
		if e.First != "" && (c.send[e.Path] || c.send[e.First]) {
			groups[e.First] = true
		}
	}
	if len(groups) == 0 {
		return
	}
	planned := map[string]int{}
	for i, s := range c.steps {
		planned[s.Entry.Path] = i
	}
	for _, e := range c.want.Entries {
		if e.Kind != File || !groups[e.First] && !groups[e.Path] || c.send[e.Path] {
			continue
		}
		if i, ok := planned[e.Path]; ok {
			c.steps[i].Action = Change
			c.send[e.Path] = true
			continue
		}
		c.step(Change, e, File)
	}
}

func (c *comparison) deletions() {
	kept := map[string]bool{} // folders in which something is protected
	for i := len(c.have.Entries) - 1; i >= 0; i-- {
		e := c.have.Entries[i]
		if _, wanted := c.want.Find(e.Path); wanted {
			continue
		}
		if kept[e.Path] || c.policy.Protect != nil && c.policy.Protect(e.Path, e.Kind == Dir) {
			for p := e.Path; strings.Contains(p, "/"); {
				p = p[:strings.LastIndexByte(p, '/')]
				kept[p] = true
			}
			continue
		}
		c.steps = append(c.steps, Step{Delete, e, e.Kind})
	}
}

// Relink finds the first names of files anew, after entries were dropped.
func (m *Manifest) Relink() {
	first := map[[2]uint64]string{}
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Kind != File || e.inode == [2]uint64{} {
			continue
		}
		if p, ok := first[e.inode]; ok {
			e.First = p
		} else {
			first[e.inode], e.First = e.Path, ""
		}
	}
}
