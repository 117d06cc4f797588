// Package ignore decides which paths patterns in the syntax of gitignore(5) leave out. It is held to git's own answers by
// its tests.
//
//	m := ignore.New("*.log\n!keep.log\nbuild/")
//	m.Ignored("build", true)
package ignore

import (
	"path"
	"strings"
)

// Matcher holds rules. The zero value ignores nothing. It is safe for concurrent use while no rules are added.
type Matcher struct{ rules []rule }

type rule struct {
	dir     string // where the rule's file is: "" or "a/b/"
	pattern string
	negated bool
	dirOnly bool
	base    bool // the pattern is for the last element at any depth
}

// New is a matcher with the lines of one file at the top.
func New(lines string) *Matcher {
	m := &Matcher{}
	m.Add("", lines)
	return m
}

// Add adds the lines of a file in the folder dir ("" for the top). Files of inner folders come after those of outer ones:
// the last rule that matches wins.
func (m *Matcher) Add(dir, lines string) {
	if dir != "" {
		dir += "/"
	}
	for line := range strings.SplitSeq(lines, "\n") {
		if r, ok := parse(strings.TrimSuffix(line, "\r")); ok {
			r.dir = dir
			m.rules = append(m.rules, r)
		}
	}
}

// Empty says that nothing can be ignored.
func (m *Matcher) Empty() bool { return m == nil || len(m.rules) == 0 }

func parse(line string) (rule, bool) {
	line = trimBlanks(line)
	if line == "" || line[0] == '#' {
		return rule{}, false
	}
	var r rule
	if line[0] == '!' {
		r.negated = true
		line = line[1:]
	}
	if rest, ok := strings.CutSuffix(line, "/"); ok {
		r.dirOnly = true
		line = rest
	}
	r.base = !strings.Contains(line, "/")
	r.pattern = strings.TrimPrefix(line, "/")
	return r, r.pattern != ""
}

// trimBlanks drops blanks at the end, but for one that a backslash keeps.
func trimBlanks(line string) string {
	end := len(line)
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
			end = len(line)
		case ' ':
			if end == len(line) {
				end = i
			}
			continue
		default:
			end = len(line)
		}
	}
	if strings.Trim(line[min(end, len(line)):], " ") != "" {
		return line
	}
	return line[:min(end, len(line))]
}

// Ignored says whether the path itself is left out. That a folder above it is left out is for the caller to know: nothing
// in such a folder can be taken in again.
func (m *Matcher) Ignored(name string, isDir bool) bool {
	if m == nil {
		return false
	}
	for i := len(m.rules) - 1; i >= 0; i-- {
		if r := m.rules[i]; r.matches(name, isDir) {
			return !r.negated
		}
	}
	return false
}

func (r rule) matches(name string, isDir bool) bool {
	inner, ok := strings.CutPrefix(name, r.dir)
	switch {
	case !ok || r.dirOnly && !isDir:
		return false
	case r.base:
		return wild(r.pattern, path.Base(inner))
	default:
		return wild(r.pattern, inner)
	}
}
