package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	podKind        = corev1.SchemeGroupVersion.WithKind("Pod")
	configMapKind  = corev1.SchemeGroupVersion.WithKind("ConfigMap")
	deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")
	noKind         schema.GroupVersionKind
)

func newPod() runtime.Object             { return &corev1.Pod{} }
func newConfigMap() runtime.Object       { return &corev1.ConfigMap{} }
func newUnstructured() runtime.Object    { return &unstructured.Unstructured{} }
func newPartialMetadata() runtime.Object { return &metav1.PartialObjectMetadata{} }

func TestCanProtobuf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		t    reflect.Type
		want bool
	}{
		{reflect.TypeFor[*corev1.Pod](), true},
		{reflect.TypeFor[*metav1.PartialObjectMetadata](), true},
		{reflect.TypeFor[*metav1.DeleteOptions](), true},
		{reflect.TypeFor[corev1.Pod](), false},
		{reflect.TypeFor[*unstructured.Unstructured](), false},
		{reflect.TypeFor[runtime.Object](), false},
		{nil, false},
	} {
		if got := CanProtobuf(tc.t); got != tc.want {
			t.Errorf("CanProtobuf(%v) = %v, want %v", tc.t, got, tc.want)
		}
	}
}

func TestEncodeDecodeKeepsTheObject(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{JSON, Protobuf} {
		for _, held := range []metav1.TypeMeta{{}, {APIVersion: "apps/v1", Kind: "Deployment"}, {APIVersion: "x/v1", Kind: "Other"}} {
			obj := largeDeployment()
			obj.TypeMeta = held
			before := obj.DeepCopy()
			body, err := Encode(obj, deploymentKind, contentType)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, obj); diff != "" {
				t.Errorf("%s: Encode changed the object: %s", contentType, diff)
			}
			got := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"old": "must go"}}}
			if err := Decode(body, contentType+"; charset=utf-8", got, noKind); err != nil {
				t.Fatal(err)
			}
			before.TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}
			if diff := cmp.Diff(before, got); diff != "" {
				t.Errorf("%s: %s", contentType, diff)
			}
		}
	}
}

func TestEncodeUnstructured(t *testing.T) {
	t.Parallel()
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"n": int64(1), "f": 1.5}}}
	gvk := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}
	body, err := Encode(obj, gvk, JSON)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"apiVersion":"example.com/v1","kind":"Widget","spec":{"f":1.5,"n":1}}`; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
	if _, ok := obj.Object["kind"]; ok {
		t.Error("Encode changed the object")
	}
}

func TestEncodeErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		obj         runtime.Object
		contentType string
		want        string
	}{
		{"content type", &corev1.Pod{}, "application/yaml", `encode v1.Pod: unsupported content type "application/yaml"`},
		{"nil", (*corev1.Pod)(nil), JSON, "the object is nil"},
		{"empty unstructured", &unstructured.Unstructured{}, JSON, "the object has no content"},
		{"no protobuf", &unstructured.Unstructured{Object: map[string]any{}}, Protobuf, "no generated protobuf methods"},
	} {
		_, err := Encode(tc.obj, podKind, tc.contentType)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestDecodeSetsKind(t *testing.T) {
	t.Parallel()
	body := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`)
	for _, obj := range []runtime.Object{&corev1.ConfigMap{}, &unstructured.Unstructured{}} {
		if err := Decode(body, JSON, obj, noKind); err != nil {
			t.Fatal(err)
		}
		if got := obj.GetObjectKind().GroupVersionKind(); got != configMapKind {
			t.Errorf("%T: got %v", obj, got)
		}
	}
	partial := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	wire := metav1.SchemeGroupVersion.WithKind("PartialObjectMetadata")
	for _, contentType := range []string{JSON, Protobuf} {
		body, err := Encode(partial, wire, contentType)
		if err != nil {
			t.Fatal(err)
		}
		got := &metav1.PartialObjectMetadata{}
		if err := Decode(body, contentType, got, configMapKind); err != nil {
			t.Fatal(err)
		}
		if got.GroupVersionKind() != configMapKind || got.Name != "a" {
			t.Errorf("%s: got %+v", contentType, got)
		}
	}
}

func TestDecodeUnstructuredNumbers(t *testing.T) {
	t.Parallel()
	u := &unstructured.Unstructured{}
	body := `{"kind":"K","big":9007199254740993,"float":1.0,"exp":1e3,"over":9223372036854775808,"neg":-0}`
	if err := Decode([]byte(body), JSON, u, noKind); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kind": "K", "big": int64(9007199254740993), "float": 1.0, "exp": 1000.0, "over": 9223372036854775808.0, "neg": int64(0)}
	if diff := cmp.Diff(want, u.Object); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	pod, err := Encode(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, podKind, Protobuf)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, contentType string
		body              string
		is                error
		want              []string
	}{
		{"html", "text/html; charset=utf-8", "<html>login</html>", ErrContentType, []string{`"text/html"`, "<html>login"}},
		{"no content type", "", "hello", ErrContentType, []string{"names none", "hello"}},
		{"empty", JSON, " ", io.ErrUnexpectedEOF, []string{"v1.ConfigMap", JSON, "empty"}},
		{"null", JSON, "null", nil, []string{"expected an object", "null"}},
		{"array", JSON, "[]", nil, []string{"expected an object"}},
		{"cut", JSON, `{"metadata":{"name":"a"`, io.ErrUnexpectedEOF, []string{"at byte"}},
		{"garbled", JSON, `{"metadata":{"name":a}}`, nil, []string{"at byte 20", `"name\":a`}},
		{"trailing", JSON, `{} {}`, nil, []string{"at byte 3"}},
		{"type", JSON, `{"metadata":{"name":1}}`, nil, []string{"at byte 21", "metadata.name", "string"}},
		{"kind", JSON, `{"kind":"Pod","apiVersion":"v1"}`, nil, []string{"expected v1 ConfigMap, the body is v1 Pod"}},
		{"protobuf kind", Protobuf, string(pod), nil, []string{"expected v1 ConfigMap, the body is v1 Pod"}},
		{"protobuf empty", Protobuf, "", io.ErrUnexpectedEOF, []string{"empty"}},
		{"protobuf cut", Protobuf, string(pod[:len(pod)-6]), io.ErrUnexpectedEOF, []string{"at byte"}},
		{"protobuf envelope only", Protobuf, "k8s\x00", io.ErrUnexpectedEOF, []string{"no object"}},
		{"protobuf garbled", Protobuf, "k8s\x01abc", nil, []string{"expected the envelope", "abc"}},
		{"json as protobuf", Protobuf, `{"kind":"ConfigMap"}`, nil, []string{"expected the envelope", `kind`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := Decode([]byte(tc.body), tc.contentType, &corev1.ConfigMap{}, configMapKind)
			checkError(t, err, tc.is, tc.want...)
		})
	}
}

func checkError(t *testing.T, err, is error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%q is not %q", err, is)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not contain %q", err, w)
		}
	}
}

func TestDecodeStatus(t *testing.T) {
	t.Parallel()
	status := &metav1.Status{Status: metav1.StatusFailure, Message: "no such thing", Code: 404}
	for _, contentType := range []string{JSON, Protobuf} {
		body, err := Encode(status, schema.GroupVersionKind{Version: "v1", Kind: "Status"}, contentType)
		if err != nil {
			t.Fatal(err)
		}
		err = Decode(body, contentType, &corev1.Pod{}, podKind)
		var got *StatusError
		if !errors.As(err, &got) || got.Status.Message != "no such thing" || got.Status.Kind != "Status" {
			t.Errorf("%s: got %v", contentType, err)
		}
		into := &metav1.Status{}
		if err := Decode(body, contentType, into, noKind); err != nil || into.Code != 404 {
			t.Errorf("%s: got %+v, %v", contentType, into, err)
		}
	}
}

// podList is a list of n pods as the API server writes it.
func podList(t testing.TB, n int, contentType string) []byte {
	t.Helper()
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "42", Continue: "more"}}
	for i := range n {
		list.Items = append(list.Items, *somePod(i))
	}
	body, err := Encode(list, corev1.SchemeGroupVersion.WithKind("PodList"), contentType)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestDecodeList(t *testing.T) {
	t.Parallel()
	const n = 50
	for _, contentType := range []string{JSON, Protobuf} {
		body := podList(t, n, contentType)
		for name, r := range map[string]io.Reader{
			"whole":   bytes.NewReader(body),
			"bytes":   iotest.OneByteReader(bytes.NewReader(body)),
			"halves":  iotest.HalfReader(bytes.NewReader(body)),
			"dataerr": iotest.DataErrReader(bytes.NewReader(body)),
		} {
			var got []*corev1.Pod
			meta, err := DecodeList(r, contentType, newPod, podKind, func(o runtime.Object) bool {
				got = append(got, o.(*corev1.Pod))
				return true
			})
			if err != nil {
				t.Fatalf("%s %s: %v", contentType, name, err)
			}
			if meta.ResourceVersion != "42" || meta.Continue != "more" {
				t.Errorf("%s %s: metadata %+v", contentType, name, meta)
			}
			if len(got) != n {
				t.Fatalf("%s %s: %d items", contentType, name, len(got))
			}
			for i, pod := range got {
				want := somePod(i)
				want.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
				if diff := cmp.Diff(want, pod); diff != "" {
					t.Fatalf("%s %s: item %d: %s", contentType, name, i, diff)
				}
			}
		}
	}
}

func TestDecodeListStops(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{JSON, Protobuf} {
		n := 0
		_, err := DecodeList(bytes.NewReader(podList(t, 10, contentType)), contentType, newPod, podKind, func(runtime.Object) bool {
			n++
			return n < 3
		})
		if n != 3 || err != nil {
			t.Errorf("%s: %d items, %v", contentType, n, err)
		}
	}
}

// Every proper prefix of a list is an error, and yields no item that was not whole.
func TestDecodeListCut(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{JSON, Protobuf} {
		body := podList(t, 2, contentType)
		end := len(body)
		if contentType == Protobuf {
			end -= 4 // the empty fields after the list, which may be missing
		}
		for cut := range end {
			_, err := DecodeList(bytes.NewReader(body[:cut]), contentType, newPod, podKind, func(o runtime.Object) bool {
				if !strings.HasPrefix(o.(*corev1.Pod).Spec.NodeName, "node-") {
					t.Errorf("cut at %d: %v is not whole", cut, o)
				}
				return true
			})
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s cut at %d of %d: %v", contentType, cut, len(body), err)
			}
		}
	}
}

func TestDecodeListJSONShapes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		items      int
		err        string
		is         error
	}{
		{"metadata last", `{"apiVersion":"v1","items":[{"metadata":{"name":"a"}}],"kind":"ConfigMapList","metadata":{"resourceVersion":"7"}}`, 1, "", nil},
		{"null items", `{"kind":"ConfigMapList","metadata":{"resourceVersion":"7"},"items":null}`, 0, "", nil},
		{"spaces", " {\n \"metadata\" : {\"resourceVersion\":\"7\"} , \"items\" : [ { } , {\"data\":{\"}\":\"\\\\\\\"]\"}} ] } \n", 2, "", nil},
		{"unknown fields", `{"metadata":{"resourceVersion":"7"},"x":[1,{"y":"]"}],"items":[],"z":1.5e3}`, 0, "", nil},
		{"escaped name", `{"metadata":{"resourceVersion":"7"},"\u0069tems":[{}]}`, 1, "", nil},
		{"no items", `{"kind":"ConfigMapList"}`, 0, "no items", nil},
		{"empty object", `{}`, 0, "no items", nil},
		{"another kind", `{"kind":"Status","items":[{}]}`, 0, "the body is a Status", nil},
		{"null item", `{"items":[{},null]}`, 1, "item 1: starts at byte 13 of the stream: expected an object", nil},
		{"number item", `{"items":[1]}`, 0, "expected an object", nil},
		{"items object", `{"items":{}}`, 0, "expected an array of items", nil},
		{"items twice", `{"items":[],"items":[]}`, 0, "second time", nil},
		{"bracket mismatch", `{"items":[{"data":]}]}`, 0, "item 0", nil},
		{"no separator", `{"items":[{}{}]}`, 1, "expected ','", nil},
		{"trailing comma", `{"items":[{},]}`, 1, "expected a value", nil},
		{"trailing garbage", `{"items":[{}]}]`, 1, "expected the end of the body", nil},
		{"unknown field invalid", `{"x":tru,"items":[]}`, 0, `field "x"`, nil},
		{"bare name", `{items:[]}`, 0, `expected '"'`, nil},
		{"array", `[{}]`, 0, `expected '{'`, nil},
		{"empty", ``, 0, "byte 0", io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			meta, err := DecodeList(strings.NewReader(tc.body), JSON, newConfigMap, configMapKind, func(runtime.Object) bool {
				n++
				return true
			})
			if n != tc.items {
				t.Errorf("%d items, want %d", n, tc.items)
			}
			if tc.err != "" {
				checkError(t, err, tc.is, tc.err, "list of ConfigMap from "+JSON)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if meta.ResourceVersion != "7" {
				t.Errorf("metadata %+v", meta)
			}
		})
	}
}

func TestDecodeListOfMetadata(t *testing.T) {
	t.Parallel()
	list := &metav1.PartialObjectMetadataList{Items: []metav1.PartialObjectMetadata{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}}
	for _, contentType := range []string{JSON, Protobuf} {
		body, err := Encode(list, metav1.SchemeGroupVersion.WithKind("PartialObjectMetadataList"), contentType)
		if err != nil {
			t.Fatal(err)
		}
		_, err = DecodeList(bytes.NewReader(body), contentType, newPartialMetadata, podKind, func(o runtime.Object) bool {
			if got := o.(*metav1.PartialObjectMetadata); got.GroupVersionKind() != podKind || got.Name != "a" {
				t.Errorf("%s: got %+v", contentType, got)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDecodeListReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	for _, contentType := range []string{JSON, Protobuf} {
		body := podList(t, 3, contentType)
		r := io.MultiReader(bytes.NewReader(body[:len(body)/2]), iotest.ErrReader(broken))
		_, err := DecodeList(r, contentType, newPod, podKind, func(runtime.Object) bool { return true })
		checkError(t, err, broken, "Pod", contentType)
	}
	_, err := DecodeList(strings.NewReader("<html>"), "text/html", newPod, podKind, nil)
	checkError(t, err, ErrContentType, "<html>")
}

// endless repeats a byte after a prefix for ever.
type endless struct {
	prefix io.Reader
	fill   byte
}

func (e *endless) Read(b []byte) (int, error) {
	if n, _ := e.prefix.Read(b); n > 0 {
		return n, nil
	}
	for i := range b {
		b[i] = e.fill
	}
	return len(b), nil
}

func TestOversized(t *testing.T) {
	t.Parallel()
	list := func(contentType, prefix string, fill byte) error {
		_, err := DecodeList(&endless{strings.NewReader(prefix), fill}, contentType, newPod, podKind, func(runtime.Object) bool {
			t.Error("yielded an item")
			return true
		})
		return err
	}
	event := func(contentType, prefix string, fill byte) error {
		_, err := NewWatchDecoder(&endless{strings.NewReader(prefix), fill}, contentType, newPod, podKind).Next()
		return err
	}
	huge := string(binary.AppendUvarint([]byte("k8s\x00\x12\xff\xff\xff\xff\xff\x7f\x12"), MaxItemSize+1))
	for name, err := range map[string]error{
		"list string":  list(JSON, `{"items":["`, 'a'),
		"list object":  list(JSON, `{"items":[{`, ' '),
		"list quotes":  list(JSON, `{"items":[{`, '"'),
		"list depth":   list(JSON, `{"items":[`, '['),
		"list number":  list(JSON, `{"items":[`, '1'),
		"list field":   list(JSON, `{"`, 'a'),
		"list proto":   list(Protobuf, huge, 'a'),
		"event object": event(JSON, `{`, '{'),
		"event proto":  event(Protobuf, "\xff\xff\xff\xff", 'a'),
	} {
		checkError(t, err, ErrTooLarge, name[:0])
	}
}
