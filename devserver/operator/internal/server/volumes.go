package server

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// agentSize bounds what the agent's volume may take of the node.
var agentSize = resource.MustParse("64Mi")

// mergeVolumes is the flavor's volumes and the server's, by cleaned path; the server's win.
func mergeVolumes(flavor, own []devserverv1.VolumeSpec) []devserverv1.VolumeSpec {
	byPath := map[string]devserverv1.VolumeSpec{}
	for _, v := range slices.Concat(flavor, own) {
		v.MountPath = path.Clean(v.MountPath)
		byPath[v.MountPath] = v
	}
	merged := make([]devserverv1.VolumeSpec, 0, len(byPath))
	for _, v := range byPath {
		merged = append(merged, v)
	}
	slices.SortFunc(merged, func(a, b devserverv1.VolumeSpec) int { return cmp.Compare(a.MountPath, b.MountPath) })
	return merged
}

func mountsHome(mounts []devserverv1.VolumeSpec) bool {
	return slices.ContainsFunc(mounts, func(v devserverv1.VolumeSpec) bool { return v.MountPath == home })
}

// podVolumes are the volumes of a pod and where its main container has them: the agent, the home unless a claim of the
// user is mounted there, and the claims, each once however often it is mounted.
func podVolumes(s *devserverv1.DevServer, mounts []devserverv1.VolumeSpec) ([]corev1.Volume, []corev1.VolumeMount) {
	volumes := []corev1.Volume{{Name: agentVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &agentSize}}}}
	var volumeMounts []corev1.VolumeMount
	switch {
	case wantsHome(s, mounts):
		volumes = append(volumes, claimVolume(homeVolume, homeName(s.Name)))
		volumeMounts = append(volumeMounts, corev1.VolumeMount{Name: homeVolume, MountPath: home})
	case !mountsHome(mounts):
		volumes = append(volumes, corev1.Volume{Name: homeVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		volumeMounts = append(volumeMounts, corev1.VolumeMount{Name: homeVolume, MountPath: home})
	}
	names := map[string]string{}
	for _, m := range mounts {
		name, ok := names[m.ClaimName]
		if !ok {
			name = fmt.Sprintf("volume-%d", len(names))
			names[m.ClaimName] = name
			volumes = append(volumes, claimVolume(name, m.ClaimName))
		}
		volumeMounts = append(volumeMounts, corev1.VolumeMount{Name: name, MountPath: m.MountPath, ReadOnly: m.ReadOnly})
	}
	return volumes, volumeMounts
}

func claimVolume(name, claim string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
	}}
}
