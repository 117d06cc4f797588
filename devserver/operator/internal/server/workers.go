package server

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// workerEnvironment is what a worker of a distributed server needs to know. torchrun takes the variables that begin with
// PET_ for its flags, so that "torchrun train.py" needs none. WORLD_SIZE counts processes, as torch does; RANK is the
// worker's number, which torchrun turns into those of its processes. MASTER_ADDR and MASTER_PORT are for both.
func workerEnvironment(s *devserverv1.DevServer) []corev1.EnvVar {
	d := s.Spec.Distributed
	perNode := max(d.NprocsPerNode, 1)
	address := fmt.Sprintf("%s-0.%s", s.Name, serviceName(s.Name))
	values := map[string]string{
		"WORLD_SIZE":          strconv.Itoa(int(d.WorldSize) * int(perNode)),
		"NNODES":              strconv.Itoa(int(d.WorldSize)),
		"NPROC_PER_NODE":      strconv.Itoa(int(perNode)),
		"MASTER_ADDR":         address,
		"MASTER_PORT":         strconv.Itoa(int(masterPort)),
		"PET_NNODES":          strconv.Itoa(int(d.WorldSize)),
		"PET_NPROC_PER_NODE":  strconv.Itoa(int(perNode)),
		"PET_MASTER_ADDR":     address,
		"PET_MASTER_PORT":     strconv.Itoa(int(masterPort)),
		"DISTRIBUTED_BACKEND": d.Backend,
	}
	for name, value := range d.NCCLSettings {
		values[name] = literal(value)
	}
	var env []corev1.EnvVar
	for name, value := range values {
		env = append(env, corev1.EnvVar{Name: name, Value: value})
	}
	for _, name := range []string{"RANK", "NODE_RANK", "PET_NODE_RANK"} {
		if _, ok := values[name]; !ok {
			env = append(env, corev1.EnvVar{Name: name, ValueFrom: podIndex()})
		}
	}
	return env
}

// podIndex is the pod's number, which the StatefulSet puts into a label.
func podIndex() *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
		APIVersion: "v1",
		FieldPath:  fmt.Sprintf("metadata.labels['%s']", appsv1.PodIndexLabel),
	}}
}
