package patch_test

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Widget is a custom resource with the shapes that generated and hand-written types have.
type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              WidgetSpec   `json:"spec"`
	Status            WidgetStatus `json:"status,omitempty"`
}

// WidgetSpec has every kind of field.
type WidgetSpec struct {
	Size       int32                           `json:"size"`
	Ratio      float64                         `json:"ratio,omitempty"`
	Counted    uint8                           `json:"counted,omitempty"`
	Enabled    *bool                           `json:"enabled,omitempty"`
	Mode       Mode                            `json:"mode,omitempty"`
	Parts      []Part                          `json:"parts,omitempty"`
	Required   []Part                          `json:"required"`
	Pointers   []*Part                         `json:"pointers,omitempty"`
	Rules      []Rule                          `json:"rules,omitempty"`
	Tags       []string                        `json:"tags,omitempty"`
	Numbers    []int64                         `json:"numbers"`
	Matrix     [][]string                      `json:"matrix,omitempty"`
	Limits     map[string]resource.Quantity    `json:"limits,omitempty"`
	ByName     map[string]Part                 `json:"byName,omitempty"`
	ByPointer  map[string]*Part                `json:"byPointer,omitempty"`
	Lists      map[string][]string             `json:"lists,omitempty"`
	Nested     map[Mode]map[string]int64       `json:"nested"`
	Bytes      []byte                          `json:"bytes,omitempty"`
	Blobs      map[string][]byte               `json:"blobs,omitempty"`
	Port       intstr.IntOrString              `json:"port,omitempty"`
	MaybePort  *intstr.IntOrString             `json:"maybePort,omitempty"`
	Quantities []resource.Quantity             `json:"quantities,omitempty"`
	Since      metav1.Time                     `json:"since,omitempty"`
	Until      *metav1.MicroTime               `json:"until,omitempty"`
	Raw        runtime.RawExtension            `json:"raw,omitempty"`
	MaybeRaw   *runtime.RawExtension           `json:"maybeRaw,omitempty"`
	RawList    []runtime.RawExtension          `json:"rawList,omitempty"`
	RawMap     map[string]runtime.RawExtension `json:"rawMap,omitempty"`
	Any        map[string]any                  `json:"any,omitempty"`
	Selector   *metav1.LabelSelector           `json:"selector,omitempty"`
	Child      *WidgetSpec                     `json:"child,omitempty"`
	Zero       metav1.Duration                 `json:"zero,omitzero"`
	Quoted     int64                           `json:"quoted,string"`
	Maybe      *int32                          `json:"maybe,omitempty,string"`
	Shared     `json:",inline"`
}

// Mode is a string of its own.
type Mode string

// Shared is inlined.
type Shared struct {
	Note  string            `json:"note,omitempty"`
	Extra map[string]string `json:"extra,omitempty"`
}

// Part has a name.
type Part struct {
	Name  string   `json:"name"`
	Image string   `json:"image,omitempty"`
	Sub   []Rule   `json:"sub,omitempty"`
	Args  []string `json:"args,omitempty"`
}

// Rule has nothing that identifies it.
type Rule struct {
	Host  string                       `json:"host,omitempty"`
	Paths []string                     `json:"paths,omitempty"`
	Max   map[string]resource.Quantity `json:"max,omitempty"`
	Count int                          `json:"count"`
}

// WidgetStatus is what the server's part is.
type WidgetStatus struct {
	Phase      string             `json:"phase,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
