package pod

import (
	"errors"
	"fmt"
	"strings"
)

// Split cuts a command line into words as a POSIX shell would: at blanks, but not inside quotes, with backslashes undone
// and comments dropped. It expands nothing: a $ or * outside single quotes stays as it is. What only a shell can do (pipes,
// redirections, lists, groups, substitutions) is an error: that is for [Shell].
func Split(line string) ([]string, error) {
	s := splitter{rest: line}
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		if err := s.take(c); err != nil {
			return nil, fmt.Errorf("split %q: %w", line, err)
		}
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	rest  string
	words []string
	word  strings.Builder
	open  bool // a word has begun, though it may be empty still
}

func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
		s.word.Reset()
		s.open = false
	}
}

func (s *splitter) take(c byte) error {
	switch {
	case c == ' ' || c == '\t' || c == '\n':
		s.end()
		return nil
	case c == '#' && !s.open:
		_, s.rest, _ = strings.Cut(s.rest, "\n")
		return nil
	case strings.IndexByte("|&;<>()`", c) >= 0:
		return fmt.Errorf("%q has a meaning that only a shell knows: quote it, or use pod.Shell", c)
	case c == '$' && strings.HasPrefix(s.rest, "("):
		return errors.New("$( has a meaning that only a shell knows: quote it, or use pod.Shell")
	}
	switch c {
	case '\'':
		text, rest, ok := strings.Cut(s.rest, "'")
		if !ok {
			return errors.New("a single quote is not closed")
		}
		s.word.WriteString(text)
		s.rest = rest
	case '"':
		s.open = true
		return s.doubleQuoted()
	case '\\':
		if s.rest == "" {
			return errors.New("a backslash at the end")
		}
		if s.rest[0] == '\n' { // a line that goes on
			s.rest = s.rest[1:]
			return nil
		}
		s.word.WriteByte(s.rest[0])
		s.rest = s.rest[1:]
	default:
		s.word.WriteByte(c)
	}
	s.open = true
	return nil
}

func (s *splitter) doubleQuoted() error {
	for i := 0; i < len(s.rest); i++ {
		c := s.rest[i]
		switch {
		case c == '"':
			s.rest = s.rest[i+1:]
			return nil
		case c == '`' || c == '$' && strings.HasPrefix(s.rest[i+1:], "("):
			return errors.New("a substitution in double quotes needs a shell: use single quotes, or pod.Shell")
		case c == '\\' && i+1 < len(s.rest) && strings.IndexByte("$`\"\\\n", s.rest[i+1]) >= 0:
			i++
			if s.rest[i] != '\n' {
				s.word.WriteByte(s.rest[i])
			}
		default:
			s.word.WriteByte(c)
		}
	}
	return errors.New("a double quote is not closed")
}

// Join is the reverse of [Split]: words, quoted where a shell needs it.
func Join(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

func quote(w string) string {
	safe := w != ""
	for i := range len(w) {
		c := w[i]
		safe = safe && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("@%+=:,./-_", c) >= 0)
	}
	if safe {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
