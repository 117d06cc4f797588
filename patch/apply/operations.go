package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	kjson "sigs.k8s.io/json"
)

// operation is one operation of a JSON patch.
type operation struct {
	Op    string          `json:"op"`
	Path  *string         `json:"path"`
	From  *string         `json:"from"`
	Value json.RawMessage `json:"value"`
}

// operated is doc after a JSON patch (RFC 6902). doc is used up.
func operated(doc any, data []byte) (any, error) {
	var operations []operation
	repeated, err := kjson.UnmarshalStrict(data, &operations, kjson.DisallowDuplicateFields)
	if err = errors.Join(append(repeated, err)...); err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	for i, op := range operations {
		if doc, err = op.on(doc); err != nil {
			return nil, fmt.Errorf("operation %d: %s %s: %w", i, op.Op, text(op.Path), err)
		}
	}
	return doc, nil
}

func text(s *string) string {
	if s == nil {
		return "without a path"
	}
	return strconv.Quote(*s)
}

func (op operation) on(doc any) (any, error) {
	path, err := pointer(op.Path, "path")
	if err != nil {
		return nil, err
	}
	switch op.Op {
	case "add", "replace", "test":
		if op.Value == nil {
			return nil, errors.New("it has no value")
		}
		var value any
		if err := kjson.UnmarshalCaseSensitivePreserveInts(op.Value, &value); err != nil {
			return nil, err
		}
		switch op.Op {
		case "add":
			return add(doc, path, value)
		case "replace":
			return replace(doc, path, value)
		}
		return doc, test(doc, path, value)
	case "remove":
		return remove(doc, path)
	case "move", "copy":
		from, err := pointer(op.From, "from")
		if err != nil {
			return nil, err
		}
		return transfer(doc, from, path, op.Op == "move")
	}
	return nil, errors.New("there is no such operation")
}

// pointer splits a JSON Pointer (RFC 6901) into its tokens.
func pointer(p *string, name string) ([]string, error) {
	switch {
	case p == nil:
		return nil, fmt.Errorf("it has no %s", name)
	case *p == "":
		return nil, nil
	case (*p)[0] != '/':
		return nil, fmt.Errorf("%q is no JSON Pointer", *p)
	}
	tokens := strings.Split((*p)[1:], "/")
	for i, token := range tokens {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(token), "~") {
			return nil, fmt.Errorf("%q is no JSON Pointer", *p)
		}
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	}
	return tokens, nil
}

// index reads a token as the index of an element, below limit.
func index(token string, limit int) (int, error) {
	if token == "" || (len(token) > 1 && token[0] == '0') || strings.Trim(token, "0123456789") != "" {
		return 0, fmt.Errorf("%q is no index", token)
	}
	i, err := strconv.Atoi(token)
	if err != nil || i >= limit {
		return 0, fmt.Errorf("there is no element %s", token)
	}
	return i, nil
}

// find is the value at path.
func find(doc any, path []string) (any, error) {
	for i, token := range path {
		switch parent := doc.(type) {
		case map[string]any:
			value, ok := parent[token]
			if !ok {
				return nil, fmt.Errorf("/%s does not exist: %w", strings.Join(path[:i+1], "/"), errMissing)
			}
			doc = value
		case []any:
			at, err := index(token, len(parent))
			if err != nil {
				return nil, err
			}
			doc = parent[at]
		default:
			return nil, fmt.Errorf("/%s does not exist", strings.Join(path[:i+1], "/"))
		}
	}
	return doc, nil
}

var errMissing = errors.New("no such member")

// within is doc after change was made to the object or list that path's last token is in.
func within(doc any, path []string, change func(parent any, token string) (any, error)) (any, error) {
	if len(path) == 1 {
		return change(doc, path[0])
	}
	child, err := find(doc, path[:1])
	if err == nil {
		child, err = within(child, path[1:], change)
	}
	if err != nil {
		return nil, err
	}
	switch parent := doc.(type) {
	case map[string]any:
		parent[path[0]] = child
	case []any:
		at, _ := index(path[0], len(parent)) // find has read it
		parent[at] = child
	}
	return doc, nil
}

func add(doc any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	if _, err := find(doc, path[:len(path)-1]); err != nil {
		return nil, err
	}
	return within(doc, path, func(parent any, token string) (any, error) {
		switch parent := parent.(type) {
		case map[string]any:
			parent[token] = value
			return parent, nil
		case []any:
			if token == "-" {
				return append(parent, value), nil
			}
			at, err := index(token, len(parent)+1)
			if err != nil {
				return nil, err
			}
			return slices.Insert(parent, at, value), nil
		}
		return nil, errors.New("its parent is neither an object nor a list")
	})
}

func replace(doc any, path []string, value any) (any, error) {
	if _, err := find(doc, path); err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return value, nil
	}
	return within(doc, path, func(parent any, token string) (any, error) {
		switch parent := parent.(type) {
		case []any:
			at, err := index(token, len(parent))
			if err != nil {
				return nil, err
			}
			parent[at] = value
		case map[string]any:
			parent[token] = value
		}
		return parent, nil
	})
}

func remove(doc any, path []string) (any, error) {
	if _, err := find(doc, path); err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return nil, errors.New("the whole document cannot be removed")
	}
	return within(doc, path, func(parent any, token string) (any, error) {
		switch parent := parent.(type) {
		case []any:
			at, err := index(token, len(parent))
			return slices.Delete(parent, at, at+1), err
		case map[string]any:
			delete(parent, token)
		}
		return parent, nil
	})
}

func transfer(doc any, from, path []string, move bool) (any, error) {
	value, err := find(doc, from)
	if err != nil {
		return nil, err
	}
	if !move {
		return add(doc, path, clone(value))
	}
	if len(from) <= len(path) && slices.Equal(from, path[:len(from)]) {
		if len(from) == len(path) {
			return doc, nil
		}
		return nil, errors.New("a value cannot be moved into itself")
	}
	if doc, err = remove(doc, from); err != nil {
		return nil, err
	}
	return add(doc, path, value)
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		made := make(map[string]any, len(v))
		for name, value := range v {
			made[name] = clone(value)
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, value := range v {
			made[i] = clone(value)
		}
		return made
	}
	return v
}

// test compares. A member that is not there equals null, as it does to the API server.
func test(doc any, path []string, want any) error {
	got, err := find(doc, path)
	if errors.Is(err, errMissing) && want == nil {
		if _, err := find(doc, path[:len(path)-1]); err == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrTestFailed)
	}
	if !equal(got, want) {
		return fmt.Errorf("another value is there: %w", ErrTestFailed)
	}
	return nil
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, value := range a {
			if other, ok := b[name]; !ok || !equal(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case int64:
		if b, ok := b.(float64); ok {
			return float64(a) == b
		}
	case float64:
		if b, ok := b.(int64); ok {
			return a == float64(b)
		}
	}
	return a == b
}
