package codec

import (
	"errors"
	"fmt"
	"mime"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The media types that this package reads and writes.
const (
	JSON     = runtime.ContentTypeJSON
	Protobuf = runtime.ContentTypeProtobuf
)

// MaxItemSize is the largest item of a list, or event of a watch, that is read: 16 MiB. An API server takes requests
// of 3 MiB at most and etcd stores 1.5 MiB by default, so more than this is a broken or hostile stream.
const MaxItemSize = 16 << 20

// ErrContentType is wrapped by the error for a body whose content type is neither JSON nor Kubernetes' protobuf.
var ErrContentType = errors.New("unsupported content type")

// ErrTooLarge is wrapped by the error for an item or event larger than MaxItemSize.
var ErrTooLarge = fmt.Errorf("larger than %d MiB", MaxItemSize>>20)

// StatusError reports that the body is a Status where another kind was expected.
type StatusError struct {
	Want   string // what was expected
	Status *metav1.Status
}

func (e *StatusError) Error() string {
	msg := e.Status.Message
	if msg == "" {
		msg = string(e.Status.Reason)
	}
	if msg == "" {
		msg = "no message"
	}
	return fmt.Sprintf("expected %s, got a Status (%s): %s", e.Want, e.Status.Status, msg)
}

// format is how a body is encoded.
type format int

const (
	formatJSON format = iota + 1
	formatProtobuf
)

// parseFormat finds the format that contentType names. Its parameters (charset, as, g, v, stream) are ignored: JSON is
// always UTF-8 and the caller knows what it asked for.
func parseFormat(contentType string) (format, error) {
	switch contentType {
	case JSON:
		return formatJSON, nil
	case Protobuf:
		return formatProtobuf, nil
	}
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case JSON:
		return formatJSON, nil
	case Protobuf:
		return formatProtobuf, nil
	}
	if contentType == "" {
		return 0, fmt.Errorf("%w: the answer names none, expected %s or %s", ErrContentType, JSON, Protobuf)
	}
	if parsed, _, err := mime.ParseMediaType(contentType); err == nil {
		contentType = parsed
	}
	return 0, fmt.Errorf("%w %q, expected %s or %s", ErrContentType, contentType, JSON, Protobuf)
}

// quote shows the start of a body in an error.
func quote(body []byte) string {
	const shown = 120
	if len(body) == 0 {
		return "the body is empty"
	}
	if len(body) <= shown {
		return fmt.Sprintf("the body is %q", body)
	}
	return fmt.Sprintf("the body starts with %q", body[:shown])
}

// message is what generated protobuf types implement.
type message interface {
	Reset()
	Size() int
	MarshalToSizedBuffer([]byte) (int, error)
	Unmarshal([]byte) error
}

var messageType = reflect.TypeFor[message]()

// CanProtobuf tells whether t, a pointer to a struct, has generated protobuf methods, so that Encode and Decode take it
// as Protobuf. Every type of k8s.io/api has them, and PartialObjectMetadata; types of custom resources mostly do not.
func CanProtobuf(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && t.Implements(messageType)
}

// typeName is how errors call the Go type of an object.
func typeName(obj runtime.Object) string { return strings.TrimPrefix(fmt.Sprintf("%T", obj), "*") }

// typeSetter fills apiVersion and kind of many objects of one kind without building the strings again for each.
type typeSetter struct {
	gvk              schema.GroupVersionKind
	apiVersion, kind string
}

func newTypeSetter(gvk schema.GroupVersionKind) typeSetter {
	s := typeSetter{gvk: gvk}
	s.apiVersion, s.kind = gvk.ToAPIVersionAndKind()
	return s
}

// set fills in obj's apiVersion and kind: the setter's own if it has a kind, else those that the wire named, if any.
func (s *typeSetter) set(obj runtime.Object, wireAPIVersion, wireKind string) {
	apiVersion, kind := s.apiVersion, s.kind
	if kind == "" {
		apiVersion, kind = wireAPIVersion, wireKind
	}
	switch k := obj.GetObjectKind().(type) {
	case *metav1.TypeMeta:
		k.APIVersion, k.Kind = apiVersion, kind
	case *unstructured.Unstructured:
		setContent(k.Object, "apiVersion", apiVersion)
		setContent(k.Object, "kind", kind)
	default:
		k.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	}
}

// setContent sets a field of untyped content, unless there is nothing to say.
func setContent(content map[string]any, field, value string) {
	if value != "" && content[field] != value {
		content[field] = value
	}
}
