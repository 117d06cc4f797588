package fastproto

import (
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk/internal/codec/codectest"
)

type generated interface {
	Message
	Marshal() ([]byte, error)
}

// kinds are the built-in kinds that can be protobuf. TableOptions has a field that is not on the wire, and is left to
// its generated method: it never is a body.
func kinds() []codectest.Kind {
	var with []codectest.Kind
	for _, k := range codectest.Kinds() {
		if _, ok := k.New().(generated); ok && k.GVK.Kind != "TableOptions" {
			with = append(with, k)
		}
	}
	return with
}

// checkEqual decodes data in both ways. It returns whether the plan was enough.
func checkEqual(t *testing.T, typ reflect.Type, data []byte) bool {
	t.Helper()
	want, got := reflect.New(typ), reflect.New(typ)
	wantErr := want.Interface().(Message).Unmarshal(data)
	gotErr := Unmarshal(data, got.Interface().(Message))
	if (wantErr == nil) != (gotErr == nil) {
		t.Fatalf("%v: generated: %v, fast: %v\n%x", typ, wantErr, gotErr, data)
	}
	if wantErr == nil && !reflect.DeepEqual(want.Interface(), got.Interface()) {
		t.Fatalf("%v: %s\n%x", typ, cmp.Diff(want.Interface(), got.Interface()), data)
	}
	p := planFor(typ)
	if p == nil {
		return false
	}
	_, enough := fast(p, reflect.New(typ).UnsafePointer(), data)
	if enough && wantErr != nil {
		t.Fatalf("%v: the plan took what the generated method refuses: %v\n%x", typ, wantErr, data)
	}
	return enough
}

// Every built-in type has a plan, and the plan is enough for whatever the generated methods write.
func TestEveryType(t *testing.T) {
	t.Parallel()
	all := kinds()
	if len(all) < 340 {
		t.Fatalf("only %d kinds", len(all))
	}
	for _, k := range all {
		t.Run(k.GVK.String(), func(t *testing.T) {
			t.Parallel()
			if planFor(k.Type) == nil {
				t.Fatalf("no plan for %v", k.Type)
			}
			for seed := range uint64(20) {
				if data := filled(t, k, seed); !checkEqual(t, k.Type, data) {
					t.Fatalf("the plan was not enough for seed %d", seed)
				}
			}
		})
	}
}

func filled(t testing.TB, k codectest.Kind, seed uint64) []byte {
	t.Helper()
	obj := k.New()
	codectest.NewFiller(seed).Fill(obj)
	data, err := obj.(generated).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Nothing of the type is missing in the plan: a full object comes back whole.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		filler := codectest.NewFiller(7)
		filler.Absent, filler.Size = 0, 2
		obj := k.New()
		filler.Fill(obj)
		data, err := obj.(generated).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !checkEqual(t, k.Type, data) {
			t.Errorf("%v: the plan was not enough", k.GVK)
		}
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		data := filled(t, k, 3)
		for cut := 0; cut < len(data); cut += 1 + len(data)/200 {
			checkEqual(t, k.Type, data[:cut])
		}
	}
}

// The object must not change with the buffer that it was decoded from.
func TestUnmarshalKeepsNothing(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		data := filled(t, k, 11)
		got, want := k.New(), k.New()
		if err := Unmarshal(data, got.(Message)); err != nil {
			t.Fatal(err)
		}
		if err := Unmarshal(append([]byte(nil), data...), want.(Message)); err != nil {
			t.Fatal(err)
		}
		clear(data)
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%v holds on to the message", k.GVK)
		}
	}
}

func TestErrorSaysWhere(t *testing.T) {
	t.Parallel()
	data, err := (&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}, Spec: corev1.PodSpec{NodeName: "node"}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	err = Unmarshal(data[:len(data)-1], &corev1.Pod{})
	if !errors.Is(err, io.ErrUnexpectedEOF) || err.Error()[:8] != "at byte " {
		t.Errorf("got %v", err)
	}
}

// custom is not from a module that the tests hold against its generated methods.
type custom struct {
	Name string `protobuf:"bytes,1,opt,name=name"`
}

func (c *custom) Reset()                      { *c = custom{} }
func (c *custom) Unmarshal(data []byte) error { c.Name += "own " + string(data); return nil }

func TestUnknownTypeIsLeftToItsMethod(t *testing.T) {
	t.Parallel()
	c := &custom{}
	if err := Unmarshal([]byte("data"), c); err != nil || c.Name != "own data" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// FuzzUnmarshal feeds arbitrary bytes to arbitrary types.
func FuzzUnmarshal(f *testing.F) {
	all := kinds()
	for i := range all {
		if i%9 == 0 {
			f.Add(uint16(i), filled(f, all[i], uint64(i)))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		checkEqual(t, all[int(kind)%len(all)].Type, data)
	})
}

// FuzzChanged fills an object and then changes the message in ways that stay near to what is valid: bytes changed,
// parts repeated, moved and left out, unknown fields put in.
func FuzzChanged(f *testing.F) {
	all := kinds()
	f.Add(uint16(0), uint64(0), []byte{})
	f.Add(uint16(40), uint64(1), []byte{0, 3, 200})
	f.Add(uint16(90), uint64(2), []byte{1, 0, 9, 2, 9, 4, 3, 1, 1})
	f.Fuzz(func(t *testing.T, kind uint16, seed uint64, changes []byte) {
		k := all[int(kind)%len(all)]
		data := filled(t, k, seed)
		for ; len(changes) >= 3 && len(data) > 0 && len(data) < 1<<16; changes = changes[3:] {
			at := (int(changes[1])<<8 | int(changes[2])) % len(data)
			data = change(data, at, changes[0])
		}
		checkEqual(t, k.Type, data)
	})
}

var inserts = [][]byte{
	{0xf8, 0x7f, 1}, {0x08, 1}, {0x0a, 0}, {0x12, 1, 'x'}, {0xfa, 0x7f, 2, 1, 2}, {0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8},
	{0xfd, 0x7f, 1, 2, 3, 4}, {0xfb, 0x7f, 0x08, 1, 0xfc, 0x7f}, {0xfc, 0x7f}, {0}, {0x80}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
	{0x88, 0x80, 0x80, 0x80, 0x80, 0x01, 5}, {0x8a, 0x80, 0x00, 0x00},
}

func change(data []byte, at int, how byte) []byte {
	switch how % 5 {
	case 0: // one byte
		data[at] ^= 1 << (how / 5 % 8)
		return data
	case 1: // a part again
		end := min(len(data), at+1+int(how))
		return append(data[:end:end], append(append([]byte(nil), data[at:end]...), data[end:]...)...)
	case 2: // the whole again, as the same message in two parts
		return append(data, data...)
	case 3: // without a part
		return append(data[:at:at], data[min(len(data), at+1+int(how/5)):]...)
	default:
		return append(data[:at:at], append(append([]byte(nil), inserts[int(how/5)%len(inserts)]...), data[at:]...)...)
	}
}
