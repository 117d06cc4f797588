package source

import (
	"bytes"
	"encoding/json"
)

// raw is JSON that is decoded later.
type raw = json.RawMessage

// withKind adds the kind that an item of a CustomResourceDefinitionList does not repeat.
func withKind(item raw, apiVersion string) raw {
	fields := map[string]raw{}
	if err := json.Unmarshal(item, &fields); err != nil || fields["kind"] != nil {
		return item
	}
	fields["kind"] = raw(`"CustomResourceDefinition"`)
	fields["apiVersion"], _ = json.Marshal(apiVersion)
	out, err := json.Marshal(fields)
	if err != nil {
		return item
	}
	return bytes.Clone(out)
}
