package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	// retryRefused is how often a StatefulSet is reminded of a pod that the API server refused. Its controller waits up to
	// a quarter of an hour otherwise, however soon there is room.
	retryRefused    = 10 * time.Second
	annotationRetry = "devserver.io/retried-at"
	// lookAgain is how often something is looked at of whose end no event may tell.
	lookAgain = 30 * time.Second
)

// Reconciler of DevServers. SetupWithManager makes it ready.
type Reconciler struct {
	Defaults
	TimeToLive time.Duration // of servers that say nothing; 0: for ever
	Resync     time.Duration // the longest that a server with an end is not looked at: the clock may be set

	client   client.Client
	reader   client.Reader // past the cache
	recorder events.EventRecorder
}

//+kubebuilder:rbac:groups=devserver.io,resources=devservers,verbs=list;watch;patch;delete
//+kubebuilder:rbac:groups=devserver.io,resources=devservers/status,verbs=patch
//+kubebuilder:rbac:groups=devserver.io,resources=devservers/finalizers,verbs=update
//+kubebuilder:rbac:groups=devserver.io,resources=devserverflavors,verbs=list;watch
//+kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch;create;patch
//+kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
//+kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch
//+kubebuilder:rbac:groups="",resources=pods,verbs=list;watch;delete
//+kubebuilder:rbac:groups="",resources=events,verbs=list;watch
//+kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile makes one DevServer true.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s := &devserverv1.DevServer{}
	if err := r.client.Get(ctx, req.NamespacedName, s); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	now := time.Now()
	if s.DeletionTimestamp != nil {
		next := s.Status.DeepCopy()
		next.Phase, next.Reason, next.Message = devserverv1.PhaseTerminating, devserverv1.ReasonDeleting, "being deleted"
		return ctrl.Result{}, r.writeStatus(ctx, s, next)
	}
	status := resume(s, now)
	if e := lifetimeOf(s, status, r.TimeToLive, now).next(); e.isSet() && !now.Before(e.at) {
		if err := r.end(ctx, s, status, e); err != nil || e.action == devserverv1.EndActionDelete {
			return ctrl.Result{}, ignoreOutdated(err)
		}
	}
	o, err := r.observe(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	problems, err := r.converge(ctx, s, o)
	if err != nil {
		return ctrl.Result{}, ignoreOutdated(err)
	}
	next := statusOf(s, status, o, problems, r.TimeToLive, now)
	r.announce(s, next)
	if err := r.writeStatus(ctx, s, next); err != nil {
		return ctrl.Result{}, err
	}
	retry, err := r.remind(ctx, o, next, now)
	return ctrl.Result{RequeueAfter: soonest(retry, r.wake(s, next, problems, now))}, err
}

// ignoreOutdated takes a conflict for what it is: the object changed, and the change is on its way through the watch.
func ignoreOutdated(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// end stops or deletes a server whose time is over, unless it has changed meanwhile: it may have got more time.
func (r *Reconciler) end(ctx context.Context, s *devserverv1.DevServer, status *devserverv1.DevServerStatus, e ending) error {
	if e.action == devserverv1.EndActionDelete {
		err := r.client.Delete(ctx, s, client.Preconditions{UID: new(s.UID), ResourceVersion: new(s.ResourceVersion)})
		if err == nil {
			r.event(s, corev1.EventTypeWarning, e.reason, "deleted, as "+e.why)
		}
		return err
	}
	before := s.DeepCopy()
	s.Spec.Running = new(false)
	if err := r.client.Patch(ctx, s, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(Manager)); err != nil {
		return err
	}
	r.event(s, corev1.EventTypeWarning, e.reason, "stopped, as "+e.why)
	status.Reason, status.Message, status.StartedAt = e.reason, "stopped, as "+e.why, nil
	return nil
}

// observe reads all that a server's state depends on, from the cache.
func (r *Reconciler) observe(ctx context.Context, s *devserverv1.DevServer) (*observed, error) {
	o := &observed{
		claims: map[string]bool{}, home: &corev1.PersistentVolumeClaim{}, service: &corev1.Service{}, workload: &appsv1.StatefulSet{},
	}
	get := func(name string, obj client.Object) (bool, error) {
		err := r.client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, obj)
		return err == nil, client.IgnoreNotFound(err)
	}
	flavor := &devserverv1.DevServerFlavor{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: s.Spec.Flavor}, flavor); err == nil {
		o.flavor = flavor
	} else if !apierrors.IsNotFound(err) {
		return nil, err
	}
	for _, v := range slices.Concat(flavor.Spec.Volumes, s.Spec.Volumes) {
		if _, ok := o.claims[v.ClaimName]; ok {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{}
		found, err := get(v.ClaimName, claim)
		if err != nil {
			return nil, err
		}
		o.claims[v.ClaimName] = found
		o.unbound = append(o.unbound, unbound(claim)...)
	}
	for name, obj := range map[string]client.Object{homeName(s.Name): o.home, serviceName(s.Name): o.service, s.Name: o.workload} {
		if _, err := get(name, obj); err != nil {
			return nil, err
		}
	}
	o.unbound = append(o.unbound, unbound(o.home)...)
	var err error
	if o.pods, err = r.pods(ctx, s); err != nil {
		return nil, err
	}
	if o.workload.Name == "" && slices.ContainsFunc(o.pods, func(p *corev1.Pod) bool { return controllerUID(p) != "" }) {
		// Its labels may be gone, and with them its place in the cache.
		if err := r.reader.Get(ctx, client.ObjectKeyFromObject(s), o.workload); client.IgnoreNotFound(err) != nil {
			return nil, err
		}
	}
	if o.workload.Name != "" && len(o.pods) < int(wanted(s)) {
		o.refusal, err = r.refused(ctx, s, o.workload)
	}
	return o, err
}

// unbound describes a claim that waits for a volume.
func unbound(claim *corev1.PersistentVolumeClaim) []string {
	switch class := claim.Spec.StorageClassName; {
	case claim.Status.Phase != corev1.ClaimPending:
		return nil
	case class == nil || *class == "":
		return []string{claim.Name + " (of no storage class)"}
	default:
		return []string{fmt.Sprintf("%s (of storage class %s)", claim.Name, *class)}
	}
}

// pods of a server, by number.
func (r *Reconciler) pods(ctx context.Context, s *devserverv1.DevServer) ([]*corev1.Pod, error) {
	var list corev1.PodList
	if err := r.client.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingFields{indexServer: s.Name}); err != nil {
		return nil, err
	}
	pods := make([]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		pods[i] = &list.Items[i]
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return number(a) - number(b) })
	return pods, nil
}

func number(p *corev1.Pod) int {
	n, err := strconv.Atoi(p.Name[strings.LastIndexByte(p.Name, '-')+1:])
	if err != nil {
		return -1
	}
	return n
}

// refused is the last event of the StatefulSet's controller on a pod that it could not make, since the server was started.
func (r *Reconciler) refused(ctx context.Context, s *devserverv1.DevServer, set *appsv1.StatefulSet) (*corev1.Event, error) {
	var list corev1.EventList
	if err := r.client.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingFields{indexInvolved: set.Name}); err != nil {
		return nil, err
	}
	var last *corev1.Event
	for i := range list.Items {
		e := &list.Items[i]
		outdated := e.InvolvedObject.UID != set.UID ||
			s.Status.StartedAt != nil && eventTime(e).Before(s.Status.StartedAt.Time) ||
			s.Status.ResumedAt != nil && eventTime(e).Before(s.Status.ResumedAt.Time)
		if !outdated && (last == nil || eventTime(e).After(eventTime(last))) {
			last = e
		}
	}
	return last, nil
}

func eventTime(e *corev1.Event) time.Time {
	latest := e.LastTimestamp.Time
	for _, t := range []time.Time{e.EventTime.Time, e.CreationTimestamp.Time} {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

// remind makes the StatefulSet's controller try again to make a pod that was refused.
func (r *Reconciler) remind(ctx context.Context, o *observed, status *devserverv1.DevServerStatus, now time.Time) (time.Duration, error) {
	if o.refusal == nil || o.workload.Name == "" || status.Phase == devserverv1.PhaseRunning {
		return 0, nil
	}
	last := eventTime(o.refusal)
	if said, err := time.Parse(time.RFC3339, o.workload.Annotations[annotationRetry]); err == nil && said.After(last) {
		last = said
	}
	if wait := retryRefused - now.Sub(last); wait > 0 {
		return wait, nil
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, annotationRetry, now.UTC().Format(time.RFC3339))
	err := r.client.Patch(ctx, o.workload, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner(Manager))
	return retryRefused, ignoreOutdated(err)
}

// wake is when to look at a server again without being told.
func (r *Reconciler) wake(s *devserverv1.DevServer, status *devserverv1.DevServerStatus, problems []problem, now time.Time) time.Duration {
	life := lifetimeOf(s, status, r.TimeToLive, now)
	wait := life.wake(now)
	if life.next().isSet() {
		wait = soonest(wait, r.Resync)
	}
	for _, p := range problems {
		switch p.reason {
		case devserverv1.ReasonPreviousServer, devserverv1.ReasonNameTaken, devserverv1.ReasonRefused, devserverv1.ReasonQuotaExceeded:
			wait = soonest(wait, lookAgain)
		}
	}
	return wait
}

// soonest is the shorter of two waits, of which 0 is none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// writeStatus writes a status that differs from the one there, unless the server has changed since it was read.
func (r *Reconciler) writeStatus(ctx context.Context, s *devserverv1.DevServer, next *devserverv1.DevServerStatus) error {
	if equality.Semantic.DeepEqual(&s.Status, next) {
		return nil
	}
	before := s.DeepCopy()
	s.Status = *next
	err := r.client.Status().Patch(ctx, s, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(Manager))
	if err = ignoreOutdated(err); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}
