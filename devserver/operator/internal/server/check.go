package server

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// problem is why a server cannot be as its spec says.
type problem struct {
	reason  string
	message string // begins with the field that it is about, where it is about one
}

// observed is what the cluster has of a server. Home, service and workload have no name where there is none.
type observed struct {
	flavor   *devserverv1.DevServerFlavor // nil where there is none
	claims   map[string]bool              // the claims that the spec and the flavor name: whether they are there
	unbound  []string                     // those of the claims, and of the home's, that have no volume yet
	home     *corev1.PersistentVolumeClaim
	service  *corev1.Service
	workload *appsv1.StatefulSet
	pods     []*corev1.Pod // by number
	refusal  *corev1.Event // the last word of the StatefulSet's controller on why it could not make a pod
}

// check says what is wrong with a spec, by what is there. None of it stops a server that runs already.
func check(s *devserverv1.DevServer, o *observed) []problem {
	var found []problem
	add := func(reason, format string, args ...any) {
		found = append(found, problem{reason, fmt.Sprintf(format, args...)})
	}
	if o.flavor == nil {
		add(devserverv1.ReasonFlavorNotFound, "spec.flavor: there is no DevServerFlavor %q", s.Spec.Flavor)
	}
	checkVolumes("spec.volumes", s.Spec.Volumes, s.Namespace, o.claims, add)
	if o.flavor != nil {
		own := mergeVolumes(nil, s.Spec.Volumes)
		effective := slices.DeleteFunc(slices.Clone(o.flavor.Spec.Volumes), func(v devserverv1.VolumeSpec) bool {
			return slices.ContainsFunc(own, func(o devserverv1.VolumeSpec) bool { return o.MountPath == path.Clean(v.MountPath) })
		})
		checkVolumes(fmt.Sprintf("spec.flavor: %s: its volumes", s.Spec.Flavor), effective, s.Namespace, o.claims, add)
	}
	if s.Spec.Mode == devserverv1.ModeDistributed && s.Spec.Distributed != nil {
		checkSettings(s.Spec.Distributed.NCCLSettings, add)
	}
	checkTaken(s, o, add)
	return found
}

func checkVolumes(field string, volumes []devserverv1.VolumeSpec, namespace string, claims map[string]bool, add func(reason, format string, args ...any)) {
	seen := map[string]int{}
	for i, v := range volumes {
		clean := path.Clean(v.MountPath)
		if first, ok := seen[clean]; ok {
			add(devserverv1.ReasonInvalidSpec, "%s[%d].mountPath: %s is the same as that of %s[%d]", field, i, v.MountPath, field, first)
		} else {
			seen[clean] = i
		}
		if clean == "/" || clean == agentFolder || strings.HasPrefix(clean, agentFolder+"/") {
			add(devserverv1.ReasonInvalidSpec, "%s[%d].mountPath: %s is where the server has its own", field, i, v.MountPath)
		}
		if !claims[v.ClaimName] {
			add(devserverv1.ReasonClaimNotFound, "%s[%d].claimName: there is no PersistentVolumeClaim %q in namespace %s", field, i, v.ClaimName, namespace)
		}
	}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkSettings(settings map[string]string, add func(reason, format string, args ...any)) {
	var bad []string
	for name := range settings {
		if !variable.MatchString(name) {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	for _, name := range bad {
		add(devserverv1.ReasonInvalidSpec, "spec.distributed.ncclSettings: %q is no name of an environment variable", name)
	}
}

// checkTaken finds what has the names of the server's children and is not its own.
func checkTaken(s *devserverv1.DevServer, o *observed, add func(reason, format string, args ...any)) {
	if o.workload.Name != "" {
		addTaken(s, "StatefulSet", o.workload, add)
	}
	if o.service.Name != "" && s.Spec.Mode == devserverv1.ModeDistributed {
		addTaken(s, "Service", o.service, add)
	}
	if o.home.Name != "" && o.flavor != nil && wantsHome(s, mergeVolumes(o.flavor.Spec.Volumes, s.Spec.Volumes)) {
		addTaken(s, "PersistentVolumeClaim", o.home, add)
		checkHome(s, o.home, add)
	}
	for _, p := range o.pods {
		if c := metav1.GetControllerOf(p); c != nil && o.workload.Name == "" && !isOver(p) {
			add(devserverv1.ReasonPreviousServer, "pod %s of the previous server has not ended yet", p.Name)
			return
		}
	}
}

// beingDeleted is why a server waits for a child that has to go before there can be a new one.
const beingDeleted = " is being deleted, and a new one has to wait for that"

// belonging of an object to a server.
type belonging int

const (
	own      belonging = iota // it is the server's, or may become so
	leftover                  // it is of a deleted server of that name, and the garbage collector is about to take it
	foreign                   // it is somebody else's
)

func belongs(s *devserverv1.DevServer, obj metav1.Object) belonging {
	c := metav1.GetControllerOf(obj)
	switch {
	case obj.GetLabels()[labelManagedBy] != Manager || obj.GetLabels()[devserverv1.LabelServer] != s.Name:
		if c != nil && c.UID == s.UID {
			return own // somebody took the labels away
		}
		return foreign
	case c == nil || c.UID == s.UID:
		if obj.GetDeletionTimestamp() != nil {
			return leftover
		}
		return own
	case c.Kind == "DevServer" && c.Name == s.Name:
		return leftover
	}
	return foreign
}

func addTaken(s *devserverv1.DevServer, kind string, obj metav1.Object, add func(reason, format string, args ...any)) {
	switch belongs(s, obj) {
	case own:
	case leftover:
		add(devserverv1.ReasonPreviousServer, "%s %s"+beingDeleted, kind, obj.GetName())
	case foreign:
		add(devserverv1.ReasonNameTaken, "metadata.name: the server needs a %s %s, and there is one that is not its own", kind, obj.GetName())
	}
}

// checkHome finds changes that a claim does not take.
func checkHome(s *devserverv1.DevServer, claim *corev1.PersistentVolumeClaim, add func(reason, format string, args ...any)) {
	want := s.Spec.PersistentHome
	if has := claim.Spec.Resources.Requests[corev1.ResourceStorage]; want.Size != nil && want.Size.Cmp(has) < 0 {
		add(devserverv1.ReasonInvalidSpec, "spec.persistentHome.size: the home has %s, and a volume cannot shrink to %s", has.String(), want.Size.String())
	}
	if class := claim.Spec.StorageClassName; want.StorageClassName != nil && class != nil && *class != *want.StorageClassName {
		add(devserverv1.ReasonInvalidSpec, "spec.persistentHome.storageClassName: the home is of class %s, which cannot be changed", *class)
	}
}

// isOver says whether a pod's containers have ended for good.
func isOver(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// outdated are the pods that are not of the StatefulSet's present template.
func outdated(set *appsv1.StatefulSet, pods []*corev1.Pod) []*corev1.Pod {
	if set.Status.ObservedGeneration != set.Generation || set.Status.UpdateRevision == "" {
		return nil
	}
	var old []*corev1.Pod
	for _, p := range pods {
		if p.DeletionTimestamp == nil && controllerUID(p) == set.UID && p.Labels[appsv1.StatefulSetRevisionLabel] != set.Status.UpdateRevision {
			old = append(old, p)
		}
	}
	return old
}

func controllerUID(obj metav1.Object) types.UID {
	if c := metav1.GetControllerOf(obj); c != nil {
		return c.UID
	}
	return ""
}
