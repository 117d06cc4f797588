package ignore

import "strings"

// wild matches a whole name with a pattern as git does: * and ? stop at slashes, ** between slashes does not.
// Git compares what comes before the first special character by itself, so that two asterisks behind it count as standing
// at the beginning.
func wild(pattern, name string) bool {
	if i := strings.IndexAny(pattern, `*?[\`); i > 0 {
		if !strings.HasPrefix(name, pattern[:i]) {
			return false
		}
		pattern, name = pattern[i:], name[i:]
	}
	return match(pattern, name, true)
}

// match is wild from some point on. fresh says that an element begins here: only then are two asterisks special.
func match(pattern, name string, fresh bool) bool {
	for pattern != "" {
		c := pattern[0]
		if c == '*' {
			return star(pattern, name, fresh)
		}
		if name == "" {
			return false
		}
		rest, ok := one(pattern, name[0])
		if !ok {
			return false
		}
		fresh = name[0] == '/'
		pattern, name = rest, name[1:]
	}
	return name == ""
}

// one matches one byte and returns the rest of the pattern.
func one(pattern string, b byte) (rest string, ok bool) {
	switch c := pattern[0]; c {
	case '?':
		return pattern[1:], b != '/'
	case '[':
		return class(pattern, b)
	case '\\':
		return pattern[min(2, len(pattern)):], len(pattern) > 1 && pattern[1] == b
	default:
		return pattern[1:], c == b
	}
}

func star(pattern, name string, fresh bool) bool {
	rest := strings.TrimLeft(pattern, "*")
	special := fresh && len(pattern)-len(rest) >= 2
	switch {
	case special && rest == "":
		return true
	case special && rest[0] == '/':
		return deep(rest[1:], name)
	}
	for i := 0; ; i++ {
		if match(rest, name[i:], false) {
			return true
		}
		if i == len(name) || name[i] == '/' {
			return false
		}
	}
}

// deep matches with no or any number of folders before.
func deep(rest, name string) bool {
	for {
		if match(rest, name, true) {
			return true
		}
		i := strings.IndexByte(name, '/')
		if i < 0 {
			return false
		}
		name = name[i+1:]
	}
}

// class matches b with the bracket expression that the pattern begins with, and returns what is behind it. One that is
// not closed matches nothing.
func class(pattern string, b byte) (rest string, ok bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	found := false
	for first := true; ; first = false {
		if i >= len(pattern) {
			return "", false
		}
		if pattern[i] == ']' && !first {
			break
		}
		if name, end, ok := named(pattern[i:]); ok {
			in, known := classes[name]
			if !known {
				return "", false
			}
			found = found || in(b)
			i += end
			continue
		}
		lo, next, ok := bound(pattern, i)
		if !ok {
			return "", false
		}
		hi := lo
		if next+1 < len(pattern) && pattern[next] == '-' && pattern[next+1] != ']' {
			if hi, next, ok = bound(pattern, next+1); !ok {
				return "", false
			}
		}
		found = found || lo <= b && b <= hi
		i = next
	}
	return pattern[i+1:], found != negated && b != '/'
}

func bound(pattern string, i int) (b byte, next int, ok bool) {
	if pattern[i] == '\\' {
		i++
	}
	if i >= len(pattern) {
		return 0, 0, false
	}
	return pattern[i], i + 1, true
}

// named reads [:alpha:] and its like.
func named(s string) (name string, end int, ok bool) {
	if !strings.HasPrefix(s, "[:") {
		return "", 0, false
	}
	i := strings.Index(s, ":]")
	if i < 2 || strings.Contains(s[2:i], "]") {
		return "", 0, false
	}
	return s[2:i], i + 2, true
}

var classes = map[string]func(byte) bool{
	"alpha":  func(b byte) bool { return lower(b) || upper(b) },
	"lower":  lower,
	"upper":  upper,
	"digit":  digit,
	"alnum":  func(b byte) bool { return lower(b) || upper(b) || digit(b) },
	"space":  func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' },
	"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
	"cntrl":  func(b byte) bool { return b < ' ' || b == 0x7f },
	"print":  func(b byte) bool { return b >= ' ' && b < 0x7f },
	"graph":  func(b byte) bool { return b > ' ' && b < 0x7f },
	"punct":  func(b byte) bool { return b > ' ' && b < 0x7f && !lower(b) && !upper(b) && !digit(b) },
	"xdigit": func(b byte) bool { return digit(b) || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' },
}

func lower(b byte) bool { return b >= 'a' && b <= 'z' }
func upper(b byte) bool { return b >= 'A' && b <= 'Z' }
func digit(b byte) bool { return b >= '0' && b <= '9' }
