package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	fieldManager = client.FieldOwner("devserver-operator-user")
	byUsername   = "spec.username"

	// retryAfter is when a user that failed is looked at again: what it lacks may come without an event that is watched.
	retryAfter = time.Minute
)

// Reconciler makes the cluster what DevServerUsers ask for. Set its fields, then call SetupWithManager.
//
// The operator needs the verb bind on all roles, since a spec may name any: whoever may create DevServerUsers may give out
// any role, so that is for administrators. The chart can leave that out; bind on the two roles that every user gets stays.
// The verb escalate is for the one Role that the operator writes itself.
type Reconciler struct {
	// Client reads from the manager's cache, and writes.
	Client client.Client
	// Live reads from the API server: whose a namespace is must not be judged by what was.
	Live client.Reader
}

// SetupWithManager makes the manager run the reconciler. Of what belongs to users only the metadata is kept in memory.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	r.Client, r.Live = mgr.GetClient(), mgr.GetAPIReader()
	index := func(o client.Object) []string {
		if u, ok := o.(*v1.DevServerUser); ok {
			return []string{u.Spec.Username}
		}
		return nil
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1.DevServerUser{}, byUsername, index); err != nil {
		return fmt.Errorf("index DevServerUsers: %w", err)
	}
	b := ctrl.NewControllerManagedBy(mgr).Named("devserveruser").For(&v1.DevServerUser{}).
		Watches(&v1.DevServerUser{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.requests(ctx, index(o)...)
		})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.requests(ctx, r.usersOf(ctx, o.GetName())...)
		}), builder.OnlyMetadata)
	for _, owned := range []client.Object{
		&corev1.ServiceAccount{}, &corev1.ResourceQuota{}, &corev1.LimitRange{},
		&rbacv1.Role{}, &rbacv1.RoleBinding{}, &rbacv1.ClusterRoleBinding{},
	} {
		b = b.Owns(owned, builder.OnlyMetadata)
	}
	return b.Complete(r)
}

// usersOf is whom a namespace concerns: whose it is by its name, and who have a role there.
func (r *Reconciler) usersOf(ctx context.Context, namespace string) []string {
	var usernames []string
	if username, ok := strings.CutPrefix(namespace, namespacePrefix); ok {
		usernames = append(usernames, username)
	}
	var users v1.DevServerUserList
	if err := r.Client.List(ctx, &users); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "look for users with a role in a namespace", "namespace", namespace)
	}
	for _, u := range users.Items {
		if u.Spec.RBAC != nil && slices.ContainsFunc(u.Spec.RBAC.AdditionalRoleRefs, func(ref v1.RoleRef) bool { return ref.Namespace == namespace }) {
			usernames = append(usernames, u.Spec.Username)
		}
	}
	return usernames
}

// requests is all DevServerUsers with these usernames.
func (r *Reconciler) requests(ctx context.Context, usernames ...string) []reconcile.Request {
	var requests []reconcile.Request
	for _, username := range usernames {
		users, err := r.named(ctx, username)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "look for users to reconcile", "username", username)
		}
		for _, u := range users {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: u.Name}})
		}
	}
	return requests
}

// named is all DevServerUsers with this username, the one that has it first.
func (r *Reconciler) named(ctx context.Context, username string) ([]v1.DevServerUser, error) {
	var users v1.DevServerUserList
	if err := r.Client.List(ctx, &users, client.MatchingFields{byUsername: username}); err != nil {
		return nil, err
	}
	slices.SortFunc(users.Items, func(a, b v1.DevServerUser) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(string(a.UID), string(b.UID))
	})
	return users.Items, nil
}

// problem is an error that the user's status tells, and how.
type problem struct {
	phase  v1.UserPhase
	reason string
	err    error
}

func (p *problem) Error() string { return p.err.Error() }

func (p *problem) Unwrap() error { return p.err }

// The reasons of the condition Ready.
const (
	reasonReady         = "Ready"
	reasonUsernameTaken = "UsernameTaken"
	reasonTaken         = "Taken"        // something that is not ours has the name of what the user needs
	reasonPreviousUser  = "PreviousUser" // what is left of a deleted user of that name is still ending
	reasonRefused       = "Refused"      // the API server refuses what the user needs
	reasonRetrying      = "Retrying"
	reasonDeleting      = "Deleting"
)

// +kubebuilder:rbac:groups=devserver.io,resources=devserverusers,verbs=list;watch
// +kubebuilder:rbac:groups=devserver.io,resources=devserverusers/status,verbs=patch
// +kubebuilder:rbac:groups=devserver.io,resources=devserverusers/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=resourcequotas;limitranges,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles,verbs=list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles,resourceNames=devserver-user,verbs=escalate
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=rolebindings;clusterrolebindings,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles,resourceNames=devserver-user,verbs=bind
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,resourceNames=devserver-flavor-reader,verbs=bind
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;clusterroles,verbs=bind

// Reconcile makes the cluster what one DevServerUser asks for, and says in its status what came of it.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var user v1.DevServerUser
	if err := r.Client.Get(ctx, req.NamespacedName, &user); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	err := r.provide(ctx, &user)
	if statusErr := r.report(ctx, &user, err); statusErr != nil {
		return reconcile.Result{}, errors.Join(err, fmt.Errorf("report the status: %w", statusErr))
	}
	var known *problem
	if errors.As(err, &known) { // the status tells; trying in a hurry would not help
		return reconcile.Result{RequeueAfter: retryAfter}, nil
	}
	return reconcile.Result{}, err
}

// provide makes what the user needs. Bounds come before rights: nobody works without the quota that was meant for them.
func (r *Reconciler) provide(ctx context.Context, user *v1.DevServerUser) error {
	if user.DeletionTimestamp != nil {
		return &problem{v1.UserTerminating, reasonDeleting, errors.New("what belongs to the user is being deleted")}
	}
	if err := r.checkUsername(ctx, user); err != nil {
		return err
	}
	if err := r.checkNamespace(ctx, user); err != nil {
		return err
	}
	wanted := desired(user)
	for _, part := range wanted {
		if err := r.apply(ctx, user, part); err != nil {
			return refused(part, err)
		}
	}
	return r.prune(ctx, user, wanted)
}

func (r *Reconciler) checkUsername(ctx context.Context, user *v1.DevServerUser) error {
	users, err := r.named(ctx, user.Spec.Username)
	if err != nil {
		return err
	}
	if len(users) > 0 && users[0].UID != user.UID {
		err := fmt.Errorf("spec.username: %q is that of DevServerUser %s already", user.Spec.Username, users[0].Name)
		return &problem{v1.UserFailed, reasonUsernameTaken, err}
	}
	return nil
}

// checkNamespace refuses to take over a namespace. One without a controller that has our label may be adopted: an
// administrator has labeled it, or deleted its DevServerUser and kept what it owned.
func (r *Reconciler) checkNamespace(ctx context.Context, user *v1.DevServerUser) error {
	ns := metadata("v1", "Namespace")
	err := r.Live.Get(ctx, types.NamespacedName{Name: namespaceOf(user)}, ns)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	owner := metav1.GetControllerOf(ns)
	switch {
	case ns.DeletionTimestamp != nil:
		return &problem{v1.UserPending, reasonPreviousUser, fmt.Errorf("namespace %s is still being deleted", ns.Name)}
	case owner != nil && owner.UID != user.UID && owner.Kind == "DevServerUser":
		return &problem{v1.UserPending, reasonPreviousUser, fmt.Errorf("namespace %s is still that of an earlier DevServerUser %s", ns.Name, owner.Name)}
	case !belongs(ns, user):
		err := fmt.Errorf("spec.username: namespace %s exists and is not a user's: delete it, or hand it over with: kubectl label namespace %s %s=%s",
			ns.Name, ns.Name, v1.LabelUser, user.Spec.Username)
		return &problem{v1.UserFailed, reasonTaken, err}
	}
	return nil
}

func belongs(obj client.Object, user *v1.DevServerUser) bool {
	if owner := metav1.GetControllerOf(obj); owner != nil {
		return owner.UID == user.UID
	}
	return obj.GetLabels()[v1.LabelUser] == user.Spec.Username
}

// refused tells what the API server will refuse again from what may go better next time.
func refused(part part, err error) error {
	err = fmt.Errorf("%s: %w", part.field, err)
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err) {
		return &problem{v1.UserFailed, reasonRefused, err}
	}
	return err
}

// report writes the status, if it has changed.
func (r *Reconciler) report(ctx context.Context, user *v1.DevServerUser, err error) error {
	before := user.DeepCopy()
	user.Status.ObservedGeneration = user.Generation
	user.Status.Namespace = namespaceOf(user)
	ready := metav1.Condition{Type: v1.ConditionReady, ObservedGeneration: user.Generation, Status: metav1.ConditionFalse}
	var known *problem
	switch {
	case err == nil:
		user.Status.Phase, ready.Reason, ready.Status = v1.UserReady, reasonReady, metav1.ConditionTrue
		ready.Message = fmt.Sprintf("namespace %s and service account %s are there", namespaceOf(user), serviceAccountOf(user))
	case errors.As(err, &known):
		user.Status.Phase, ready.Reason, ready.Message = known.phase, known.reason, known.Error()
	default:
		user.Status.Phase, ready.Reason, ready.Message = v1.UserPending, reasonRetrying, "will be tried again: "+err.Error()
	}
	if ready.Reason == reasonUsernameTaken || ready.Reason == reasonTaken {
		user.Status.Namespace = "" // it is someone else's
	}
	user.Status.Message = ready.Message
	meta.SetStatusCondition(&user.Status.Conditions, ready)
	if equality.Semantic.DeepEqual(before.Status, user.Status) {
		return nil
	}
	return client.IgnoreNotFound(r.Client.Status().Patch(ctx, user, client.MergeFrom(before), fieldManager))
}
