package flavor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	manager = "devserver-operator"

	reasonTwoDefaults = "TwoDefaults"
)

// Reconciler of DevServerFlavors. SetupWithManager makes it ready.
type Reconciler struct {
	Interval   time.Duration // how often to look when nothing tells of a change
	Autoscaled bool          // nodes are made on demand

	client client.Client
}

//+kubebuilder:rbac:groups=devserver.io,resources=devserverflavors,verbs=list;watch
//+kubebuilder:rbac:groups=devserver.io,resources=devserverflavors/status,verbs=patch
//+kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch

// Reconcile writes the status of one flavor.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	f := &devserverv1.DevServerFlavor{}
	if err := r.client.Get(ctx, req.NamespacedName, f); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	var flavors devserverv1.DevServerFlavorList
	if err := r.client.List(ctx, &flavors); err != nil {
		return ctrl.Result{}, err
	}
	var nodes corev1.NodeList
	if err := r.client.List(ctx, &nodes); err != nil {
		return ctrl.Result{}, err
	}
	before := f.DeepCopy()
	f.Status = statusOf(f, flavors.Items, nodes.Items, r.Autoscaled)
	if !equality.Semantic.DeepEqual(before.Status, f.Status) {
		err := r.client.Status().Patch(ctx, f, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(manager))
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) { // a change is on its way through the watch
			return ctrl.Result{}, fmt.Errorf("write the status: %w", err)
		}
	}
	return ctrl.Result{RequeueAfter: r.Interval}, nil
}

// statusOf is the status of a flavor among all flavors and nodes.
func statusOf(f *devserverv1.DevServerFlavor, all []devserverv1.DevServerFlavor, nodes []corev1.Node, autoscaled bool) devserverv1.DevServerFlavorStatus {
	status := *f.Status.DeepCopy()
	status.ObservedGeneration = f.Generation
	set := func(kind string, value metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: value, Reason: reason, Message: message, ObservedGeneration: f.Generation,
		})
	}
	var why string
	status.Schedulable, why = fit(f, nodes, autoscaled)
	if status.Schedulable == devserverv1.SchedulableYes {
		set(devserverv1.ConditionScheduled, metav1.ConditionTrue, "NodeFits", "a node fits") // which one changes too often
	} else {
		set(devserverv1.ConditionScheduled, metav1.ConditionFalse, "NoNodeFits", why)
	}
	if others := otherDefaults(f, all); len(others) > 0 {
		set(devserverv1.ConditionValid, metav1.ConditionFalse, reasonTwoDefaults,
			"spec.default: at most one flavor may be the default, and this is set by "+strings.Join(others, ", ")+" too")
	} else {
		set(devserverv1.ConditionValid, metav1.ConditionTrue, devserverv1.ReasonValid, "the flavor can be used")
	}
	return status
}

// otherDefaults are the names of the flavors that are the default beside f, sorted.
func otherDefaults(f *devserverv1.DevServerFlavor, all []devserverv1.DevServerFlavor) []string {
	if !f.Spec.Default {
		return nil
	}
	var names []string
	for i := range all {
		if all[i].Spec.Default && all[i].Name != f.Name && all[i].DeletionTimestamp == nil {
			names = append(names, all[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// SetupWithManager makes a manager run the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.client = mgr.GetClient()
	all := handler.EnqueueRequestsFromMapFunc(r.all)
	return ctrl.NewControllerManagedBy(mgr).
		Named("devserverflavor").
		For(&devserverv1.DevServerFlavor{}).
		Watches(&devserverv1.DevServerFlavor{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Node{}, all, builder.WithPredicates(predicate.Funcs{UpdateFunc: nodeChanged})).
		Complete(r)
}

// nodeChanged leaves out the reports that nodes send all the time.
func nodeChanged(e event.UpdateEvent) bool {
	before, ok1 := e.ObjectOld.(*corev1.Node)
	after, ok2 := e.ObjectNew.(*corev1.Node)
	return !ok1 || !ok2 || isReady(before) != isReady(after) ||
		!equality.Semantic.DeepEqual(before.Spec, after.Spec) ||
		!equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
		!equality.Semantic.DeepEqual(before.Status.Allocatable, after.Status.Allocatable)
}

// all flavors, as each may be about a node, or about another flavor.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var flavors devserverv1.DevServerFlavorList
	if err := r.client.List(ctx, &flavors); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list flavors")
		return nil
	}
	requests := make([]reconcile.Request, len(flavors.Items))
	for i := range flavors.Items {
		requests[i] = reconcile.Request{NamespacedName: types.NamespacedName{Name: flavors.Items[i].Name}}
	}
	return requests
}
