package server

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	klabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// Indexes of the cache: what a reconcile reads must not depend on how many servers there are.
const (
	indexServer   = "server"   // pods, by the server that they are of
	indexFlavor   = "flavor"   // servers, by flavor
	indexClaim    = "claim"    // servers, by the claims that they name
	indexInvolved = "involved" // events, by what they are about
)

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Cached says what of the cluster's objects the reconciler needs in the cache: the rest is not read.
func Cached() map[client.Object]cache.ByObject {
	ours, err := klabels.NewRequirement(devserverv1.LabelServer, selection.Exists, nil)
	if err != nil {
		panic(err) // of constants
	}
	selector := cache.ByObject{Label: klabels.NewSelector().Add(*ours)}
	return map[client.Object]cache.ByObject{
		&corev1.Pod{}:         selector,
		&corev1.Service{}:     selector,
		&appsv1.StatefulSet{}: selector,
		&corev1.Event{}:       {Field: fields.Set{"reason": "FailedCreate", "involvedObject.kind": "StatefulSet"}.AsSelector()},
	}
}

// SetupWithManager makes a manager run the reconciler, for up to so many servers at a time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, atOnce int) error {
	r.client, r.reader = mgr.GetClient(), mgr.GetAPIReader()
	r.recorder = mgr.GetEventRecorder(Manager)
	if err := index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := count(mgr); err != nil {
		return err
	}
	ofServer := handler.EnqueueRequestsFromMapFunc(byLabel)
	return ctrl.NewControllerManagedBy(mgr).
		Named("devserver").
		For(&devserverv1.DevServer{}).
		Watches(&appsv1.StatefulSet{}, ofServer).
		Watches(&corev1.Service{}, ofServer).
		Watches(&corev1.Pod{}, ofServer).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(r.byClaim)).
		Watches(&corev1.Event{}, handler.EnqueueRequestsFromMapFunc(byInvolved)).
		Watches(&devserverv1.DevServerFlavor{}, handler.EnqueueRequestsFromMapFunc(r.byFlavor), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: atOnce,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
}

func index(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &corev1.Pod{}, indexServer, func(obj client.Object) []string {
		return []string{obj.GetLabels()[devserverv1.LabelServer]}
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &corev1.Event{}, indexInvolved, func(obj client.Object) []string {
		if e, ok := obj.(*corev1.Event); ok {
			return []string{e.InvolvedObject.Name}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &devserverv1.DevServer{}, indexFlavor, func(obj client.Object) []string {
		if s, ok := obj.(*devserverv1.DevServer); ok {
			return []string{s.Spec.Flavor}
		}
		return nil
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &devserverv1.DevServer{}, indexClaim, func(obj client.Object) []string {
		var names []string
		if s, ok := obj.(*devserverv1.DevServer); ok {
			for _, v := range s.Spec.Volumes {
				if !slices.Contains(names, v.ClaimName) {
					names = append(names, v.ClaimName)
				}
			}
		}
		return names
	})
}

func request(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}

// byLabel is the server that a child is of. It goes by the label, not the owner: what a deleted server leaves stands in the
// way of the next one of that name.
func byLabel(_ context.Context, obj client.Object) []reconcile.Request {
	if name := obj.GetLabels()[devserverv1.LabelServer]; name != "" {
		return []reconcile.Request{request(obj.GetNamespace(), name)}
	}
	return nil
}

func byInvolved(_ context.Context, obj client.Object) []reconcile.Request {
	if e, ok := obj.(*corev1.Event); ok {
		return []reconcile.Request{request(e.Namespace, e.InvolvedObject.Name)}
	}
	return nil
}

// byClaim is the server whose home a claim is, and those that name it or whose flavor does.
func (r *Reconciler) byClaim(ctx context.Context, obj client.Object) []reconcile.Request {
	requests := byLabel(ctx, obj)
	requests = append(requests, r.servers(ctx, client.InNamespace(obj.GetNamespace()), client.MatchingFields{indexClaim: obj.GetName()})...)
	var flavors devserverv1.DevServerFlavorList
	if err := r.client.List(ctx, &flavors); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list flavors of a claim", "claim", client.ObjectKeyFromObject(obj))
		return requests
	}
	for _, f := range flavors.Items {
		if slices.ContainsFunc(f.Spec.Volumes, func(v devserverv1.VolumeSpec) bool { return v.ClaimName == obj.GetName() }) {
			requests = append(requests, r.servers(ctx, client.InNamespace(obj.GetNamespace()), client.MatchingFields{indexFlavor: f.Name})...)
		}
	}
	return requests
}

func (r *Reconciler) byFlavor(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.servers(ctx, client.MatchingFields{indexFlavor: obj.GetName()})
}

func (r *Reconciler) servers(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var list devserverv1.DevServerList
	if err := r.client.List(ctx, &list, opts...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list servers")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i] = request(list.Items[i].Namespace, list.Items[i].Name)
	}
	return requests
}
