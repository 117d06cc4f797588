package emit

import (
	"fmt"
	"slices"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/plan"
)

// deepCopies prints the deep copy functions of all types, as deepcopy-gen would.
func deepCopies(p *plan.Package) string {
	f := newFile(p)
	runtime := f.use("k8s.io/apimachinery/pkg/runtime")
	object := func(name string) {
		f.printf("// DeepCopyObject returns a deep copy as runtime.Object.\nfunc (in *%s) DeepCopyObject() %s.Object {\nif c := in.DeepCopy(); c != nil {\nreturn c\n}\nreturn nil\n}\n\n", name, runtime)
	}
	for _, k := range p.Kinds {
		f.copyStruct(k.Type)
		object(k.Type.Name)
		list := &plan.Type{Name: k.ListName, Fields: []plan.Field{
			{Type: &plan.Ref{Kind: plan.External, Name: "ListMeta", Import: "k8s.io/apimachinery/pkg/apis/meta/v1"}},
			{Name: "Items", Type: &plan.Ref{Kind: plan.Slice, Elem: &plan.Ref{Kind: plan.Named, Type: k.Type}}},
		}}
		f.copyStruct(list)
		object(k.ListName)
	}
	for _, t := range p.Types {
		switch {
		case t.Form == plan.Struct:
			f.copyStruct(t)
		case t.Collection:
			f.copyCollection(t)
		}
	}
	return f.source()
}

func (f *file) copyStruct(t *plan.Type) {
	f.printf("// DeepCopyInto copies the receiver into out.\nfunc (in *%[1]s) DeepCopyInto(out *%[1]s) {\n*out = *in\n", t.Name)
	for _, field := range t.Fields {
		name := field.Name
		if name == "" {
			name = field.Type.Name
		}
		f.copyValue(field.Type, "out."+name, "in."+name, 0)
	}
	if t.Unknown {
		f.copyValue(&plan.Ref{Kind: plan.Map, Elem: &plan.Ref{Kind: plan.Support, Value: plan.ValueJSON}}, "out.AdditionalFields", "in.AdditionalFields", 0)
	}
	f.printf("}\n\n// DeepCopy returns a deep copy.\nfunc (in *%[1]s) DeepCopy() *%[1]s {\nif in == nil {\nreturn nil\n}\nout := new(%[1]s)\nin.DeepCopyInto(out)\nreturn out\n}\n\n", t.Name)
}

func (f *file) copyCollection(t *plan.Type) {
	f.printf("// DeepCopyInto copies the receiver into out.\nfunc (in %[1]s) DeepCopyInto(out *%[1]s) {\n*out = in\n", t.Name)
	f.copyValueAs(t.Base, t.Name, "*out", "in", 0)
	f.printf("}\n\n// DeepCopy returns a deep copy.\nfunc (in %[1]s) DeepCopy() %[1]s {\nif in == nil {\nreturn nil\n}\nvar out %[1]s\nin.DeepCopyInto(&out)\nreturn out\n}\n\n", t.Name)
}

// shallow tells whether assignment copies a value whole.
func shallow(r *plan.Ref) bool {
	switch r.Kind {
	case plan.Builtin:
		return true
	case plan.Support:
		return r.Value != plan.ValueJSON
	case plan.External:
		return r.Shallow || slices.Contains([]string{"IntOrString"}, r.Name)
	case plan.Named:
		return r.Type.Form == plan.Enum || r.Type.Form == plan.Defined && !r.Type.Collection && shallow(r.Type.Base)
	}
	return false
}

// copyValue prints the statements that make dst, which is a plain copy of src, a deep one.
func (f *file) copyValue(r *plan.Ref, dst, src string, depth int) {
	f.copyValueAs(r, "", dst, src, depth)
}

// copyValueAs is copyValue for a type that is declared under a name.
func (f *file) copyValueAs(r *plan.Ref, name, dst, src string, depth int) {
	if shallow(r) {
		return
	}
	if name == "" && (r.Kind == plan.Slice || r.Kind == plan.Map) {
		name = f.typ(r)
	}
	switch r.Kind {
	case plan.Pointer:
		f.printf("if %s != nil {\n%s = new(%s)\n", src, dst, f.typ(r.Elem))
		if shallow(r.Elem) {
			f.printf("*%s = *%s\n", dst, src)
		} else {
			f.printf("%s.DeepCopyInto(%s)\n", src, dst)
		}
		f.WriteString("}\n")
	case plan.Slice:
		f.printf("if %s != nil {\n%s = make(%s, len(%s))\n", src, dst, name, src)
		if shallow(r.Elem) {
			f.printf("copy(%s, %s)\n", dst, src)
		} else {
			i := fmt.Sprintf("i%d", depth)
			element := "(" + dst + ")[" + i + "]"
			f.printf("for %s := range %s {\n", i, src)
			f.copyValue(r.Elem, element, src+"["+i+"]", depth+1)
			f.WriteString("}\n")
		}
		f.WriteString("}\n")
	case plan.Map:
		f.printf("if %s != nil {\n%s = make(%s, len(%s))\n", src, dst, name, src)
		k, v, c := fmt.Sprintf("k%d", depth), fmt.Sprintf("v%d", depth), fmt.Sprintf("c%d", depth)
		f.printf("for %s, %s := range %s {\n", k, v, src)
		if shallow(r.Elem) {
			f.printf("(%s)[%s] = %s\n", dst, k, v)
		} else {
			f.printf("var %s %s\n", c, f.typ(r.Elem))
			f.copyValue(r.Elem, c, v, depth+1)
			f.printf("(%s)[%s] = %s\n", dst, k, c)
		}
		f.WriteString("}\n}\n")
	default:
		f.printf("%s.DeepCopyInto(&%s)\n", src, dst)
	}
}
