package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"sigs.k8s.io/yaml"
)

// document is one YAML or JSON document of a file, as JSON.
type document struct {
	json []byte
	// origin is "file:line" of its first line.
	origin string
}

// split reads the documents of a file: YAML with "---" between them, or JSON values after each other.
func split(name string, data []byte) ([]document, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		return splitJSON(name, data)
	}
	var out []document
	var chunk []byte
	start, line := 1, 0
	flush := func() error {
		text, skipped := skipBlank(chunk)
		at := start + skipped
		chunk = nil
		if len(text) == 0 {
			return nil
		}
		converted, err := yaml.YAMLToJSON(text)
		if err != nil {
			return yamlError(name, at, err)
		}
		if string(converted) != "null" {
			out = append(out, document{json: converted, origin: name + ":" + strconv.Itoa(at)})
		}
		return nil
	}
	for text := range bytes.Lines(data) {
		line++
		if separator(text) {
			if err := flush(); err != nil {
				return nil, err
			}
			start = line + 1
			continue
		}
		chunk = append(chunk, text...)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return out, nil
}

func separator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	rest = bytes.TrimSpace(rest)
	return ok && (len(rest) == 0 || rest[0] == '#')
}

// skipBlank drops leading blank and comment lines and tells how many there were.
func skipBlank(text []byte) ([]byte, int) {
	n := 0
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' {
			break
		}
		text = rest
		n++
	}
	return text, n
}

func splitJSON(name string, data []byte) ([]document, error) {
	var out []document
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			offset := dec.InputOffset()
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				offset = syntax.Offset
			}
			return nil, fmt.Errorf("%s:%d: reading JSON: %w", name, lineAt(data, offset), err)
		}
		begin := dec.InputOffset() - int64(len(raw))
		out = append(out, document{json: raw, origin: name + ":" + strconv.Itoa(lineAt(data, begin))})
	}
}

func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// yamlError turns the line that the YAML reader names, which counts from the start of the document, into the
// line of the file.
func yamlError(name string, start int, err error) error {
	line, text := start, err.Error()
	if m := yamlLine.FindStringSubmatchIndex(text); m != nil {
		n, _ := strconv.Atoi(text[m[2]:m[3]])
		line = start + n - 1
		text = text[:m[0]] + text[m[1]:]
	}
	return fmt.Errorf("%s:%d: reading YAML: %s", name, line, text)
}
