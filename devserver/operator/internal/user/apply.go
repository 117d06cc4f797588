package user

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

func metadata(apiVersion, kind string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}}
}

// apply makes one object what the user needs it to be, by server-side apply.
func (r *Reconciler) apply(ctx context.Context, user *v1.DevServerUser, p part) error {
	gvk, err := apiutil.GVKForObject(p.object, r.Client.Scheme())
	if err != nil {
		return err
	}
	if p.foreign {
		there := metadata(gvk.GroupVersion().String(), gvk.Kind)
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(p.object), there)
		switch {
		case client.IgnoreNotFound(err) != nil:
			return err
		case err == nil && !belongs(there, user):
			return &problem{v1.UserFailed, reasonTaken, fmt.Errorf("there is a %s %s that is not the user's: delete it", gvk.Kind, there.Name)}
		}
	}
	labels := p.object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1.LabelUser] = user.Spec.Username
	labels["app.kubernetes.io/managed-by"] = "devserver-operator"
	p.object.SetLabels(labels)
	if err := controllerutil.SetControllerReference(user, p.object, r.Client.Scheme()); err != nil {
		return err
	}
	u, err := partial(p.object, gvk)
	if err != nil {
		return err
	}
	config := client.ApplyConfigurationFromUnstructured(u)
	err = r.Client.Apply(ctx, config, fieldManager, client.ForceOwnership)
	if isBinding(p.object) && apierrors.IsInvalid(err) {
		// Someone has put another binding in its place, and what a binding refers to cannot be changed.
		if err := r.Client.Delete(ctx, p.object); client.IgnoreNotFound(err) != nil {
			return err
		}
		err = r.Client.Apply(ctx, config, fieldManager, client.ForceOwnership)
	}
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "attempting to grant") {
		return fmt.Errorf("the operator may not bind this role, see additionalRoles of its chart: %w", err)
	}
	return err
}

func isBinding(obj client.Object) bool {
	switch obj.(type) {
	case *rbacv1.RoleBinding, *rbacv1.ClusterRoleBinding:
		return true
	}
	return false
}

// partial is the object with only the fields that we have an opinion on.
func partial(obj client.Object, gvk schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	return u, nil
}

// prune deletes what the spec asked for earlier and does not any more.
func (r *Reconciler) prune(ctx context.Context, user *v1.DevServerUser, wanted []part) error {
	type key struct {
		kind string
		client.ObjectKey
	}
	keep := map[key]bool{}
	for _, p := range wanted {
		gvk, err := apiutil.GVKForObject(p.object, r.Client.Scheme())
		if err != nil {
			return err
		}
		keep[key{gvk.Kind, client.ObjectKeyFromObject(p.object)}] = true
	}
	for _, gvk := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("ResourceQuota"), corev1.SchemeGroupVersion.WithKind("LimitRange"),
		rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
	} {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := r.Client.List(ctx, &list, client.MatchingLabels{v1.LabelUser: user.Spec.Username}); err != nil {
			return err
		}
		for i := range list.Items {
			obj := &list.Items[i]
			obj.SetGroupVersionKind(gvk)
			if keep[key{gvk.Kind, client.ObjectKeyFromObject(obj)}] || !belongs(obj, user) {
				continue
			}
			if err := r.Client.Delete(ctx, obj, client.Preconditions{UID: &obj.UID}); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete %s %s, which the spec does not ask for any more: %w", gvk.Kind, obj.Name, err)
			}
		}
	}
	return nil
}
