package customresource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/patch"
)

// Object is one object of a custom resource, and the base for types that add methods to it. It comes from a [Collection];
// its zero value is only data, and its methods that call the server return a [*ConfigError].
//
// An Object is not safe for concurrent use: its methods change it. Each leaves it as it was where it returns an error.
type Object[Spec, Status any] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   Spec   `json:"spec"`
	Status Status `json:"status,omitempty,omitzero"`

	home Collection[Spec, Status]
	// seen is the object as the server last gave it: what Update sends the difference to.
	seen *Object[Spec, Status]
}

// Refresh reads the object again. It returns [kubesdk.ErrNotFound] if it is gone, or if another one has its name now.
func (o *Object[Spec, Status]) Refresh(ctx context.Context, opts ...kubesdk.GetOption) error {
	r, err := o.resource("refresh")
	if err != nil {
		return err
	}
	fresh, err := r.Get(ctx, o.Name, opts...)
	if err != nil {
		return o.home.explain(err)
	}
	if o.UID != "" && fresh.UID != o.UID {
		return fmt.Errorf("refresh %s %s: deleted, and another object has its name now: %w", o.home.kind.Kind, o.Name, kubesdk.ErrNotFound)
	}
	o.become(fresh)
	return nil
}

// Update sends what was changed in the object since the server last gave it, apart from the status, which belongs to the
// kind's controller. Nothing that others changed meanwhile is overwritten, unless it is the same field. If nothing was
// changed, nothing is sent.
func (o *Object[Spec, Status]) Update(ctx context.Context, opts ...kubesdk.UpdateOption) error {
	r, err := o.resource("update")
	if err != nil {
		return err
	}
	updated, err := r.Update(ctx, o, append([]kubesdk.UpdateOption{kubesdk.From(o.seen)}, opts...)...)
	if err != nil {
		return o.home.explain(err)
	}
	o.become(updated)
	return nil
}

// Patch sends a patch, such as patch.Merge(map[string]any{"spec": ...}), and takes over what the server made of it.
// Changes of the object that were not sent with Update are lost.
func (o *Object[Spec, Status]) Patch(ctx context.Context, p patch.Patch, opts ...kubesdk.PatchOption) error {
	r, err := o.resource("patch")
	if err != nil {
		return err
	}
	patched, err := r.Patch(ctx, o.Name, p, opts...)
	if err != nil {
		return o.home.explain(err)
	}
	o.become(patched)
	return nil
}

// Delete asks for the end of the object: of this one, not of another that has its name by now.
func (o *Object[Spec, Status]) Delete(ctx context.Context, opts ...kubesdk.DeleteOption) error {
	r, err := o.resource("delete")
	if err != nil {
		return err
	}
	if o.UID != "" {
		uid := o.UID
		opts = append([]kubesdk.DeleteOption{kubesdk.Preconditions(metav1.Preconditions{UID: &uid})}, opts...)
	}
	return o.home.explain(r.Delete(ctx, o.Name, opts...))
}

// resource is the handle for the object's own namespace.
func (o *Object[Spec, Status]) resource(verb string) (kubesdk.Resource[*Object[Spec, Status]], error) {
	if o.home.kind.Kind == "" {
		return o.home.objects, &ConfigError{
			Problem: fmt.Sprintf("%s %q: this object comes from no cluster", verb, o.Name),
			Advice:  "get or create it through a customresource.Collection",
		}
	}
	return o.home.objects.Namespace(o.ObjectMeta.Namespace), nil
}

// become takes over another object's content.
func (o *Object[Spec, Status]) become(other *Object[Spec, Status]) {
	home := o.home
	*o = *other
	o.home, o.seen = home, other.copyData()
}

// copyData is a deep copy without the ties to a server.
func (o *Object[Spec, Status]) copyData() *Object[Spec, Status] {
	c := &Object[Spec, Status]{TypeMeta: o.TypeMeta}
	o.ObjectMeta.DeepCopyInto(&c.ObjectMeta)
	copyInto(&o.Spec, &c.Spec)
	copyInto(&o.Status, &c.Status)
	return c
}

// DeepCopyObject makes Object a runtime.Object. Specs and statuses that have a DeepCopyInto method, as generated types do,
// are copied with it; others through JSON. It panics on values that JSON cannot hold, such as channels.
func (o *Object[Spec, Status]) DeepCopyObject() runtime.Object {
	if o == nil {
		return nil
	}
	c := o.copyData()
	c.home, c.seen = o.home, o.seen
	return c
}

func copyInto[T any](from, to *T) {
	if d, ok := any(from).(interface{ DeepCopyInto(*T) }); ok {
		d.DeepCopyInto(to)
		return
	}
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		panic(fmt.Sprintf("customresource: %T cannot be copied: %v", *from, err))
	}
}

var errNoName = errors.New("the name is empty")
