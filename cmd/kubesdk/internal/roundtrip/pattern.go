package roundtrip

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// matching draws a string that matches the node's pattern and lengths. Where none is found in a few tries, it
// returns a fixed string: the types do not look at patterns, but for whether one allows the empty string.
func (d *drawer) matching(s *schema.Props) string {
	re, err := regexp.Compile(s.Pattern)
	if err != nil {
		return "unknown"
	}
	tree, err := syntax.Parse(s.Pattern, syntax.Perl)
	if err != nil {
		return "unknown"
	}
	tree = tree.Simplify()
	for range 30 {
		var b strings.Builder
		d.expand(&b, tree)
		text := b.String()
		n := int64(len([]rune(text)))
		if re.MatchString(text) && (s.MinLength == nil || n >= *s.MinLength) && (s.MaxLength == nil || n <= *s.MaxLength) {
			return text
		}
	}
	return "unknown"
}

// expand writes a string that the expression matches, but for anchors and word boundaries.
func (d *drawer) expand(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) >= 2 {
			i := d.IntN(len(re.Rune)/2) * 2
			low, high := re.Rune[i], min(re.Rune[i+1], re.Rune[i]+25)
			b.WriteRune(low + rune(d.IntN(int(high-low)+1)))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("abc-1"[d.IntN(5)])
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			d.expand(b, sub)
		}
	case syntax.OpAlternate:
		d.expand(b, re.Sub[d.IntN(len(re.Sub))])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		n := d.IntN(3)
		if re.Op == syntax.OpPlus {
			n++
		}
		if re.Op == syntax.OpQuest {
			n = d.IntN(2)
		}
		for range n {
			d.expand(b, re.Sub[0])
		}
	case syntax.OpRepeat:
		for range re.Min + d.IntN(2) {
			d.expand(b, re.Sub[0])
		}
	}
}
