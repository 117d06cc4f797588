package codec

import (
	"bytes"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/client-go/kubernetes/scheme"
	restwatch "k8s.io/client-go/rest/watch"
)

// codecs are client-go's serializers for the content type, as its typed clients use them.
func clientGo(b *testing.B, contentType string) kruntime.SerializerInfo {
	b.Helper()
	info, ok := kruntime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), contentType)
	if !ok {
		b.Fatal(contentType)
	}
	return info
}

// cpu reports the CPU time of all threads per operation, the garbage collector's included: what a user pays, also on a
// machine that does other things meanwhile.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	runtime.GC()
	b.ReportAllocs()
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkDecodeDeployment(b *testing.B) {
	for _, contentType := range []string{Protobuf, JSON} {
		body, err := Encode(largeDeployment(), deploymentKind, contentType)
		if err != nil {
			b.Fatal(err)
		}
		name := map[string]string{Protobuf: "protobuf", JSON: "json"}[contentType]
		b.Run(name+"/kubesdk", func(b *testing.B) {
			defer cpu(b)()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if err := Decode(body, contentType, &appsv1.Deployment{}, deploymentKind); err != nil {
					b.Fatal(err)
				}
			}
		})
		decoder := scheme.Codecs.WithoutConversion().DecoderToVersion(clientGo(b, contentType).Serializer, appsv1.SchemeGroupVersion)
		b.Run(name+"/client-go", func(b *testing.B) {
			defer cpu(b)()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, _, err := decoder.Decode(body, nil, &appsv1.Deployment{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeDeployment(b *testing.B) {
	d := largeDeployment()
	for _, contentType := range []string{Protobuf, JSON} {
		name := map[string]string{Protobuf: "protobuf", JSON: "json"}[contentType]
		b.Run(name+"/kubesdk", func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				if _, err := Encode(d, deploymentKind, contentType); err != nil {
					b.Fatal(err)
				}
			}
		})
		encoder := scheme.Codecs.WithoutConversion().EncoderForVersion(clientGo(b, contentType).Serializer, appsv1.SchemeGroupVersion)
		b.Run(name+"/client-go", func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				if _, err := kruntime.Encode(encoder, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkListPods(b *testing.B) {
	const n = 10000
	for _, contentType := range []string{Protobuf, JSON} {
		body := podList(b, n, contentType)
		name := map[string]string{Protobuf: "protobuf", JSON: "json"}[contentType]
		b.Run(name+"/kubesdk-streamed", func(b *testing.B) {
			defer cpu(b)()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				items := 0
				_, err := DecodeList(bytes.NewReader(body), contentType, newPod, podKind, func(kruntime.Object) bool {
					items++
					return true
				})
				if err != nil || items != n {
					b.Fatal(items, err)
				}
			}
		})
		decoder := scheme.Codecs.WithoutConversion().DecoderToVersion(clientGo(b, contentType).Serializer, corev1.SchemeGroupVersion)
		b.Run(name+"/client-go", func(b *testing.B) {
			defer cpu(b)()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				data, err := io.ReadAll(bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				list := &corev1.PodList{}
				if _, _, err := decoder.Decode(data, nil, list); err != nil || len(list.Items) != n {
					b.Fatal(err)
				}
			}
		})
	}
}

// widgets is what a typed client decodes a whole list into.
type widgets struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []widget `json:"items"`
}

func (w *widgets) DeepCopyObject() kruntime.Object { panic("not needed") }

func BenchmarkListWidgets(b *testing.B) {
	const n = 10000
	body := widgetList(n)
	for name, newItem := range map[string]func() kruntime.Object{"untyped": newUnstructured, "typed": newWidget} {
		b.Run(name+"/kubesdk-streamed", func(b *testing.B) {
			defer cpu(b)()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				items := 0
				_, err := DecodeList(bytes.NewReader(body), JSON, newItem, widgetKind, func(kruntime.Object) bool {
					items++
					return true
				})
				if err != nil || items != n {
					b.Fatal(items, err)
				}
			}
		})
	}
	b.Run("untyped/client-go", func(b *testing.B) {
		defer cpu(b)()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			data, err := io.ReadAll(bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			obj, _, err := unstructured.UnstructuredJSONScheme.Decode(data, nil, nil)
			if err != nil || len(obj.(*unstructured.UnstructuredList).Items) != n {
				b.Fatal(err)
			}
		}
	})
	// controller-runtime's client decodes with this serializer of apimachinery.
	s := kruntime.NewScheme()
	s.AddKnownTypeWithName(widgetKind.GroupVersion().WithKind("WidgetList"), &widgets{})
	serializer := kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, s, s, kjson.SerializerOptions{})
	b.Run("typed/apimachinery", func(b *testing.B) {
		defer cpu(b)()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			data, err := io.ReadAll(bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			list := &widgets{}
			if _, _, err := serializer.Decode(data, nil, list); err != nil || len(list.Items) != n {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWatchPods(b *testing.B) {
	const n = 1000
	for _, contentType := range []string{Protobuf, JSON} {
		stream := podEvents(b, n, contentType)
		name := map[string]string{Protobuf: "protobuf", JSON: "json"}[contentType]
		b.Run(name+"/kubesdk", func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				d := NewWatchDecoder(bytes.NewReader(stream), contentType, newPod, podKind)
				for range n {
					if _, err := d.Next(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		info := clientGo(b, contentType)
		codecs := scheme.Codecs.WithoutConversion()
		decoder := codecs.DecoderToVersion(info.Serializer, corev1.SchemeGroupVersion)
		b.Run(name+"/client-go", func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				frames := info.StreamSerializer.Framer.NewFrameReader(io.NopCloser(bytes.NewReader(stream)))
				events := restwatch.NewDecoder(streaming.NewDecoder(frames, info.StreamSerializer.Serializer), decoder)
				for range n {
					if _, _, err := events.Decode(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
