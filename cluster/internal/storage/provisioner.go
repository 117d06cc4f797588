// Package storage provisions volumes of the default StorageClass: each is a directory of this machine, made when a claim
// asks for it and removed when its claim is deleted.
//
// The volumes are of the type "local", not "hostPath", since the kubelet gives only the former to a pod's fsGroup.
package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const (
	// Provisioner is the name by which a StorageClass asks for this package's volumes.
	Provisioner = "localkube.kubesdk.io/directory"

	provisionedBy = "pv.kubernetes.io/provisioned-by"
	storageFor    = "volume.kubernetes.io/storage-provisioner"
	selectedNode  = "volume.kubernetes.io/selected-node"
)

// Controller provisions and removes volumes. Make it with [New] and call Run once.
type Controller struct {
	client  kubernetes.Interface
	dir     string
	node    string
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
	queue   workqueue.TypedRateLimitingInterface[item]
	factory informers.SharedInformerFactory
}

// item is a claim to provision a volume for or, without a namespace, a volume to remove.
type item struct{ namespace, name string }

// New makes a controller whose volumes are directories in dir, an absolute path on the node of that name.
func New(client kubernetes.Interface, dir, node string) *Controller {
	f := informers.NewSharedInformerFactory(client, 0)
	c := &Controller{
		client: client, dir: dir, node: node, factory: f,
		claims:  f.Core().V1().PersistentVolumeClaims().Lister(),
		volumes: f.Core().V1().PersistentVolumes().Lister(),
		classes: f.Storage().V1().StorageClasses().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](50*time.Millisecond, 10*time.Second)),
	}
	enqueue := func(o any) {
		if m, ok := o.(metav1.Object); ok {
			c.queue.Add(item{m.GetNamespace(), m.GetName()})
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: enqueue, UpdateFunc: func(_, o any) { enqueue(o) }}
	_, _ = f.Core().V1().PersistentVolumeClaims().Informer().AddEventHandler(handler)
	_, _ = f.Core().V1().PersistentVolumes().Informer().AddEventHandler(handler)
	return c
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o711); err != nil {
		return fmt.Errorf("make the directory of volumes: %w", err)
	}
	c.factory.StartWithContext(ctx)
	if err := c.factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
		return err
	}
	context.AfterFunc(ctx, c.queue.ShutDown)
	for {
		it, shutdown := c.queue.Get()
		if shutdown {
			return nil
		}
		if err := c.sync(ctx, it); err != nil {
			klog.ErrorS(err, "Will try again", "namespace", it.namespace, "name", it.name)
			c.queue.AddRateLimited(it)
		} else {
			c.queue.Forget(it)
		}
		c.queue.Done(it)
	}
}

func (c *Controller) sync(ctx context.Context, it item) error {
	if it.namespace == "" {
		volume, err := c.volumes.Get(it.name)
		if err != nil {
			return ignoreNotFound(err)
		}
		return c.reclaim(ctx, volume)
	}
	claim, err := c.claims.PersistentVolumeClaims(it.namespace).Get(it.name)
	if err != nil {
		return ignoreNotFound(err)
	}
	return c.provision(ctx, claim)
}

// provision makes a volume for a claim that waits for one of ours.
func (c *Controller) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil ||
		claim.Annotations[storageFor] != Provisioner || claim.Spec.StorageClassName == nil {
		return nil
	}
	class, err := c.classes.Get(*claim.Spec.StorageClassName)
	if err != nil {
		return ignoreNotFound(err)
	}
	if class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer &&
		claim.Annotations[selectedNode] == "" {
		return nil
	}
	volume := Volume(claim, class, c.dir, c.node)
	path := volume.Spec.Local.Path
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("make the directory of volume %s: %w", volume.Name, err)
	}
	// Pods of any user may write, which the umask would not let Mkdir say.
	if err := os.Chmod(path, 0o777); err != nil {
		return fmt.Errorf("open the directory of volume %s to every user: %w", volume.Name, err)
	}
	if _, err := c.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{}); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return fmt.Errorf("create volume %s: %w", volume.Name, err)
	}
	klog.InfoS("Provisioned", "volume", volume.Name, "claim", klog.KObj(claim))
	return nil
}

// Volume is the one to make for the claim.
func Volume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, dir, node string) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	mode := corev1.PersistentVolumeFilesystem
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			MountOptions:                  class.MountOptions,
			VolumeMode:                    &mode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(dir, name)},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
				}}}},
			}},
		},
	}
}

// reclaim removes a volume of ours that was released and is to be deleted.
func (c *Controller) reclaim(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Annotations[provisionedBy] != Provisioner || volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || volume.DeletionTimestamp != nil {
		return nil
	}
	// The path is made again from the name: what the object says could lead anywhere.
	if err := os.RemoveAll(filepath.Join(c.dir, filepath.Base(volume.Name))); err != nil {
		return fmt.Errorf("remove the directory of volume %s: %w", volume.Name, err)
	}
	err := c.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if ignoreNotFound(err) != nil {
		return fmt.Errorf("delete volume %s: %w", volume.Name, err)
	}
	klog.InfoS("Removed", "volume", volume.Name)
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
