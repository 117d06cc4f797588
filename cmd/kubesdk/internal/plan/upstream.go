package plan

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// upstreamTypes are the Go types behind definitions of the built-in APIs' documents, by definition name. A
// server that publishes such a definition encodes with this very type, so that it loses nothing by
// construction, as long as the linked version knows all of the definition's fields.
var upstreamTypes = func() map[string]reflect.Type {
	out := map[string]reflect.Type{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			add(t.Elem())
			return
		}
		name := componentName(t)
		if name == "" || out[name] != nil {
			return
		}
		out[name] = t
		if t.Kind() == reflect.Struct {
			for f := range t.Fields() {
				add(f.Type)
			}
		}
	}
	for _, t := range []reflect.Type{
		reflect.TypeFor[corev1.PodTemplateSpec](), reflect.TypeFor[corev1.PersistentVolumeClaim](), reflect.TypeFor[corev1.PersistentVolumeSpec](),
		reflect.TypeFor[corev1.NodeSelector](), reflect.TypeFor[corev1.ObjectReference](), reflect.TypeFor[corev1.TopologySelectorTerm](),
		reflect.TypeFor[corev1.EventSource](), reflect.TypeFor[corev1.Toleration](), reflect.TypeFor[corev1.TypedLocalObjectReference](),
		reflect.TypeFor[metav1.ObjectMeta](), reflect.TypeFor[metav1.ListMeta](), reflect.TypeFor[metav1.LabelSelector](),
		reflect.TypeFor[metav1.Condition](), reflect.TypeFor[metav1.Duration](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[metav1.Status](),
		reflect.TypeFor[metav1.DeleteOptions](), reflect.TypeFor[metav1.GroupVersionForDiscovery](), reflect.TypeFor[metav1.FieldSelectorRequirement](),
		reflect.TypeFor[metav1.LabelSelectorRequirement](), reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString](), reflect.TypeFor[runtime.RawExtension](),
	} {
		add(t)
	}
	return out
}()

// componentName returns the name under which a Go type of Kubernetes is published: "k8s.io/api/core/v1".Pod as
// "io.k8s.api.core.v1.Pod".
func componentName(t reflect.Type) string {
	rest, ok := strings.CutPrefix(t.PkgPath(), "k8s.io/")
	if !ok || t.Name() == "" {
		return ""
	}
	return "io.k8s." + strings.ReplaceAll(rest, "/", ".") + "." + t.Name()
}

// upstreamComponent returns the upstream type for a definition, or nil where the definition is to be
// generated: because it belongs to the package that is being generated, or has fields that the linked type
// does not.
func upstreamComponent(component string, props *schema.Props, kind *schema.Kind) *Ref {
	t := upstreamTypes[component]
	if t == nil || props == nil || kind.CustomResource {
		return nil
	}
	group := kind.Group
	if group == "" {
		group = "core"
	}
	if t.PkgPath() == "k8s.io/api/"+group+"/"+kind.Version {
		return nil
	}
	for name := range props.Properties {
		if !hasField(t, name) {
			return nil
		}
	}
	ref := &Ref{Kind: External, Import: t.PkgPath(), Name: t.Name()}
	ref.Shallow = t.Kind() != reflect.Struct
	return ref
}

// hasField tells whether a struct has a field with the JSON name.
func hasField(t reflect.Type, name string) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == name || f.Anonymous && tag == "" && hasField(f.Type, name) {
			return true
		}
	}
	return false
}
