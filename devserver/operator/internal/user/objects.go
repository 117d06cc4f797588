package user

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	namespacePrefix = "dev-"
	// name is that of the Role, the RoleBinding, the ResourceQuota and the LimitRange of a user.
	name = "devserver-user"
	// flavorReader is a ClusterRole of the operator's manifest.
	flavorReader = "devserver-flavor-reader"
	// podSecurity is the level of Pod Security that is enforced in a user's namespace: what servers keep to.
	podSecurity = "restricted"
)

func namespaceOf(user *v1.DevServerUser) string { return namespacePrefix + user.Spec.Username }

func serviceAccountOf(user *v1.DevServerUser) string { return user.Spec.Username + "-sa" }

// part is one object that a user needs, and the field of the spec that asks for it.
type part struct {
	field  string
	object client.Object
	// foreign objects are outside the user's namespace, where others may have something of that name.
	foreign bool
}

// desired is all that a user needs, in the order in which it is made.
func desired(user *v1.DevServerUser) []part {
	in := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespaceOf(user), Name: name}
	}
	parts := []part{{field: "spec.username", object: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   namespaceOf(user),
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": podSecurity},
	}}}}
	if q := user.Spec.Quotas; q != nil && q.ResourceQuotaSpec != nil {
		parts = append(parts, part{field: "spec.quotas.resourceQuotaSpec", object: &corev1.ResourceQuota{ObjectMeta: in(name), Spec: *q.ResourceQuotaSpec}})
	}
	if q := user.Spec.Quotas; q != nil && q.LimitRangeSpec != nil {
		parts = append(parts, part{field: "spec.quotas.limitRangeSpec", object: &corev1.LimitRange{ObjectMeta: in(name), Spec: *q.LimitRangeSpec}})
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespaceOf(user), Name: serviceAccountOf(user)}}
	parts = append(
		parts,
		part{field: "spec.username", object: &corev1.ServiceAccount{ObjectMeta: in(serviceAccountOf(user))}},
		part{field: "spec.username", object: &rbacv1.Role{ObjectMeta: in(name), Rules: rules()}},
		part{field: "spec.username", object: &rbacv1.RoleBinding{
			ObjectMeta: in(name), Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		}},
		part{field: "spec.username", foreign: true, object: &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-" + user.Spec.Username}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: flavorReader},
		}},
	)
	if user.Spec.RBAC == nil {
		return parts
	}
	for i, ref := range user.Spec.RBAC.AdditionalRoleRefs {
		parts = append(parts, part{
			field:   fmt.Sprintf("spec.rbac.additionalRoleRefs[%d]", i),
			foreign: ref.Namespace != "" && ref.Namespace != namespaceOf(user),
			object:  additional(user, ref, subjects),
		})
	}
	return parts
}

// additional binds a role that the spec names. What a binding refers to cannot be changed, so its name depends on that.
func additional(user *v1.DevServerUser, ref v1.RoleRef, subjects []rbacv1.Subject) *rbacv1.RoleBinding {
	if ref.Kind == "" {
		ref.Kind = "Role"
	}
	namespace := ref.Namespace
	if namespace == "" {
		namespace = namespaceOf(user)
	}
	sum := sha256.Sum256([]byte(ref.Kind + "/" + ref.Name))
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-" + user.Spec.Username + "-" + hex.EncodeToString(sum[:5])},
		Subjects:   subjects,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: ref.Kind, Name: ref.Name},
	}
}

// rules are what a user may in their own namespace: all that package devserver and devctl do there, and nothing that
// would change what the user may, or bring out secrets.
func rules() []rbacv1.PolicyRule {
	rule := func(group string, resources []string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
	}
	return []rbacv1.PolicyRule{
		rule(v1.GroupVersion.Group, []string{"devservers"}, "get", "list", "watch", "create", "update", "patch", "delete"),
		rule(v1.GroupVersion.Group, []string{"devservers/status"}, "get"),
		rule("", []string{"pods"}, "get", "list", "watch"),
		rule("", []string{"pods/log"}, "get"),
		rule("", []string{"pods/exec", "pods/attach", "pods/portforward"}, "create", "get"), // before Kubernetes 1.35 a WebSocket needed get
		rule("", []string{"persistentvolumeclaims"}, "get", "list", "watch", "create", "delete"),
		rule("", []string{"events"}, "get", "list", "watch"),
		rule("events.k8s.io", []string{"events"}, "get", "list", "watch"),
		rule("", []string{"resourcequotas", "limitranges"}, "get", "list", "watch"),
	}
}
