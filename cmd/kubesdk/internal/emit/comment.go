package emit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// width is where long lines of documentation are wrapped.
const width = 100

// comment writes text and markers as line comments. Lines that a tool would read as a marker, or as the end
// of the documentation, get a backslash.
func comment(b *strings.Builder, text string, markers []string) {
	lines := docLines(text)
	for _, line := range lines {
		if line == "" {
			b.WriteString("//\n")
			continue
		}
		b.WriteString("// " + line + "\n")
	}
	for _, marker := range markers {
		b.WriteString("// +" + marker + "\n")
	}
}

// docLines splits a description into lines that are safe in a Go comment.
func docLines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(clean(text), "\n") {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
		if strings.HasPrefix(trimmed, "+") || strings.HasPrefix(trimmed, "---") {
			line = line[:len(line)-len(trimmed)] + `\` + trimmed
		}
		if line == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, wrap(line)...)
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// clean drops characters that Go source must not hold, and turns other line ends into "\n".
func clean(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\f", "\n", "\v", "\n").Replace(text)
	return strings.Map(func(r rune) rune {
		if r == '\uFEFF' || r == utf8.RuneError || r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// wrap breaks a long line of prose. Indented lines are left alone, since they are lists or code, and so is a
// TODO, which controller-gen drops up to the end of its line. No new line starts with anything that could be
// read as markup.
func wrap(line string) []string {
	if len(line) <= width || line[0] == ' ' || line[0] == '\t' || strings.ContainsAny(line[:1], "-*#|`>0123456789") || strings.Contains(line, "  ") || strings.HasPrefix(line, "TODO") {
		return []string{line}
	}
	var out []string
	current := ""
	for word := range strings.FieldsSeq(line) {
		first, _ := utf8.DecodeRuneInString(word)
		plain := unicode.IsLetter(first) && !strings.HasPrefix(word, "TODO") && !strings.HasPrefix(word, "Deprecated:")
		switch {
		case current == "":
			current = word
		case len(current)+1+len(word) > width && plain:
			out = append(out, current)
			current = word
		default:
			current += " " + word
		}
	}
	return append(out, current)
}
