package fastjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubesdk/kubesdk/internal/codec/codectest"
)

// checkObject decodes data in both ways. It returns whether this package was enough.
func checkObject(t *testing.T, data []byte) bool {
	t.Helper()
	var want map[string]any
	wantErr := utiljson.Unmarshal(data, &want)
	got, gotErr := Object(data)
	if (wantErr == nil) != (gotErr == nil) {
		t.Fatalf("sigs.k8s.io/json: %v, fast: %v\n%q", wantErr, gotErr, data)
	}
	if wantErr == nil && !reflect.DeepEqual(want, got) {
		t.Fatalf("%s\n%q", cmp.Diff(want, got), data)
	}
	fast, enough := object(data)
	if enough && (wantErr != nil || !reflect.DeepEqual(want, fast)) {
		t.Fatalf("taken: %v, refused: %v\n%q", fast, wantErr, data)
	}
	return enough
}

func checkTyped(t *testing.T, typ reflect.Type, data []byte) bool {
	t.Helper()
	want, got, fast := reflect.New(typ), reflect.New(typ), reflect.New(typ)
	wantErr := utiljson.Unmarshal(data, want.Interface())
	gotErr := Unmarshal(data, got.Interface())
	if (wantErr == nil) != (gotErr == nil) {
		t.Fatalf("%v: sigs.k8s.io/json: %v, fast: %v\n%q", typ, wantErr, gotErr, data)
	}
	if wantErr == nil && !reflect.DeepEqual(want.Interface(), got.Interface()) {
		t.Fatalf("%v: %s\n%q", typ, cmp.Diff(want.Interface(), got.Interface()), data)
	}
	enough := unmarshal(data, fast.Interface())
	if enough && (wantErr != nil || !reflect.DeepEqual(want.Interface(), fast.Interface())) {
		t.Fatalf("%v: taken: %+v, refused: %v\n%q", typ, fast.Interface(), wantErr, data)
	}
	return enough
}

func TestObject(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		data   string
		enough bool
	}{
		{`{}`, true},
		{" {\n\t\"a\" :\r [ ] , \"b\" : { } } ", true},
		{`{"a":1,"b":-1,"c":0,"d":-0,"e":123456789012345678,"f":1234567890123456789,"g":-9223372036854775808,"h":9223372036854775807}`, true},
		{`{"a":9223372036854775808,"b":1.0,"c":1e3,"d":1E-2,"e":0.1,"f":-0.0,"g":1e400}`, false},
		{`{"a":9223372036854775808,"b":1.0,"c":1e3,"d":1E-2,"e":0.1,"f":-0.0}`, true},
		{`{"a":true,"b":false,"c":null,"d":"","e":[null,true,false,0,"x",[[]],{"y":{}}]}`, true},
		{`{"a":1,"b":2,"a":3}`, true},
		{`{"a":{"b":1},"a":{"c":2}}`, true},
		{`{"a":"\"\\\/\b\f\n\r\t\u00e9\u4e16\ud83d\ude00"}`, true},
		{`{"\u0061\"":"é世😀"}`, true},
		{`{"a":"\ud83d"}`, false},
		{`{"a":"\ude00\ud83d"}`, false},
		{`{"a":"\ud83dx"}`, false},
		{"{\"a\":\"\xff\"}", false},
		{"{\"\xc3\":1}", false},
		{"{\"a\":\"\x1f\"}", false},
		{`{"a":"\'"}`, false},
		{`{"a":"\u00g0"}`, false},
		{`{"a":"\`, false},
		{`{"a":"abcdefg\`, false},
		{`{"a":"abcdefghijklmnop`, false},
		{`{"a":01}`, false},
		{`{"a":1.}`, false},
		{`{"a":.5}`, false},
		{`{"a":+1}`, false},
		{`{"a":1e}`, false},
		{`{"a":-}`, false},
		{`{"a":tru}`, false},
		{`{"a":truex}`, false},
		{`{"a":nul`, false},
		{`{"a":1,}`, false},
		{`{"a":[1,]}`, false},
		{`{,}`, false},
		{`{"a"}`, false},
		{`{"a":}`, false},
		{`{a:1}`, false},
		{`{"a":1}}`, false},
		{`{"a":1} x`, false},
		{`null`, false},
		{`[]`, false},
		{``, false},
		{`{"a":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`, true},
		{`{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, false},
		{`{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, false},
		{`{"` + strings.Repeat("n", 300) + `":"` + strings.Repeat("v", 3000) + `"}`, true},
		{"{\"\x00\":1}", false},
		{"{\"a\":1\x00}", false},
	} {
		if got := checkObject(t, []byte(tc.data)); got != tc.enough {
			t.Errorf("%.80s: enough: %v", tc.data, got)
		}
	}
}

func TestObjectErrorIsTheOriginal(t *testing.T) {
	t.Parallel()
	_, err := Object([]byte(`{"a":1e400}`))
	var typeErr *json.UnmarshalTypeError
	if !errors.As(err, &typeErr) {
		t.Errorf("got %v", err)
	}
}

type (
	text    string
	textual struct{ S string }
	upper   struct{ s string }
	base    struct {
		Name string `json:"name"`
		N    int
	}
	hidden struct {
		Promoted string `json:"promoted"`
	}
	node struct {
		Next  *node           `json:"next,omitempty"`
		Nodes []node          `json:"nodes"`
		ByKey map[text]node   `json:"byKey"`
		Any   any             `json:"any"`
		Raw   json.RawMessage `json:"raw"`
	}
	everything struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		base
		hidden
		S          string            `json:"s"`
		T          text              `json:"t"`
		B          bool              `json:"b"`
		I          int               `json:"i"`
		I8         int8              `json:"i8"`
		I16        int16             `json:"i16"`
		I32        int32             `json:"i32"`
		I64        int64             `json:"i64"`
		U          uint              `json:"u"`
		U8         uint8             `json:"u8"`
		U16        uint16            `json:"u16"`
		U32        uint32            `json:"u32"`
		U64        uint64            `json:"u64"`
		F32        float32           `json:"f32"`
		F64        float64           `json:"f64"`
		PS         *string           `json:"ps"`
		PB         *bool             `json:"pb"`
		PI         *int32            `json:"pi"`
		PP         **int             `json:"pp"`
		Bytes      []byte            `json:"bytes"`
		Strings    []string          `json:"strings"`
		Ints       []int64           `json:"ints"`
		Array      [2]int            `json:"array"`
		Map        map[string]string `json:"map"`
		MapInt     map[string]int    `json:"mapInt"`
		MapNode    map[text]*node    `json:"mapNode"`
		ByInt      map[int]string    `json:"byInt"`
		ByText     map[upper]string  `json:"byText"`
		Node       node              `json:"node"`
		Any        any               `json:"any"`
		Object     runtime.Object    `json:"-"`
		Dash       string            `json:"-,"` //nolint:staticcheck // this is how a name "-" is written
		Number     json.Number       `json:"number"`
		Textual    textual           `json:"textual"`
		Upper      upper             `json:"upper"`
		PUpper     *upper            `json:"pupper"`
		Custom     custom            `json:"custom"`
		PCustom    *custom           `json:"pcustom"`
		Customs    []custom          `json:"customs"`
		StdTime    time.Time         `json:"stdTime"`
		Time       metav1.Time       `json:"time"`
		PTime      *metav1.Time      `json:"ptime"`
		Micro      metav1.MicroTime  `json:"micro"`
		Duration   metav1.Duration   `json:"duration"`
		Quantity   resource.Quantity `json:"quantity"`
		Quantities corev1.ResourceList
		IntOr      intstr.IntOrString   `json:"intOr"`
		Extension  runtime.RawExtension `json:"extension"`
		unexported string               //nolint:unused // JSON must not find it
	}
	quoted struct {
		N int    `json:"n,string"`
		S string `json:"s"`
	}
	shadow struct {
		base
		Name string `json:"name"`
	}
	embedsPointer struct {
		*base
		S string
	}
)

func (u *upper) UnmarshalText(b []byte) error {
	u.s = strings.ToUpper(string(b))
	return nil
}

// custom remembers what it was given.
type custom struct{ got string }

func (c *custom) UnmarshalJSON(b []byte) error {
	if string(b) == `"refuse"` {
		return errors.New("refused")
	}
	c.got += string(b)
	return nil
}

var ownTypes = []reflect.Type{
	reflect.TypeFor[everything](), reflect.TypeFor[node](), reflect.TypeFor[quoted](), reflect.TypeFor[shadow](),
	reflect.TypeFor[embedsPointer](), reflect.TypeFor[custom](), reflect.TypeFor[struct{ metav1.Time }](),
	reflect.TypeFor[map[string]everything](), reflect.TypeFor[[]string](), reflect.TypeFor[any](), reflect.TypeFor[metav1.Time](),
}

var typedCases = []string{
	`{}`,
	`null`,
	`{"s":"x","S":"y","t":"z","b":true,"i":-1,"i8":-128,"i16":32767,"i32":-2147483648,"i64":9223372036854775807,"u":1,"u8":255,"u16":65535,"u32":4294967295,"u64":18446744073709551615,"f32":1.5,"f64":-1e-300}`,
	`{"kind":"K","apiVersion":"v1","metadata":{"name":"a","labels":{"x":"y"},"creationTimestamp":"2026-01-02T03:04:05Z","managedFields":[{"fieldsV1":{"f:a":{}}}]},"name":"b","N":1,"n":2,"promoted":"c"}`,
	`{"s":null,"b":null,"i":null,"ps":null,"pi":null,"pp":null,"bytes":null,"strings":null,"map":null,"node":null,"any":null,"custom":null,"pcustom":null,"time":null,"ptime":null,"quantity":null,"upper":null,"array":null,"extension":null,"intOr":null,"mapInt":{"a":null},"customs":[null],"Quantities":{"cpu":null}}`,
	`{"ps":"x","pb":false,"pi":3,"pp":4,"bytes":"aGVsbG8=","strings":["a","","b"],"ints":[],"array":[1,2,3],"map":{"a":"b","c":null,"a":"d"},"mapInt":{"a":1},"mapNode":{"x":{"next":{}},"y":null},"byInt":{"1":"a"},"byText":{"k":"v"}}`,
	`{"node":{"next":{"next":{"nodes":[{},{"byKey":{"k":{}}}]}},"any":{"a":[1,2.5,"x"]},"raw": {"keep" : 1} }}`,
	`{"-":"dash","Object":{"a":1},"number":12.50,"textual":{"s":1,"S":"x"},"upper":"abc","pupper":"def","custom":{"a":[1]},"pcustom":1,"customs":[1,"x",{}]}`,
	`{"stdTime":"2026-01-02T03:04:05.123Z","time":"2026-01-02T03:04:05+02:00","micro":"2026-01-02T03:04:05.000001Z","duration":"1h","quantity":"1500m","Quantities":{"cpu":"1","memory":1024,"x":" 5 "},"intOr":"50%","extension":{"a":1}}`,
	`{"quantity":1.5,"intOr":8080}`, `{"quantity":"1\u0030"}`, `{"quantity":true}`, `{"time":""}`, `{"time":"2026-01-02"}`, `{"time":5}`,
	`{"bytes":"a"}`, `{"bytes":[1,2]}`, `{"bytes":"aGVs\nbG8="}`,
	`{"i8":128}`, `{"i8":-129}`, `{"i32":2147483648}`, `{"u8":256}`, `{"u":-1}`, `{"i":1.0}`, `{"i":1e2}`, `{"i":"1"}`, `{"f32":1e39}`, `{"f64":"x"}`, `{"i":-0}`, `{"u":-0}`,
	`{"s":1}`, `{"s":true}`, `{"b":"true"}`, `{"b":1}`, `{"strings":"x"}`, `{"strings":{}}`, `{"map":[]}`, `{"map":{"a":1}}`, `{"node":[]}`, `{"node":"x"}`, `{"number":"x"}`, `{"number":"12"}`,
	`{"s":"a","s":"b"}`, `{"node":{"any":1},"node":{"raw":2}}`, `{"customs":[1,2],"customs":[3]}`, `{"custom":1,"custom":2}`,
	`{"custom":"refuse"}`, `{"unknown":{"a":[tru]}}`, `{"unknown":{"a":[true,"\u00e9"]},"s":"after"}`, `{"unexported":"x"}`,
	`{"n":"5","s":"x"}`, `{"n":5}`, `{"name":"shadowed","N":3}`, `{"S":"x","name":"y"}`,
	`["a","b"]`, `"2026-01-02T03:04:05Z"`, `{"Time":"2026-01-02T03:04:05Z"}`, `{"x":{"s":"y"}}`, `{"s":"x"`, `{"s":"x"}}`, ``, ` `,
}

func TestTyped(t *testing.T) {
	t.Parallel()
	for _, typ := range ownTypes {
		for _, data := range typedCases {
			checkTyped(t, typ, []byte(data))
		}
	}
}

// What a custom resource's type is made of must not be left to sigs.k8s.io/json.
func TestTypedIsEnough(t *testing.T) {
	t.Parallel()
	for i, data := range typedCases[:9] {
		if data == `null` || strings.Contains(data, `" 5 "`) {
			continue
		}
		if !checkTyped(t, ownTypes[0], []byte(data)) {
			t.Errorf("case %d was not: %s", i, data)
		}
	}
}

// Every built-in type comes back from JSON as sigs.k8s.io/json reads it.
func TestEveryType(t *testing.T) {
	t.Parallel()
	for _, k := range codectest.Kinds() {
		for seed := range uint64(5) {
			data, ok := encoded(k, seed)
			if !ok {
				continue
			}
			if !checkTyped(t, k.Type, data) {
				t.Errorf("%v: not enough for seed %d: %s", k.GVK, seed, data)
			}
			if !checkObject(t, data) {
				t.Errorf("%v: untyped: not enough for seed %d", k.GVK, seed)
			}
		}
	}
}

func encoded(k codectest.Kind, seed uint64) ([]byte, bool) {
	obj := k.New()
	codectest.NewFiller(seed).Fill(obj)
	data, err := json.Marshal(obj)
	return data, err == nil // a few types hold floats or times that JSON cannot have
}

func TestKeepsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range typedCases[2:9] {
		data := []byte(text)
		var got, want everything
		gotErr := Unmarshal(data, &got)
		object, objectErr := Object(data)
		clear(data)
		wantErr := Unmarshal([]byte(text), &want)
		wantObject, _ := Object([]byte(text))
		if gotErr != nil || wantErr != nil || objectErr != nil {
			t.Fatal(gotErr, wantErr, objectErr)
		}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(object, wantObject) {
			t.Errorf("holds on to %s", text)
		}
	}
}

func TestSpecialBytes(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 8 {
			b := []byte("abcdefgh")
			b[at] = byte(c)
			w := uint64(0)
			for i, x := range b {
				w |= uint64(x) << (8 * i)
			}
			want := c == '"' || c == '\\' || c < ' ' || c >= 0x80
			mark := special(w)
			if (mark != 0) != want || want && mark&-mark != 0x80<<(8*at) {
				t.Fatalf("byte %#x at %d: %#x", c, at, mark)
			}
		}
	}
}

func FuzzObject(f *testing.F) {
	for _, data := range typedCases {
		f.Add([]byte(data))
	}
	for i, k := range codectest.Kinds() {
		if data, ok := encoded(k, 1); ok && i%20 == 0 {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"a":[1,-2.5e+3,true,null,"\u00e9\ud83d\ude00"],"b":{"a":1,"a":2}}`))
	f.Fuzz(func(t *testing.T, data []byte) { checkObject(t, data) })
}

func FuzzTyped(f *testing.F) {
	for i := range ownTypes {
		for _, data := range typedCases {
			f.Add(uint16(i), []byte(data))
		}
	}
	types := ownTypes
	for i, k := range codectest.Kinds() {
		types = append(types, k.Type)
		if data, ok := encoded(k, uint64(i)); ok && i%20 == 0 {
			f.Add(uint16(len(types)-1), data)
		}
	}
	f.Fuzz(func(t *testing.T, typ uint16, data []byte) { checkTyped(t, types[int(typ)%len(types)], data) })
}
