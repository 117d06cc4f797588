package fieldpath

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/kubesdk/kubesdk/internal/jsontype"
)

// Parse reads a path as Kubernetes spells it: .spec.containers[0].image, spec.containers[name="nginx"].image,
// .metadata.labels['app.kubernetes.io/name'], .metadata.labels.app\.kubernetes\.io/name, .spec.containers[-] for the place after
// the last, and "." for the object itself. What [Path.String] writes, Parse reads.
//
// T is checked on the way, and F must be the field's type, what the field points to, or any. For an object without a Go type,
// T is unstructured.Unstructured and F is any or what the field is known to hold; then [0] is an index and every name a key.
func Parse[T, F any](path string) (Path[T, F], error) {
	tokens, err := split(path)
	if err != nil {
		return failed[T, F](fmt.Errorf("fieldpath: parse %q: %w", path, err))
	}
	p, err := typed[T, F](tokens)
	if err != nil {
		return failed[T, F](fmt.Errorf("fieldpath: parse %q as a path from %s to %s: %w", path, reflect.TypeFor[T](), reflect.TypeFor[F](), err))
	}
	return p, nil
}

// ParsePointer reads a path as a JSON Pointer (RFC 6901): /spec/containers/0/image, and "" for the object itself. T and F are
// checked as in [Parse].
func ParsePointer[T, F any](pointer string) (Path[T, F], error) {
	var tokens []token
	if pointer != "" {
		if pointer[0] != '/' {
			return failed[T, F](fmt.Errorf("fieldpath: parse %q: a JSON Pointer is empty or starts with /", pointer))
		}
		for part := range strings.SplitSeq(pointer[1:], "/") {
			if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(part), "~") {
				return failed[T, F](fmt.Errorf("fieldpath: parse %q: ~ stands only before 0 or 1 in a JSON Pointer", pointer))
			}
			tokens = append(tokens, token{Step: Step{Kind: KeyStep, Name: unescaper.Replace(part)}, loose: true})
		}
	}
	p, err := typed[T, F](tokens)
	if err != nil {
		return failed[T, F](fmt.Errorf("fieldpath: parse %q as a path from %s to %s: %w", pointer, reflect.TypeFor[T](), reflect.TypeFor[F](), err))
	}
	return p, nil
}

func failed[T, F any](err error) (Path[T, F], error) { return Path[T, F]{&route{err: err}}, err }

// token is a step as it was written, before the types tell a field from a key. A loose one, of a JSON Pointer, may turn out to be
// an index too.
type token struct {
	Step
	loose bool
}

// typed follows the tokens through the types.
func typed[T, F any](tokens []token) (Path[T, F], error) {
	at := reflect.TypeFor[T]()
	steps := make([]Step, 0, len(tokens))
	for _, tok := range tokens {
		s, err := tok.in(at)
		if err == nil {
			at, err = elementType(at, s)
		}
		if err != nil {
			return Path[T, F]{}, fmt.Errorf("at %s: %w", spell(steps), err)
		}
		steps = append(steps, s)
	}
	want := reflect.TypeFor[F]()
	pointed := at
	if at.Kind() == reflect.Pointer {
		pointed = at.Elem()
	}
	if at != want && pointed != want && want != reflect.TypeFor[any]() && at.Kind() != reflect.Interface {
		return Path[T, F]{}, fmt.Errorf("the field is a %s", at)
	}
	return Path[T, F]{&route{steps: steps}}, nil
}

// in is the step that the token is in a value of type t.
func (tok token) in(t reflect.Type) (Step, error) {
	s := tok.Step
	if s.Kind != KeyStep {
		return s, nil
	}
	shape := jsontype.Of(t)
	switch {
	case jsontype.IsUnstructured(shape.Go):
	case shape.Kind == jsontype.Object:
		s.Kind = FieldStep
	case shape.Kind == jsontype.List && tok.loose:
		if s.Name == "-" {
			return Step{Kind: EndStep}, nil
		}
		i, ok := arrayIndex(s.Name)
		if !ok {
			return s, fmt.Errorf("%q is not an index of %s", s.Name, shape.Go)
		}
		return Step{Kind: IndexStep, Index: i}, nil
	}
	return s, nil
}

// arrayIndex reads an index as RFC 6901 writes it: digits without a leading zero.
func arrayIndex(s string) (int, bool) {
	if s == "" || (len(s) > 1 && s[0] == '0') || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(s)
	return i, err == nil
}

// split cuts Kubernetes' spelling into tokens.
func split(path string) ([]token, error) {
	if path == "" || path == "." {
		return nil, nil
	}
	var tokens []token
	rest := path
	for first := true; rest != ""; first = false {
		var tok token
		var err error
		switch {
		case rest[0] == '[':
			tok, rest, err = bracket(rest[1:])
		case rest[0] == '.':
			tok, rest, err = dotted(rest[1:])
		case first:
			tok, rest, err = dotted(rest)
		default:
			err = fmt.Errorf("a . or [ must follow a ], not %q", rest)
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, tok)
	}
	return tokens, nil
}

var errNoName = errors.New("a dot stands without a name after it")

// dotted reads a name up to the next . or [; a backslash takes the next character as it is.
func dotted(s string) (token, string, error) {
	var name strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '.', '[':
			if name.Len() == 0 {
				return token{}, "", errNoName
			}
			return token{Step: Step{Kind: KeyStep, Name: name.String()}}, s[i:], nil
		case '\\':
			if i++; i == len(s) {
				return token{}, "", errors.New("nothing follows the last backslash")
			}
		}
		name.WriteByte(s[i])
	}
	if name.Len() == 0 {
		return token{}, "", errNoName
	}
	return token{Step: Step{Kind: KeyStep, Name: name.String()}}, "", nil
}

// bracket reads what follows a [: an index, -, a quoted key, or key=value.
func bracket(s string) (token, string, error) {
	if strings.HasPrefix(s, "-]") {
		return token{Step: Step{Kind: EndStep}}, s[2:], nil
	}
	if s != "" && (s[0] == '\'' || s[0] == '"') {
		key, rest, err := quoted(s)
		if err != nil {
			return token{}, "", err
		}
		rest, ok := strings.CutPrefix(rest, "]")
		if !ok {
			return token{}, "", errors.New("a ] is missing after a quoted key")
		}
		return token{Step: Step{Kind: KeyStep, Name: key}}, rest, nil
	}
	end := strings.IndexAny(s, "]=")
	if end < 0 {
		return token{}, "", errors.New("a [ is not closed")
	}
	inner := s[:end]
	if s[end] == '=' {
		return where(inner, s[end+1:])
	}
	i, ok := arrayIndex(inner)
	if !ok {
		return token{}, "", fmt.Errorf("[%s] is neither an index, a quoted key, nor key=value", inner)
	}
	return token{Step: Step{Kind: IndexStep, Index: i}}, s[end+1:], nil
}

// where reads the value of [key=value], up to and with the ].
func where(key, s string) (token, string, error) {
	step := Step{Kind: WhereStep, Name: key}
	if key == "" {
		return token{}, "", errors.New("a key is missing before =")
	}
	if s != "" && (s[0] == '\'' || s[0] == '"') {
		text, rest, err := quoted(s)
		if err != nil {
			return token{}, "", err
		}
		rest, ok := strings.CutPrefix(rest, "]")
		if !ok {
			return token{}, "", errors.New("a ] is missing after a quoted value")
		}
		step.Value = text
		return token{Step: step}, rest, nil
	}
	text, rest, ok := strings.Cut(s, "]")
	if !ok {
		return token{}, "", errors.New("a [ is not closed")
	}
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case err == nil:
		step.Value = n
	case text == "true", text == "false":
		step.Value = text == "true"
	default:
		step.Value = text
	}
	return token{Step: step}, rest, nil
}

// quoted reads a string in double quotes as Go does, and one in single quotes where a backslash takes the next character as it is.
func quoted(s string) (text, rest string, err error) {
	if s[0] == '"' {
		prefix, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", errors.New("a quoted string is malformed")
		}
		text, err = strconv.Unquote(prefix)
		return text, s[len(prefix):], err
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\'':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errors.New("a quoted string is not closed")
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", errors.New("a quoted string is not closed")
}
