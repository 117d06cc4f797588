// Package codectest makes objects of every built-in type with arbitrary content, for tests that hold a decoder against
// the one it replaces.
package codectest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionv1beta1 "k8s.io/api/admission/v1beta1"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apidiscoveryv2beta1 "k8s.io/api/apidiscovery/v2beta1"
	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Kind is a built-in kind.
type Kind struct {
	GVK  schema.GroupVersionKind
	Type reflect.Type // a struct
}

// New returns an empty object.
func (k Kind) New() runtime.Object {
	obj, err := all.New(k.GVK)
	if err != nil {
		panic(err) // the kind is from this very scheme
	}
	return obj
}

// all has client-go's kinds, those groups of k8s.io/api that it leaves out, and metadata-only objects.
var all = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, admissionv1.AddToScheme, admissionv1beta1.AddToScheme, imagepolicyv1alpha1.AddToScheme,
		apidiscoveryv2.AddToScheme, apidiscoveryv2beta1.AddToScheme, metav1.AddMetaToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

// Kinds returns every kind of k8s.io/api and the kinds of apimachinery that are on the wire, each Go type once, always
// in the same order.
func Kinds() []Kind {
	byType := map[reflect.Type]schema.GroupVersionKind{}
	for gvk, t := range all.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal {
			continue
		}
		if other, ok := byType[t]; !ok || gvk.String() < other.String() {
			byType[t] = gvk
		}
	}
	var kinds []Kind
	for t, gvk := range byType {
		kinds = append(kinds, Kind{gvk, t})
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return cmp.Compare(a.GVK.String(), b.GVK.String()) })
	return kinds
}

// Filler fills objects with content that depends on its random source alone.
type Filler struct {
	*rand.Rand
	// Size is the most elements that a slice or a map gets.
	Size int
	// Absent is how many out of 100 optional values stay away.
	Absent int
	// MaxDepth ends types that hold themselves.
	MaxDepth int
}

// NewFiller returns a Filler for a seed.
func NewFiller(seed uint64) *Filler {
	r := rand.New(rand.NewPCG(seed, 1))
	return &Filler{Rand: r, Size: 1 + r.IntN(3), Absent: r.IntN(100), MaxDepth: 20}
}

// Fill fills what obj, a pointer, points to. Type metadata is left empty: protobuf messages do not carry it.
func (f *Filler) Fill(obj any) { f.fill(reflect.ValueOf(obj).Elem(), 0) }

var quantities = []string{"0", "100m", "1", "256Mi", "1500Ki", "0.5", "1e3", "12E", "-3", "1.5Gi", "123456789012345678901234567890", "7n", "1025Ki"}

// special fills the types that are not the sum of their fields, and tells whether v was one.
func (f *Filler) special(v reflect.Value) bool {
	switch p := v.Addr().Interface().(type) {
	case *metav1.TypeMeta:
	case *metav1.Time:
		if f.IntN(4) > 0 {
			p.Time = time.Unix(f.Int64N(1<<33), 0)
		}
	case *metav1.MicroTime:
		if f.IntN(4) > 0 {
			p.Time = time.UnixMicro(f.Int64N(1 << 53))
		}
	case *resource.Quantity:
		*p = resource.MustParse(quantities[f.IntN(len(quantities))])
	case *metav1.FieldsV1:
		p.SetRawBytes([]byte(fmt.Sprintf(`{"f:%s":{}}`, f.text())))
	case *runtime.RawExtension:
		p.Raw = []byte(fmt.Sprintf(`{"kind":%q,"n":%d}`, f.text(), f.Int32()))
	default:
		return false
	}
	return true
}

func (f *Filler) fill(v reflect.Value, depth int) {
	if v.CanAddr() && f.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(f.integer(v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(f.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.integer(64)) / 8)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		if f.present(depth) {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if f.present(depth) {
			v.Set(reflect.MakeSlice(v.Type(), f.IntN(f.Size+1), f.Size))
			for i := range v.Len() {
				f.fill(v.Index(i), depth+1)
			}
		}
	case reflect.Map:
		if f.present(depth) {
			v.Set(reflect.MakeMap(v.Type()))
			for range f.IntN(f.Size + 1) {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				f.fill(key, depth+1)
				f.fill(value, depth+1)
				v.SetMapIndex(key, value)
			}
		}
	}
}

func (f *Filler) present(depth int) bool { return depth < f.MaxDepth && f.IntN(100) >= f.Absent }

func (f *Filler) integer(bits int) int64 {
	v := int64(f.Uint64()) >> (64 - bits)
	return v >> f.IntN(bits)
}

var alphabet = []rune("abcdefghijklmnopqrstuvwxyz0123456789-./ \"\\<é世😀\n\x00")

func (f *Filler) text() string {
	length := f.IntN(12)
	if f.IntN(20) == 0 {
		length = f.IntN(600)
	}
	runes := make([]rune, length)
	for i := range runes {
		runes[i] = alphabet[f.IntN(len(alphabet))]
	}
	return string(runes)
}
