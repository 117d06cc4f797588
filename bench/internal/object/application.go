package object

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ApplicationKind is the custom resource of the benchmarks.
var ApplicationKind = schema.GroupVersionKind{Group: "bench.kubesdk.dev", Version: "v1", Kind: "Application"}

// ApplicationPlural is its name in URLs.
const ApplicationPlural = "applications"

// Application is a custom resource such as platform teams write: what runs, where, and how it is.
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ApplicationSpec   `json:"spec"`
	Status ApplicationStatus `json:"status,omitempty"`
}

// ApplicationSpec says what runs.
type ApplicationSpec struct {
	Owner      string            `json:"owner"`
	Tier       string            `json:"tier,omitempty"`
	Replicas   *int32            `json:"replicas,omitempty"`
	Settings   map[string]string `json:"settings,omitempty"`
	Components []Component       `json:"components,omitempty"`
	Routes     []Route           `json:"routes,omitempty"`
}

// Component is one part of an [Application].
type Component struct {
	Name      string            `json:"name"`
	Image     string            `json:"image"`
	Args      []string          `json:"args,omitempty"`
	Port      int32             `json:"port,omitempty"`
	Env       []Variable        `json:"env,omitempty"`
	Resources map[string]string `json:"resources,omitempty"`
}

// Variable is one of a [Component]'s environment.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Route leads from a host name to a [Component].
type Route struct {
	Host      string   `json:"host"`
	Paths     []string `json:"paths,omitempty"`
	Component string   `json:"component"`
	Weight    int64    `json:"weight,omitempty"`
}

// ApplicationStatus says how it is.
type ApplicationStatus struct {
	Phase              string             `json:"phase,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// ApplicationList is what controller-runtime's client lists into.
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Application `json:"items"`
}

// KubeType tells kubesdk the kind, as generated types do.
func (*Application) KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool) {
	return ApplicationKind, ApplicationPlural, true
}

// NewApplication is an Application of about 3 KB of JSON.
func NewApplication(namespace, name string) *Application {
	a := &Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: ApplicationKind.GroupVersion().String(), Kind: ApplicationKind.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: appLabels(name), Annotations: annotations()},
		Spec: ApplicationSpec{
			Owner: "team-checkout", Tier: "gold", Replicas: ptr[int32](3),
			Settings: map[string]string{"region": "eu-central-1", "currency": "EUR", "feature.cart-v2": "true", "log.level": "info"},
			Routes: []Route{
				{Host: name + ".example.com", Paths: []string{"/", "/assets"}, Component: "server", Weight: 90},
				{Host: name + ".example.com", Paths: []string{"/"}, Component: "canary", Weight: 10},
			},
		},
	}
	for i, component := range []string{"server", "canary"} {
		c := Component{
			Name: component, Image: "registry.example.com/shop/" + component + ":4.17.3", Port: 8080 + int32(i),
			Args: []string{"--log-format=json", "--config=/etc/shop/config.yaml"}, Resources: map[string]string{"cpu": "250m", "memory": "256Mi"},
		}
		for v := range 8 {
			c.Env = append(c.Env, Variable{Name: fmt.Sprintf("SHOP_SETTING_%02d", v), Value: fmt.Sprintf("value-of-setting-%02d", v)})
		}
		a.Spec.Components = append(a.Spec.Components, c)
	}
	at := metav1.NewTime(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC))
	a.Status = ApplicationStatus{Phase: "Running", ObservedGeneration: 1}
	for _, condition := range []string{"Ready", "Synced", "RoutesProgrammed"} {
		a.Status.Conditions = append(a.Status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: at, Reason: "AsWanted", Message: "everything is as the spec wants it",
		})
	}
	return a
}

// DeepCopyObject makes Application a runtime.Object.
func (a *Application) DeepCopyObject() runtime.Object {
	c := *a
	a.DeepCopyInto(&c.ObjectMeta)
	c.Spec.Settings = copyMap(a.Spec.Settings)
	c.Spec.Components = nil
	for _, component := range a.Spec.Components {
		component.Args = append([]string(nil), component.Args...)
		component.Env = append([]Variable(nil), component.Env...)
		component.Resources = copyMap(component.Resources)
		c.Spec.Components = append(c.Spec.Components, component)
	}
	c.Spec.Routes = nil
	for _, route := range a.Spec.Routes {
		route.Paths = append([]string(nil), route.Paths...)
		c.Spec.Routes = append(c.Spec.Routes, route)
	}
	if a.Spec.Replicas != nil {
		c.Spec.Replicas = ptr(*a.Spec.Replicas)
	}
	c.Status.Conditions = append([]metav1.Condition(nil), a.Status.Conditions...)
	return &c
}

// DeepCopyObject makes ApplicationList a runtime.Object.
func (l *ApplicationList) DeepCopyObject() runtime.Object {
	c := *l
	c.Items = nil
	for i := range l.Items {
		c.Items = append(c.Items, *l.Items[i].DeepCopyObject().(*Application)) //nolint:forcetypeassert // it is what its own method returns
	}
	return &c
}

func copyMap(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	c := make(map[string]string, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
