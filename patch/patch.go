package patch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
)

// Patch is the body of a PATCH request and what kind it is. Everything in this package that makes one implements it; it is
// immutable and safe for concurrent use.
type Patch interface {
	// Type is the kind of patch, and so the request's content type.
	Type() types.PatchType
	// Data is the body. What was wrong with the values or paths that the patch was made of is returned here. The bytes must not
	// be changed.
	Data() ([]byte, error)
}

// ErrNotExpressible is returned by [Diff] when the kind of patch asked for cannot say the difference, such as a null put into a
// map by a merge patch, or a list whose elements share one merge key in a strategic one. A JSON patch can say everything.
var ErrNotExpressible = errors.New("not expressible in this kind of patch")

// body is a finished patch.
type body struct {
	kind types.PatchType
	data []byte
	err  error
}

func (p *body) Type() types.PatchType { return p.kind }

func (p *body) Data() ([]byte, error) { return p.data, p.err }

// String is the body, for people.
func (p *body) String() string {
	if p.err != nil {
		return "!(" + p.err.Error() + ")"
	}
	return string(p.data)
}

// Merge is a JSON Merge Patch (RFC 7386): doc's members replace those of the object, objects are merged, a null removes, and a list
// replaces the whole list. doc is anything that marshals to JSON, or JSON itself as a []byte, json.RawMessage or string.
//
//	patch.Merge(map[string]any{"metadata": map[string]any{"labels": map[string]any{"team": "a", "old": nil}}})
func Merge(doc any) Patch { return document(types.MergePatchType, doc) }

// Strategic is a strategic merge patch: a merge patch that also merges lists by their merge key. The API server knows it for its
// own types only, not for custom resources. doc is as in [Merge].
func Strategic(doc any) Patch { return document(types.StrategicMergePatchType, doc) }

// Raw is a patch of any kind from its finished body, which must be JSON.
func Raw(kind types.PatchType, data []byte) Patch {
	p := &body{kind: kind, data: bytes.Clone(data)}
	if !json.Valid(data) {
		p.err = fmt.Errorf("patch: the body of a %s is not JSON", kind)
	}
	return p
}

func document(kind types.PatchType, doc any) Patch {
	switch doc := doc.(type) {
	case []byte:
		return Raw(kind, doc)
	case json.RawMessage:
		return Raw(kind, doc)
	case string:
		return Raw(kind, []byte(doc))
	}
	data, err := json.Marshal(doc)
	if err != nil {
		err = fmt.Errorf("patch: marshal a %T as a %s: %w", doc, kind, err)
	}
	return &body{kind: kind, data: data, err: err}
}

// Empty says whether p changes nothing, so that it need not be sent: an empty object or an empty list of operations. A patch that
// could not be made is not empty.
func Empty(p Patch) bool {
	data, err := p.Data()
	if err != nil {
		return false
	}
	switch string(bytes.TrimSpace(data)) {
	case "{}", "[]":
		return true
	}
	return false
}
