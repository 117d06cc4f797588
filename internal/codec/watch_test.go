package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var statusKind = schema.GroupVersionKind{Version: "v1", Kind: "Status"}

// appendEvent adds an event to a stream as the API server writes it.
func appendEvent(t testing.TB, stream []byte, contentType, typ string, obj runtime.Object, gvk schema.GroupVersionKind) []byte {
	t.Helper()
	object, err := Encode(obj, gvk, contentType)
	if err != nil {
		t.Fatal(err)
	}
	ev := metav1.WatchEvent{Type: typ, Object: runtime.RawExtension{Raw: object}}
	if contentType == JSON {
		frame, err := json.Marshal(&ev)
		if err != nil {
			t.Fatal(err)
		}
		return append(append(stream, frame...), '\n')
	}
	frame, err := ev.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(stream, uint32(len(frame))), frame...)
}

func podEvents(t testing.TB, n int, contentType string) []byte {
	t.Helper()
	var stream []byte
	for i := range n {
		stream = appendEvent(t, stream, contentType, []string{"ADDED", "MODIFIED", "DELETED"}[i%3], somePod(i), podKind)
	}
	return stream
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{JSON, Protobuf} {
		stream := podEvents(t, 3, contentType)
		stream = appendEvent(t, stream, contentType, "BOOKMARK", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "99"}}, podKind)
		stream = appendEvent(t, stream, contentType, "ERROR", &metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired}, statusKind)
		for name, r := range map[string]io.Reader{
			"whole":   bytes.NewReader(stream),
			"bytes":   iotest.OneByteReader(bytes.NewReader(stream)),
			"dataerr": iotest.DataErrReader(bytes.NewReader(stream)),
		} {
			d := NewWatchDecoder(r, contentType+";stream=watch", newPod, podKind)
			for i, typ := range []string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"} {
				ev, err := d.Next()
				if err != nil {
					t.Fatalf("%s %s: %v", contentType, name, err)
				}
				want := WatchEvent{Type: typ}
				switch typ {
				case "BOOKMARK":
					want.Object = &corev1.Pod{TypeMeta: podTypeMeta, ObjectMeta: metav1.ObjectMeta{ResourceVersion: "99"}}
				case "ERROR":
					want.Status = &metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Code: 410, Reason: metav1.StatusReasonExpired}
				default:
					pod := somePod(i)
					pod.TypeMeta = podTypeMeta
					want.Object = pod
				}
				if diff := cmp.Diff(want, ev); diff != "" {
					t.Errorf("%s %s: %s", contentType, name, diff)
				}
			}
			for range 2 {
				if _, err := d.Next(); !isEnd(err) {
					t.Errorf("%s %s: got %v, want io.EOF", contentType, name, err)
				}
			}
		}
	}
}

var podTypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}

// A stream that is cut between events ends cleanly, and anywhere else with an error.
func TestWatchCut(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{JSON, Protobuf} {
		stream := podEvents(t, 2, contentType)
		boundary := len(podEvents(t, 1, contentType))
		for cut := range stream {
			d := NewWatchDecoder(bytes.NewReader(stream[:cut]), contentType, newPod, podKind)
			n := 0
			var err error
			for ; err == nil; n++ {
				_, err = d.Next()
			}
			n--
			clean := cut == 0 || cut == boundary || contentType == JSON && (cut == boundary-1 || cut == len(stream)-1)
			if clean != isEnd(err) || !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s cut at %d: %v", contentType, cut, err)
			}
			if whole := 0; true {
				if cut >= boundary || contentType == JSON && cut == boundary-1 {
					whole = 1
				}
				if contentType == JSON && cut == len(stream)-1 {
					whole = 2
				}
				if n != whole {
					t.Fatalf("%s cut at %d: %d events", contentType, cut, n)
				}
			}
		}
	}
}

func TestWatchErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, contentType, stream string
		is                        error
		want                      []string
	}{
		{"html", "text/html", "<html>", ErrContentType, []string{"<html>", "text/html"}},
		{"array", JSON, "[]", nil, []string{"expected an event", "byte 0"}},
		{"no object", JSON, `{"type":"ADDED"}`, nil, []string{"ADDED event without an object"}},
		{"null object", JSON, `{"type":"ADDED","object":null}`, nil, []string{"expected an object"}},
		{"no type", JSON, `{"object":{}}`, nil, []string{`unknown type ""`}},
		{"unknown type", JSON, `{"type":"added","object":{}}`, nil, []string{`unknown type "added"`}},
		{"no status", JSON, `{"type":"ERROR"}`, nil, []string{"ERROR event without a Status"}},
		{"garbled", JSON, `{"type":"ADDED","object":{"metadata":{]}}`, nil, []string{"event 0", "Pod", JSON}},
		{"another kind", JSON, `{"type":"ADDED","object":{"kind":"Node"}}`, nil, []string{"expected v1 Pod"}},
		{"protobuf garbled", Protobuf, "\x00\x00\x00\x03\xff\xff\xff", nil, []string{"event 0", "Pod", Protobuf}},
		{"protobuf without object", Protobuf, "\x00\x00\x00\x07\x0a\x05ADDED", nil, []string{"ADDED event without an object"}},
	} {
		d := NewWatchDecoder(strings.NewReader(tc.stream), tc.contentType, newPod, podKind)
		for range 2 {
			_, err := d.Next()
			t.Run(tc.name, func(t *testing.T) { checkError(t, err, tc.is, tc.want...) })
		}
	}
	broken := errors.New("connection reset")
	d := NewWatchDecoder(io.MultiReader(strings.NewReader(`{"type"`), iotest.ErrReader(broken)), JSON, newPod, podKind)
	_, err := d.Next()
	checkError(t, err, broken)
}

func ExampleWatchDecoder() {
	stream := strings.NewReader(`{"type":"ADDED","object":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}}`)
	d := NewWatchDecoder(stream, JSON, func() runtime.Object { return &corev1.ConfigMap{} }, schema.GroupVersionKind{})
	for {
		ev, err := d.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		fmt.Println(ev.Type, ev.Object.(*corev1.ConfigMap).Name)
	}
	// Output: ADDED a
}
