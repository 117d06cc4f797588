package storage

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestVolumeIsWhatTheClaimAsksFor(t *testing.T) {
	t.Parallel()
	retain := corev1.PersistentVolumeReclaimRetain
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "u-1"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: size},
		},
	}
	v := Volume(claim, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, ReclaimPolicy: &retain}, "/v", "n")
	if v.Name != "pvc-u-1" || v.Spec.Local.Path != "/v/pvc-u-1" {
		t.Errorf("volume %s is at %s", v.Name, v.Spec.Local.Path)
	}
	if v.Spec.StorageClassName != "fast" || v.Spec.PersistentVolumeReclaimPolicy != retain {
		t.Errorf("it is of class %s and %s", v.Spec.StorageClassName, v.Spec.PersistentVolumeReclaimPolicy)
	}
	if got := v.Spec.Capacity[corev1.ResourceStorage]; got.Cmp(size[corev1.ResourceStorage]) != 0 {
		t.Errorf("it holds %v", got)
	}
	if ref := v.Spec.ClaimRef; ref.Namespace != "ns" || ref.Name != "c" || ref.UID != "u-1" {
		t.Errorf("it is for %+v", ref)
	}
	if got := v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0]; got.Values[0] != "n" {
		t.Errorf("it is on %+v", got)
	}
	byDefault := Volume(claim, &storagev1.StorageClass{}, "/v", "n")
	if byDefault.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		t.Errorf("by default it is %s", byDefault.Spec.PersistentVolumeReclaimPolicy)
	}
}
