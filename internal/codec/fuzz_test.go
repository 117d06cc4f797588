package codec

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

var contentTypes = []string{JSON, Protobuf}

// list decodes body and returns how far it came.
func list(body io.Reader, contentType string, newItem func() runtime.Object) (items []runtime.Object, meta metav1.ListMeta, err error) {
	meta, err = DecodeList(body, contentType, newItem, podKind, func(o runtime.Object) bool {
		items = append(items, o)
		return true
	})
	return items, meta, err
}

// FuzzDecodeList feeds arbitrary bytes. How they arrive must not matter, and what is taken for a list must be what the
// decoders of whole lists read.
func FuzzDecodeList(f *testing.F) {
	for _, contentType := range contentTypes {
		body := podList(f, 2, contentType)
		f.Add(body, contentType == Protobuf)
		f.Add(body[:len(body)/2], contentType == Protobuf)
		f.Add(podList(f, 0, contentType), contentType == Protobuf)
	}
	f.Add([]byte(`{"kind":"PodList","items":[{"a":"\"}]"},{}],"metadata":{"resourceVersion":"1"}}`), false)
	f.Add([]byte(`{"items":null,"x":[1,{"y":"]"}]}`), false)
	f.Fuzz(func(t *testing.T, body []byte, protobuf bool) {
		contentType, newItem := JSON, newUnstructured
		if protobuf {
			contentType, newItem = Protobuf, newPod
		}
		items, meta, err := list(bytes.NewReader(body), contentType, newItem)
		again, metaAgain, errAgain := list(iotest.OneByteReader(bytes.NewReader(body)), contentType, newItem)
		if (err == nil) != (errAgain == nil) || len(items) != len(again) {
			t.Fatalf("whole: %d, %v; byte by byte: %d, %v", len(items), err, len(again), errAgain)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(items, again); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(meta, metaAgain); diff != "" {
			t.Fatal(diff)
		}
		checkWholeList(t, body, protobuf, items, meta)
	})
}

func checkWholeList(t *testing.T, body []byte, protobuf bool, items []runtime.Object, meta metav1.ListMeta) {
	t.Helper()
	if protobuf {
		u, err := parseEnvelope(body)
		if err != nil {
			t.Fatalf("a list that is no envelope: %v", err)
		}
		var whole corev1.PodList
		if err := whole.Unmarshal(u.raw); err != nil {
			t.Fatalf("a list that is none: %v", err)
		}
		if len(whole.Items) != len(items) {
			t.Fatalf("%d items, want %d", len(items), len(whole.Items))
		}
		for i := range whole.Items {
			whole.Items[i].TypeMeta = podTypeMeta
			if diff := cmp.Diff(&whole.Items[i], items[i]); diff != "" {
				t.Fatal(diff)
			}
		}
		if diff := cmp.Diff(whole.ListMeta, meta); diff != "" {
			t.Fatal(diff)
		}
		return
	}
	var whole struct {
		Items []map[string]any `json:"items"`
	}
	if err := utiljson.Unmarshal(body, &whole); err != nil {
		t.Fatalf("a list that is none: %v", err)
	}
	if len(whole.Items) != len(items) {
		t.Fatalf("%d items, want %d", len(items), len(whole.Items))
	}
	for i, want := range whole.Items {
		want["apiVersion"], want["kind"] = "v1", "Pod"
		if diff := cmp.Diff(want, items[i].(*unstructured.Unstructured).Object); diff != "" {
			t.Fatal(diff)
		}
	}
}

// FuzzWatch feeds arbitrary bytes. The decoder must come to an end, and how the bytes arrive must not matter.
func FuzzWatch(f *testing.F) {
	for _, contentType := range contentTypes {
		stream := podEvents(f, 2, contentType)
		stream = appendEvent(f, stream, contentType, "ERROR", &metav1.Status{Code: 410}, statusKind)
		f.Add(stream, contentType == Protobuf)
		f.Add(stream[:len(stream)-7], contentType == Protobuf)
	}
	f.Add([]byte(`{"type":"ADDED","object":{}}{"type":"BOOKMARK","object":{}}`), false)
	f.Fuzz(func(t *testing.T, stream []byte, protobuf bool) {
		contentType := JSON
		if protobuf {
			contentType = Protobuf
		}
		events := func(r io.Reader) (got []WatchEvent, err error) {
			d := NewWatchDecoder(r, contentType, newPod, podKind)
			for {
				ev, err := d.Next()
				if err != nil {
					return got, err
				}
				if (ev.Object == nil) == (ev.Status == nil) {
					t.Fatalf("event with neither or both: %+v", ev)
				}
				if got = append(got, ev); len(got) > len(stream) {
					t.Fatal("more events than bytes")
				}
			}
		}
		got, err := events(bytes.NewReader(stream))
		again, errAgain := events(iotest.OneByteReader(bytes.NewReader(stream)))
		if isEnd(err) != isEnd(errAgain) {
			t.Fatalf("whole: %v, byte by byte: %v", err, errAgain)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzDecode feeds arbitrary bodies to the decoder of one object, and encodes again what was taken.
func FuzzDecode(f *testing.F) {
	for _, contentType := range contentTypes {
		body, err := Encode(somePod(1), podKind, contentType)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, contentType)
		f.Add(body[:len(body)-3], contentType)
	}
	f.Add([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure"}`), JSON)
	f.Add([]byte(`<html>`), "text/html")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		pod, untyped := &corev1.Pod{}, &unstructured.Unstructured{}
		if Decode(body, contentType, untyped, noKind) == nil && !json.Valid(body) {
			t.Fatalf("invalid JSON was taken: %q", body)
		}
		if Decode(body, contentType, pod, podKind) != nil {
			return
		}
		encoded, err := Encode(pod, podKind, Protobuf)
		if err != nil {
			return // times before the year 1 and the like
		}
		again := &corev1.Pod{}
		if err := Decode(encoded, Protobuf, again, podKind); err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
	})
}
