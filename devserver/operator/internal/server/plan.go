package server

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

const (
	// Manager is the field manager of all that the operator writes.
	Manager = "devserver-operator"

	labelManagedBy = "app.kubernetes.io/managed-by"
	// annotationDefaultImage on a StatefulSet says that the image is the operator's choice.
	annotationDefaultImage = "devserver.io/default-image"

	container      = "devserver"
	user           = "dev"
	userID         = int64(1000)
	home           = "/home/dev"
	homeVolume     = "home"
	agentVolume    = "agent"
	agentFolder    = "/opt/devserver" // where the init container puts the agent
	agentBinary    = agentFolder + "/devserver-agent"
	agentInImage   = "/devserver-agent"
	agentGrace     = "20s"
	podGrace       = int64(30)           // longer than the agent's
	scriptSeconds  = int32(24 * 60 * 60) // that an init script may take, by a probe a second
	revisionsKept  = int32(1)
	masterPort     = int32(29500) // torchrun's own default
	masterPortName = "master"
)

// Defaults are what the operator's settings say about what a DevServer leaves open.
type Defaults struct {
	Image      string            // of the main container
	AgentImage string            // has the agent at /devserver-agent
	HomeSize   resource.Quantity // of a persistent home
}

// children are what belongs to a DevServer. Home and service are nil where the server has none.
type children struct {
	home     *corev1.PersistentVolumeClaim
	service  *corev1.Service
	workload *appsv1.StatefulSet
}

// homeName is the name of the claim of a persistent home.
func homeName(server string) string { return server + "-home" }

// serviceName is the name of the service that gives workers their DNS names.
func serviceName(server string) string { return server + "-workers" }

// plan is what a server's children should be.
func plan(s *devserverv1.DevServer, flavor *devserverv1.DevServerFlavor, d Defaults) children {
	mounts := mergeVolumes(flavor.Spec.Volumes, s.Spec.Volumes)
	c := children{workload: workload(s, flavor, mounts, d)}
	if wantsHome(s, mounts) {
		c.home = homeClaim(s, d)
	}
	if s.Spec.Mode == devserverv1.ModeDistributed {
		c.service = workersService(s)
	}
	return c
}

// workers is how many pods the server has when it runs.
func workers(s *devserverv1.DevServer) int32 {
	if s.Spec.Mode == devserverv1.ModeDistributed && s.Spec.Distributed != nil {
		return s.Spec.Distributed.WorldSize
	}
	return 1
}

// wanted is how many pods the server should have now.
func wanted(s *devserverv1.DevServer) int32 {
	if !isRunning(s) {
		return 0
	}
	return workers(s)
}

// isRunning says whether the server is meant to run.
func isRunning(s *devserverv1.DevServer) bool { return s.Spec.Running == nil || *s.Spec.Running }

// wantsHome says whether the operator makes a claim for the home.
func wantsHome(s *devserverv1.DevServer, mounts []devserverv1.VolumeSpec) bool {
	return s.Spec.PersistentHome != nil && s.Spec.PersistentHome.Enabled && !mountsHome(mounts)
}

func labels(s *devserverv1.DevServer) map[string]string {
	return map[string]string{devserverv1.LabelServer: s.Name, labelManagedBy: Manager}
}

// owner makes the garbage collector delete a child with its server, also while no operator runs.
func owner(s *devserverv1.DevServer) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(s, devserverv1.GroupVersion.WithKind("DevServer"))}
}

// homeClaim has no owner when it is to outlive the server. Workers share it.
func homeClaim(s *devserverv1.DevServer, d Defaults) *corev1.PersistentVolumeClaim {
	size, mode := d.HomeSize, corev1.ReadWriteOnce
	if s.Spec.PersistentHome.Size != nil {
		size = *s.Spec.PersistentHome.Size
	}
	if workers(s) > 1 {
		mode = corev1.ReadWriteMany
	}
	claim := &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Name: homeName(s.Name), Namespace: s.Namespace, Labels: labels(s)},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{mode},
			StorageClassName: s.Spec.PersistentHome.StorageClassName,
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}
	if !s.Spec.PersistentHome.Retain {
		claim.OwnerReferences = owner(s)
	}
	return claim
}

// workersService is headless, and knows workers that are not ready too: they have to find each other to become so.
func workersService(s *devserverv1.DevServer) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: serviceName(s.Name), Namespace: s.Namespace, Labels: labels(s), OwnerReferences: owner(s)},
		Spec: corev1.ServiceSpec{
			ClusterIP:                corev1.ClusterIPNone,
			PublishNotReadyAddresses: true,
			Selector:                 map[string]string{devserverv1.LabelServer: s.Name},
			Ports:                    []corev1.ServicePort{{Name: masterPortName, Port: masterPort, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(masterPort)}},
		},
	}
}

// workload replaces outdated pods when the operator deletes them (OnDelete), all at once: a rolling update would wait for
// a pod of the new kind beside those of the old.
func workload(s *devserverv1.DevServer, flavor *devserverv1.DevServerFlavor, mounts []devserverv1.VolumeSpec, d Defaults) *appsv1.StatefulSet {
	podLabels := labels(s)
	podLabels[devserverv1.LabelApp] = s.Name
	set := &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: s.Namespace, Labels: labels(s), OwnerReferences: owner(s)},
		Spec: appsv1.StatefulSetSpec{
			Replicas:             new(wanted(s)),
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{devserverv1.LabelServer: s.Name}},
			ServiceName:          serviceName(s.Name), // also where there is none yet: it cannot be changed
			PodManagementPolicy:  appsv1.ParallelPodManagement,
			UpdateStrategy:       appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
			RevisionHistoryLimit: new(revisionsKept),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels},
				Spec:       podSpec(s, flavor, mounts, d),
			},
		},
	}
	if s.Spec.Image == "" {
		set.Annotations = map[string]string{annotationDefaultImage: "true"}
	}
	return set
}

func podSpec(s *devserverv1.DevServer, flavor *devserverv1.DevServerFlavor, mounts []devserverv1.VolumeSpec, d Defaults) corev1.PodSpec {
	volumes, volumeMounts := podVolumes(s, mounts)
	image := s.Spec.Image
	if image == "" {
		image = d.Image
	}
	main := corev1.Container{
		Name:            container,
		Image:           image,
		Command:         []string{agentBinary, "run", "--grace", agentGrace},
		WorkingDir:      home,
		Env:             environment(s),
		Resources:       flavor.Spec.Resources,
		SecurityContext: restricted(),
		// What the agent has no word for shows with the last lines of the log.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		VolumeMounts:             append([]corev1.VolumeMount{{Name: agentVolume, MountPath: agentFolder, ReadOnly: true}}, volumeMounts...),
	}
	if s.Spec.InitScript != "" {
		main.Command = append(main.Command, "--init-script", literal(s.Spec.InitScript))
		main.StartupProbe = &corev1.Probe{ // it ends with the first success: a readiness probe would go on every second
			ProbeHandler:     corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{agentBinary, "ready"}}},
			PeriodSeconds:    1,
			TimeoutSeconds:   5,
			FailureThreshold: scriptSeconds,
		}
	}
	install := corev1.Container{
		Name:            "agent",
		Image:           d.AgentImage,
		Command:         []string{agentInImage, "install", agentFolder},
		Resources:       ordinary(flavor.Spec.Resources),
		SecurityContext: restricted(),
		VolumeMounts:    []corev1.VolumeMount{{Name: agentVolume, MountPath: agentFolder}},
	}
	return corev1.PodSpec{
		InitContainers:                []corev1.Container{install},
		Containers:                    []corev1.Container{main},
		NodeSelector:                  flavor.Spec.NodeSelector,
		Tolerations:                   flavor.Spec.Tolerations,
		Volumes:                       volumes,
		TerminationGracePeriodSeconds: new(podGrace),
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsUser:           new(userID),
			RunAsGroup:          new(userID),
			FSGroup:             new(userID),
			FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
			RunAsNonRoot:        new(true),
			SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// restricted is what the Pod Security Standard of that name asks of a container.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// ordinary is the part of a container's resources that the init container has too. A pod needs the larger of the two, so
// that costs nothing, and quotas want them said. Devices are for the main container.
func ordinary(r corev1.ResourceRequirements) corev1.ResourceRequirements {
	pick := func(list corev1.ResourceList) corev1.ResourceList {
		var out corev1.ResourceList
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			if q, ok := list[name]; ok {
				if out == nil {
					out = corev1.ResourceList{}
				}
				out[name] = q
			}
		}
		return out
	}
	return corev1.ResourceRequirements{Requests: pick(r.Requests), Limits: pick(r.Limits)}
}

// literal keeps the kubelet from expanding $(NAME) in a command.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// environment is that of the main container, of which the server's own wins. Sorted by name, as the order says nothing,
// but for what the user gave: those may refer to each other.
func environment(s *devserverv1.DevServer) []corev1.EnvVar {
	own := []corev1.EnvVar{{Name: "HOME", Value: home}, {Name: "LOGNAME", Value: user}, {Name: "USER", Value: user}}
	if s.Spec.Mode == devserverv1.ModeDistributed && s.Spec.Distributed != nil {
		own = append(own, workerEnvironment(s)...)
	}
	slices.SortFunc(own, func(a, b corev1.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	env := slices.DeleteFunc(own, func(e corev1.EnvVar) bool {
		return slices.ContainsFunc(s.Spec.Env, func(u corev1.EnvVar) bool { return u.Name == e.Name })
	})
	return append(env, s.Spec.Env...)
}
