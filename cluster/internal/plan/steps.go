package plan

import (
	"fmt"
	"strconv"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// The addresses in a cluster. A cluster with a node has a network namespace of its own, and one without a node sends
// nothing to them, so that every cluster of a machine can have the same.
const (
	ServiceCIDR = "10.96.0.0/16"
	PodCIDR     = "10.244.0.0/16"
	// APIServiceIP is the cluster IP of the Service "kubernetes", always the first of ServiceCIDR.
	APIServiceIP = "10.96.0.1"
	DNSServiceIP = "10.96.0.10"
	// NodeIP is the node's own address, outside of the two ranges.
	NodeIP   = "10.245.0.1"
	NodeName = "localkube"
	// Domain is the cluster's DNS domain.
	Domain = "cluster.local"
	// NodePort is the API server's port within a node's network namespace.
	NodePort = 6443
)

// Step is one thing to start, and to wait for.
type Step struct {
	// Name is the component's, by which users see it and find its log.
	Name string
	// After names the steps that must be ready first.
	After []string
	// Path is the program; if empty, it is this one, with Name as its first argument.
	Path string
	Args []string
	Env  []string
	// Apply is for a step without a process: it creates the objects that every cluster has.
	Apply bool
	// Once is for a process that is to end: with code 0, the step is ready then.
	Once  bool
	Ready Probe
}

// Probe tells when a step is ready: when everything of it that is set holds. The zero Probe is ready at once.
type Probe struct {
	// Socket is a unix socket that accepts connections.
	Socket string
	// APIPath is answered with 200 by the API server.
	APIPath string
	// URL is answered with 200.
	URL string
	// Node is a node with the condition Ready.
	Node string
}

const etcdSocket = "unix://etcd.sock"

// APIServerPort is the port the API server listens on: for a node, the one in its network namespace.
func APIServerPort(cfg state.Config) int {
	if cfg.Node {
		return NodePort
	}
	return cfg.Port
}

// Steps is what a cluster of this configuration consists of, in the order to show it.
func Steps(cfg state.Config) []Step {
	steps := []Step{etcd(), apiServer(cfg), controllerManager(), scheduler(), storage(), objects()}
	if cfg.Node {
		steps = append(steps, containerd(), pauseImage(), dns(), proxy(), kubelet())
	}
	return steps
}

func etcd() Step {
	return Step{
		Name: "etcd",
		Args: []string{
			"--name=localkube",
			"--data-dir=etcd",
			"--listen-client-urls=" + etcdSocket,
			"--advertise-client-urls=" + etcdSocket,
			"--listen-peer-urls=unix://etcd-peer.sock",
			"--initial-advertise-peer-urls=unix://etcd-peer.sock",
			"--initial-cluster=localkube=unix://etcd-peer.sock",
			// The cluster's data does not outlive its processes, so there is nothing to keep from a crash of the machine.
			"--unsafe-no-fsync",
			"--log-level=warn",
		},
		Ready: Probe{Socket: "etcd.sock"},
	}
}

func apiServer(cfg state.Config) Step {
	args := []string{
		"--etcd-servers=" + etcdSocket,
		"--secure-port=" + strconv.Itoa(APIServerPort(cfg)),
		"--cert-dir=pki",
		"--tls-cert-file=pki/apiserver.crt",
		"--tls-private-key-file=pki/apiserver.key",
		"--client-ca-file=pki/ca.crt",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
		"--service-cluster-ip-range=" + ServiceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc." + Domain,
		"--service-account-key-file=pki/sa.pub",
		"--service-account-signing-key-file=pki/sa.key",
		"--requestheader-client-ca-file=pki/front-proxy-ca.crt",
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=pki/front-proxy-client.crt",
		"--proxy-client-key-file=pki/front-proxy-client.key",
		"--kubelet-certificate-authority=pki/ca.crt",
		"--kubelet-client-certificate=pki/apiserver-kubelet-client.crt",
		"--kubelet-client-key=pki/apiserver-kubelet-client.key",
		"--kubelet-preferred-address-types=InternalIP",
		"--advertise-address=" + NodeIP,
		"--profiling=false",
	}
	if cfg.Node {
		args = append(args, "--bind-address=0.0.0.0")
	} else {
		args = append(args,
			"--bind-address=127.0.0.1",
			// The supervisor keeps the port reserved by a socket bound to it.
			"--permit-port-sharing",
			// Nobody can reach the advertised address, so the Service "kubernetes" has no endpoint.
			"--endpoint-reconciler-type=none",
		)
	}
	return Step{
		Name:  "kube-apiserver",
		Args:  append(args, cfg.APIServerArgs...),
		Ready: Probe{APIPath: "/readyz"},
	}
}

func controllerManager() Step {
	args := []string{
		"--kubeconfig=kube-controller-manager.kubeconfig",
		"--use-service-account-credentials",
		"--service-account-private-key-file=pki/sa.key",
		"--root-ca-file=pki/ca.crt",
		"--cluster-signing-cert-file=pki/ca.crt",
		"--cluster-signing-key-file=pki/ca.key",
		"--service-cluster-ip-range=" + ServiceCIDR,
		"--leader-elect=false",
		// Nothing asks it anything, so it needs no port.
		"--secure-port=0",
		// Tests make and delete namespaces all the time; each deletion lists every resource type.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--concurrent-namespace-syncs=20",
		"--profiling=false",
	}
	return Step{
		Name:  "kube-controller-manager",
		After: []string{"kube-apiserver"},
		Args:  args,
		// Without this object no pod can be created, and it is the controllers that make it.
		Ready: Probe{APIPath: "/api/v1/namespaces/default/serviceaccounts/default"},
	}
}

func scheduler() Step {
	return Step{
		Name:  "kube-scheduler",
		After: []string{"kube-apiserver"},
		Args: []string{
			"--kubeconfig=kube-scheduler.kubeconfig",
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=500",
			"--kube-api-burst=1000",
			"--profiling=false",
		},
	}
}

func storage() Step {
	return Step{
		Name:  "storage-provisioner",
		After: []string{"kube-apiserver"},
		Args:  []string{"--kubeconfig=storage-provisioner.kubeconfig", "--dir=volumes", "--node=" + NodeName},
	}
}

func objects() Step {
	return Step{Name: "objects", After: []string{"kube-apiserver"}, Apply: true}
}

// Names are the components of a cluster with a node, the superset of all.
func Names() []string {
	var names []string
	for _, s := range Steps(state.Config{Node: true}) {
		if !s.Apply && !s.Once {
			names = append(names, s.Name)
		}
	}
	return names
}

// ServerURL is the API server's address for clients of this machine.
func ServerURL(cfg state.Config) string { return fmt.Sprintf("https://127.0.0.1:%d", cfg.Port) }
