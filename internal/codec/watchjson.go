package codec

import (
	"encoding/json"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// splitEvent returns the type of an event in JSON and its object.
func splitEvent(frame []byte) (typ string, object []byte, err error) {
	var ev struct {
		Type   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if err := utiljson.Unmarshal(frame, &ev); err != nil {
		return "", nil, explainJSON(frame, err)
	}
	return ev.Type, ev.Object, nil
}
