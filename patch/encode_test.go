package patch

import (
	"encoding/json"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/internal/jsontype"
	"github.com/kubesdk/kubesdk/patch/internal/randobj"
)

// Values are written as encoding/json writes them. (But for a nil []byte in a map, which is written as no bytes: TestNoBytes.)
func TestWriteLikeEncodingJSON(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		m := randobj.New(seed)
		m.Loose, m.Nulls = true, true
		for _, obj := range []any{&corev1.Pod{}, &corev1.Node{}, &networkingv1.Ingress{}, &corev1.Service{}, new(any), &shapes{}} {
			m.Fill(obj)
			want, err := json.Marshal(obj)
			if err != nil {
				t.Fatal(err)
			}
			w := writer{}
			w.value(jsontype.Of(reflect.TypeOf(obj)), reflect.ValueOf(obj))
			if w.err != nil {
				t.Fatal(w.err)
			}
			var a, b any
			if err := kjson.UnmarshalCaseSensitivePreserveInts(want, &a); err != nil {
				t.Fatal(err)
			}
			if err := kjson.UnmarshalCaseSensitivePreserveInts(w.buf, &b); err != nil {
				t.Fatalf("seed %d: %v: %s", seed, err, w.buf)
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d:\n got %s\nwant %s", seed, w.buf, want)
			}
		}
	}
}

// shapes are what encoding/json has rules for.
type shapes struct {
	Quoted   int64           `json:"quoted,string"`
	QuotedP  *int32          `json:"quotedP,omitempty,string"`
	Keys     map[int]string  `json:"keys,omitempty"`
	Array    [2]bool         `json:"array"`
	Bytes    []byte          `json:"bytes"`
	Floats   []float64       `json:"floats,omitempty"`
	Deep     **string        `json:"deep,omitempty"`
	Iface    any             `json:"iface,omitempty"`
	Zero     struct{ A int } `json:"zero,omitzero"`
	Ignored  string          `json:"-"`
	Untagged string
	embedded
	*Pointed
	runtime.TypeMeta `json:",inline"`
	Shadowed         string `json:"shadow"`
}

type embedded struct {
	Inner    string `json:"inner"`
	Shadowed string `json:"shadow"`
	Tied     string `json:"tied"`
}

// Pointed is embedded by pointer.
type Pointed struct {
	Far  string `json:"far"`
	Tied string `json:"tied"`
}
