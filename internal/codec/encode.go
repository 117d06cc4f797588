package codec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Encode returns obj as a body in contentType, with the apiVersion and kind of gvk in it, whatever obj holds there; an
// empty gvk leaves them as they are. obj is only read, so that goroutines may share it. The error for a content type
// that is neither JSON nor Protobuf wraps ErrContentType.
func Encode(obj runtime.Object, gvk schema.GroupVersionKind, contentType string) ([]byte, error) {
	f, err := parseFormat(contentType)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", typeName(obj), err)
	}
	if v := reflect.ValueOf(obj); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("encode %s: the object is nil", typeName(obj))
	}
	if gvk.Empty() {
		gvk = obj.GetObjectKind().GroupVersionKind()
	}
	var body []byte
	if f == formatProtobuf {
		body, err = encodeProtobuf(obj, gvk)
	} else {
		body, err = encodeJSON(obj, gvk)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s as %s: %w", typeName(obj), contentType, err)
	}
	return body, nil
}

func encodeJSON(obj runtime.Object, gvk schema.GroupVersionKind) ([]byte, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		if u.Object == nil {
			return nil, fmt.Errorf("the object has no content")
		}
		content := u.Object
		apiVersion, kind := gvk.ToAPIVersionAndKind()
		if content["apiVersion"] != apiVersion || content["kind"] != kind {
			content = maps.Clone(content)
			content["apiVersion"], content["kind"] = apiVersion, kind
		}
		return json.Marshal(content)
	}
	return json.Marshal(withKind(obj, gvk))
}

// withKind returns obj if it says gvk already, else a copy that does. The copy is shallow where apiVersion and kind are
// fields of the struct itself.
func withKind(obj runtime.Object, gvk schema.GroupVersionKind) runtime.Object {
	if obj.GetObjectKind().GroupVersionKind() == gvk {
		return obj
	}
	v := reflect.ValueOf(obj)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		shallow := reflect.New(v.Type().Elem())
		shallow.Elem().Set(v.Elem())
		if o, ok := shallow.Interface().(runtime.Object); ok {
			if tm, ok := o.GetObjectKind().(*metav1.TypeMeta); ok && within(reflect.ValueOf(tm).Pointer(), shallow) {
				tm.APIVersion, tm.Kind = gvk.ToAPIVersionAndKind()
				return o
			}
		}
	}
	deep := obj.DeepCopyObject()
	deep.GetObjectKind().SetGroupVersionKind(gvk)
	return deep
}

// within tells whether addr lies in the struct that ptr points to.
func within(addr uintptr, ptr reflect.Value) bool {
	start := ptr.Pointer()
	return addr >= start && addr < start+ptr.Type().Elem().Size()
}

// envelope is the magic number before every protobuf body; what follows is a runtime.Unknown message that names
// apiVersion and kind and holds the object's own message as bytes.
const envelope = "k8s\x00"

// The tags of runtime.Unknown and of the TypeMeta in it, as they stand on the wire (field number << 3 | bytes).
const (
	tagTypeMeta        = 1<<3 | 2
	tagRaw             = 2<<3 | 2
	tagContentEncoding = 3<<3 | 2
	tagContentType     = 4<<3 | 2
	tagAPIVersion      = 1<<3 | 2
	tagKind            = 2<<3 | 2
)

// encodeProtobuf writes the envelope and the object into one buffer of exactly their size.
func encodeProtobuf(obj runtime.Object, gvk schema.GroupVersionKind) ([]byte, error) {
	m, ok := obj.(message)
	if !ok {
		return nil, fmt.Errorf("the type has no generated protobuf methods, use %s", JSON)
	}
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	typeSize := 2 + sizeVarint(len(apiVersion)) + len(apiVersion) + sizeVarint(len(kind)) + len(kind)
	size := m.Size()
	head := len(envelope) + 1 + sizeVarint(typeSize) + typeSize + 1 + sizeVarint(size)
	const tail = 4 // empty content encoding and content type, as the API server writes them

	body := make([]byte, head+size+tail)
	b := body[:0]
	b = append(b, envelope...)
	b = append(b, tagTypeMeta)
	b = binary.AppendUvarint(b, uint64(typeSize))
	b = appendString(b, tagAPIVersion, apiVersion)
	b = appendString(b, tagKind, kind)
	b = append(b, tagRaw)
	binary.AppendUvarint(b, uint64(size))
	n, err := m.MarshalToSizedBuffer(body[head : head+size])
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("the object changed while it was encoded: its size was %d bytes, then %d", size, n)
	}
	copy(body[head+size:], []byte{tagContentEncoding, 0, tagContentType, 0})
	return body, nil
}

func appendString(b []byte, tag byte, s string) []byte {
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func sizeVarint(n int) int {
	size := 1
	for n >= 0x80 {
		n >>= 7
		size++
	}
	return size
}
