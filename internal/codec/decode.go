package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubesdk/kubesdk/internal/codec/fastjson"
	"github.com/kubesdk/kubesdk/internal/codec/fastproto"
)

// Decode replaces *into, a non-nil pointer, by what body says in contentType, whose parameters are ignored. apiVersion
// and kind are gvk's, or those of the body if gvk is empty. After an error *into holds nothing to be relied on.
//
// A Status where another kind was asked for is a *StatusError. A body of another kind than gvk's is an error too, but
// for metadata-only answers, which stand for their object's kind. The error for a content type that is neither JSON nor
// Protobuf wraps ErrContentType and quotes the body's start; a body that was cut off wraps io.ErrUnexpectedEOF.
func Decode(body []byte, contentType string, into runtime.Object, gvk schema.GroupVersionKind) error {
	d, err := newItemDecoder(contentType, gvk)
	if err != nil {
		return fmt.Errorf("decode %s: %w; %s", typeName(into), err, quote(body))
	}
	if v := reflect.ValueOf(into); v.Kind() == reflect.Pointer && !v.IsNil() {
		v.Elem().SetZero()
	} else {
		return fmt.Errorf("decode into %T: expected a pointer to an object", into)
	}
	if err := d.decode(body, into); err != nil {
		return fmt.Errorf("decode %s from %s: %w", typeName(into), contentType, err)
	}
	return nil
}

// itemDecoder decodes objects of one kind in one format.
type itemDecoder struct {
	format format
	types  typeSetter
}

func newItemDecoder(contentType string, gvk schema.GroupVersionKind) (*itemDecoder, error) {
	f, err := parseFormat(contentType)
	if err != nil {
		return nil, err
	}
	return &itemDecoder{format: f, types: newTypeSetter(gvk)}, nil
}

// decode decodes a whole body, an envelope in protobuf, an object in JSON, into an object that is zero.
func (d *itemDecoder) decode(body []byte, into runtime.Object) error {
	if d.format == formatProtobuf {
		return d.decodeEnvelope(body, into)
	}
	wireAPIVersion, wireKind, err := d.decodeJSON(body, into)
	if err != nil {
		// Another kind may not fit into the type: its status of type string, say.
		var tm metav1.TypeMeta
		if utiljson.Unmarshal(body, &tm) != nil {
			return err
		}
		wireAPIVersion, wireKind = tm.APIVersion, tm.Kind
	}
	if err := d.checkKind(body, into, wireAPIVersion, wireKind); err != nil {
		return err
	}
	return err
}

func (d *itemDecoder) decodeEnvelope(body []byte, into runtime.Object) error {
	u, err := parseEnvelope(body)
	if err != nil {
		return err
	}
	if err := d.checkKind(u.raw, into, u.apiVersion, u.kind); err != nil {
		return err
	}
	if err := decodeMessage(u.raw, into); err != nil {
		return err
	}
	d.types.set(into, u.apiVersion, u.kind)
	return nil
}

// checkKind refuses an object of another kind than the one that was asked for. raw is what the object was decoded from.
func (d *itemDecoder) checkKind(raw []byte, into runtime.Object, wireAPIVersion, wireKind string) error {
	want := d.types.kind
	if _, ok := into.(*metav1.Status); !ok && wireKind == "Status" && want != "Status" && wireAPIVersion == "v1" {
		status := &metav1.Status{}
		if err := decodeStatus(raw, d.format, status); err != nil {
			return err
		}
		if want == "" {
			want = typeName(into)
		}
		return &StatusError{Want: want, Status: status}
	}
	if want == "" || wireKind == "" || wireKind == want || isMetadataOnly(into) {
		return nil
	}
	return fmt.Errorf("expected %s %s, the body is %s %s", d.types.apiVersion, want, wireAPIVersion, wireKind)
}

func decodeStatus(raw []byte, f format, into *metav1.Status) error {
	if f == formatProtobuf {
		into.Reset()
		if err := into.Unmarshal(raw); err != nil {
			return err
		}
		into.APIVersion, into.Kind = "v1", "Status"
		return nil
	}
	return utiljson.Unmarshal(raw, into)
}

func isMetadataOnly(obj runtime.Object) bool {
	_, ok := obj.(*metav1.PartialObjectMetadata)
	return ok
}

// decodeMessage decodes an object's own protobuf message, which names no apiVersion and kind, into an object that is
// zero.
func decodeMessage(raw []byte, into runtime.Object) error {
	m, ok := into.(message)
	if !ok {
		return fmt.Errorf("the type has no generated protobuf methods, ask for %s", JSON)
	}
	return fastproto.Unmarshal(raw, m)
}

// decodeJSON decodes one JSON object into an object that is zero, fills in apiVersion and kind, and returns those that it named itself.
func (d *itemDecoder) decodeJSON(body []byte, into runtime.Object) (apiVersion, kind string, err error) {
	if err := startsObject(body); err != nil {
		return "", "", err
	}
	switch o := into.(type) {
	case *unstructured.Unstructured:
		o.Object = nil
		content, err := fastjson.Object(body)
		if err != nil {
			return "", "", explainJSON(body, err)
		}
		o.Object = content
	default:
		if err := fastjson.Unmarshal(body, into); err != nil {
			return "", "", explainJSON(body, err)
		}
	}
	apiVersion, kind = wireKind(into)
	d.types.set(into, apiVersion, kind)
	return apiVersion, kind, nil
}

func wireKind(obj runtime.Object) (apiVersion, kind string) {
	switch k := obj.GetObjectKind().(type) {
	case *metav1.TypeMeta:
		return k.APIVersion, k.Kind
	case *unstructured.Unstructured:
		return k.GetAPIVersion(), k.GetKind()
	default:
		return k.GroupVersionKind().ToAPIVersionAndKind()
	}
}

// startsObject refuses JSON that is not an object, null above all, which would decode to an object that nobody sent.
func startsObject(body []byte) error {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 {
		return fmt.Errorf("expected an object, the body is empty: %w", io.ErrUnexpectedEOF)
	}
	if trimmed[0] != '{' {
		return fmt.Errorf("expected an object, %s", quote(body))
	}
	return nil
}

// explainJSON adds to err, of decoding body, where in the body it happened.
func explainJSON(body []byte, err error) error {
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &typeErr) {
		return fmt.Errorf("at byte %d: %w", typeErr.Offset, err)
	}
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if !errors.As(json.Unmarshal(body, &raw), &syntax) {
		return err
	}
	if int(syntax.Offset) >= len(body) && !bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")) {
		err = fmt.Errorf("%w (%w)", err, io.ErrUnexpectedEOF)
	}
	at := max(0, int(syntax.Offset)-1)
	return fmt.Errorf("at byte %d, near %q: %w", at, body[max(0, at-20):min(len(body), at+20)], err)
}
