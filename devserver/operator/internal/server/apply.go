package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// annotationApplied on a child is a digest of what was last applied to it. It tells when a field was taken out of the plan,
// which a comparison with the child cannot.
const annotationApplied = "devserver.io/applied"

// takenError reports that a child's name belongs to something that is not the server's.
type takenError struct{ belongs belonging }

func (e takenError) Error() string { return "there is one that is not the server's own" }

// ensure makes a child what the plan says, and writes only when it is not. live is the child in the cache, or a zero
// object when it has none; it becomes what the server answers.
func (r *Reconciler) ensure(ctx context.Context, s *devserverv1.DevServer, desired, live client.Object) error {
	want, err := applyConfiguration(desired)
	if err != nil {
		return fmt.Errorf("plan %T %s: %w", desired, desired.GetName(), err)
	}
	if live.GetName() != "" {
		if same, err := matches(want, live); err != nil || same {
			return err
		}
	} else if err := r.checkFree(ctx, s, desired); err != nil {
		return err
	}
	if err := r.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(want), client.FieldOwner(Manager), client.ForceOwnership); err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(want.Object, live)
}

// checkFree makes sure that nobody else has a child's name: the cache holds only what has the operator's labels, and apply
// would take over whatever it finds.
func (r *Reconciler) checkFree(ctx context.Context, s *devserverv1.DevServer, desired client.Object) error {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(desired.GetObjectKind().GroupVersionKind())
	switch err := r.reader.Get(ctx, client.ObjectKeyFromObject(desired), found); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	if b := belongs(s, found); b != own {
		return takenError{b}
	}
	return nil
}

// applyConfiguration is what is sent for a child: what the plan sets, its digest, and nothing else.
func applyConfiguration(desired client.Object) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	dropNulls(fields)
	encoded, err := json.Marshal(fields) // sorted by key
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(encoded)
	u := &unstructured.Unstructured{Object: fields}
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationApplied] = hex.EncodeToString(sum[:8])
	u.SetAnnotations(annotations)
	return u, nil
}

func dropNulls(fields map[string]any) {
	for name, value := range fields {
		switch value := value.(type) {
		case nil:
			delete(fields, name)
		case map[string]any:
			dropNulls(value)
		case []any:
			for _, item := range value {
				if m, ok := item.(map[string]any); ok {
					dropNulls(m)
				}
			}
		}
	}
}

// matches says whether a child has all that the plan sets, and was made from this plan.
func matches(want *unstructured.Unstructured, live client.Object) (bool, error) {
	if live.GetAnnotations()[annotationApplied] != want.GetAnnotations()[annotationApplied] {
		return false, nil
	}
	has, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false, err
	}
	fields := map[string]any{"metadata": want.Object["metadata"], "spec": want.Object["spec"]}
	return contains(has, fields), nil
}

// contains says whether has holds all of want: lists whole, maps at least.
func contains(has, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		has, ok := has.(map[string]any)
		if !ok {
			return len(want) == 0 && has == nil
		}
		for name, value := range want {
			if !contains(has[name], value) {
				return false
			}
		}
		return true
	case []any:
		has, ok := has.([]any)
		if !ok || len(has) != len(want) {
			return false
		}
		for i := range want {
			if !contains(has[i], want[i]) {
				return false
			}
		}
		return true
	}
	return has == want
}

// converge makes a server's children what they should be. What stands in the way of that is a problem, what may pass is
// an error.
func (r *Reconciler) converge(ctx context.Context, s *devserverv1.DevServer, o *observed) ([]problem, error) {
	if problems := check(s, o); len(problems) > 0 {
		return problems, r.stopAnyway(ctx, s, o)
	}
	c := plan(s, o.flavor, settled(s, o, r.Defaults))
	if c.home != nil {
		keepHome(s, c.home, o.home)
	}
	var problems []problem
	try := func(field string, desired, live client.Object) error {
		p, err := refusal(field, desired, r.ensure(ctx, s, desired, live))
		if p != nil {
			problems = append(problems, *p)
		}
		return err
	}
	if c.home != nil {
		if err := try("spec.persistentHome: ", c.home, o.home); err != nil {
			return nil, err
		}
	}
	if c.service != nil {
		if err := try("", c.service, o.service); err != nil {
			return nil, err
		}
	} else if err := r.remove(ctx, s, o.service); err != nil {
		return nil, err
	}
	if len(problems) > 0 && o.workload.Name == "" {
		return problems, nil // pods would wait for what is not there
	}
	if err := try("", c.workload, o.workload); err != nil {
		return nil, err
	}
	if err := r.stopAnyway(ctx, s, o); err != nil {
		return nil, err
	}
	return problems, r.replaceOutdated(ctx, o)
}

// settled is the defaults of a server that runs: if nothing but the operator's settings has changed, they are what they were
// when its pods were made. People's work is not ended by an upgrade of the operator; the next start takes the new ones.
func settled(s *devserverv1.DevServer, o *observed, d Defaults) Defaults {
	set := o.workload
	if !isRunning(s) || set.Name == "" || *set.Spec.Replicas == 0 {
		return d
	}
	old, template := d, set.Spec.Template.Spec
	if len(template.InitContainers) > 0 {
		old.AgentImage = template.InitContainers[0].Image
	}
	if len(template.Containers) > 0 && s.Spec.Image == "" {
		old.Image = template.Containers[0].Image
	}
	if old == d {
		return d
	}
	want, err := applyConfiguration(plan(s, o.flavor, old).workload)
	if err != nil {
		return d
	}
	if same, err := matches(want, set); err != nil || !same {
		return d
	}
	return old
}

// keepHome leaves alone what cannot be changed about a claim that is there, and what nobody asks to change: it may be of an
// earlier server of the name, or of earlier settings.
func keepHome(s *devserverv1.DevServer, want, has *corev1.PersistentVolumeClaim) {
	if has.Name == "" {
		return
	}
	want.Spec.AccessModes = has.Spec.AccessModes
	want.Spec.StorageClassName = has.Spec.StorageClassName
	if s.Spec.PersistentHome.Size == nil {
		want.Spec.Resources = has.Spec.Resources
	}
}

// refusal turns the API server's no to a child into a problem.
func refusal(field string, desired client.Object, err error) (*problem, error) {
	if err == nil {
		return nil, nil
	}
	what := fmt.Sprintf("%s%s %s", field, desired.GetObjectKind().GroupVersionKind().Kind, desired.GetName())
	var taken takenError
	switch ok := errors.As(err, &taken); {
	case ok && taken.belongs == leftover:
		return &problem{devserverv1.ReasonPreviousServer, what + beingDeleted}, nil
	case ok:
		return &problem{devserverv1.ReasonNameTaken, "metadata.name: the server needs a " + what + ", and there is one that is not its own"}, nil
	case isQuota(err):
		return &problem{devserverv1.ReasonQuotaExceeded, what + ": " + err.Error()}, nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil, nil // the server goes too
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return &problem{devserverv1.ReasonRefused, what + ": " + err.Error()}, nil
	}
	return nil, fmt.Errorf("apply %s: %w", what, err)
}

// stopAnyway takes the pods from a server that is meant to be stopped, whatever else is wrong with its spec.
func (r *Reconciler) stopAnyway(ctx context.Context, s *devserverv1.DevServer, o *observed) error {
	set := o.workload
	if isRunning(s) || set.Name == "" || belongs(s, set) != own || *set.Spec.Replicas == 0 {
		return nil
	}
	before := set.DeepCopy()
	set.Spec.Replicas = new(int32(0))
	return client.IgnoreNotFound(r.client.Patch(ctx, set, client.MergeFrom(before), client.FieldOwner(Manager)))
}

// remove deletes a child that the plan has no more.
func (r *Reconciler) remove(ctx context.Context, s *devserverv1.DevServer, obj client.Object) error {
	if obj.GetName() == "" || belongs(s, obj) != own {
		return nil
	}
	return client.IgnoreNotFound(r.client.Delete(ctx, obj, client.Preconditions{UID: new(obj.GetUID())}))
}

// replaceOutdated deletes pods that are not as their StatefulSet says now. It makes new ones.
func (r *Reconciler) replaceOutdated(ctx context.Context, o *observed) error {
	if o.workload.Name == "" || *o.workload.Spec.Replicas == 0 {
		return nil
	}
	for _, p := range outdated(o.workload, o.pods) {
		err := r.client.Delete(ctx, p, client.Preconditions{UID: new(p.UID)})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("replace pod %s: %w", p.Name, err)
		}
	}
	return nil
}
