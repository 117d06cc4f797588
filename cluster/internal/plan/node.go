package plan

import (
	"embed"
	"strings"

	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// The files of a node, in the directories of this package that they are embedded from. Words in capitals between @ are
// replaced.
//
//go:embed node/containerd.toml node/cni.conflist node/kubelet.yaml node/kube-proxy.yaml node/Corefile
var nodeTemplates embed.FS

// NodeDir holds what a node sees in the place of the machine's own directories: its subdirectories run, lib and log are
// mounted on /run, /var/lib and /var/log. So the node's programs find everything at the paths that they have by default,
// and leave nothing outside of the cluster's directory.
const NodeDir = "node"

// ContainerdSocket is where programs outside of the node find containerd.
const ContainerdSocket = NodeDir + "/run/containerd/containerd.sock"

// PauseImage is the image of the process that holds a pod's namespaces, and PauseArchive the file it is loaded from.
const (
	PauseImage   = "localkube.kubesdk.io/pause:1"
	PauseArchive = "pause.tar"
)

// ContainerdNamespace is the one in which the kubelet's images are.
const ContainerdNamespace = "k8s.io"

func nodeFiles(cfg state.Config) (map[string]File, error) {
	replace := strings.NewReplacer(
		"@SERVICE_CIDR@", ServiceCIDR, "@POD_CIDR@", PodCIDR, "@DNS_IP@", DNSServiceIP, "@NODE_IP@", NodeIP,
		"@NODE_NAME@", NodeName, "@DOMAIN@", Domain, "@PAUSE_IMAGE@", PauseImage,
		"@CGROUP@", cfg.Cgroup, "@CNI_BIN@", cfg.CNIBin,
	)
	files := map[string]File{}
	for name, path := range map[string]string{
		"containerd.toml": "containerd.toml",
		"cni.conflist":    NodeDir + "/run/cni/net.d/10-localkube.conflist",
		"kubelet.yaml":    "kubelet.yaml",
		"kube-proxy.yaml": "kube-proxy.yaml",
		"Corefile":        "Corefile",
	} {
		data, err := nodeTemplates.ReadFile("node/" + name)
		if err != nil {
			return nil, err
		}
		files[path] = File{[]byte(replace.Replace(string(data))), 0o644}
	}
	return files, nil
}

func containerd() Step {
	return Step{
		Name:  "containerd",
		Path:  "containerd",
		Args:  []string{"--config=containerd.toml"},
		Ready: Probe{Socket: ContainerdSocket},
	}
}

func pauseImage() Step {
	return Step{
		Name:  "pause-image",
		After: []string{"containerd"},
		Path:  "ctr",
		Args:  CtrImport(PauseArchive),
		Once:  true,
	}
}

// CtrImport are the arguments with which ctr, in the cluster's directory, loads an archive of images.
func CtrImport(archive string) []string {
	return []string{"--address=" + ContainerdSocket, "--namespace=" + ContainerdNamespace, "images", "import", archive}
}

func dns() Step {
	return Step{
		Name:  "coredns",
		After: []string{"objects"},
		Args:  []string{"-conf=Corefile"},
		Ready: Probe{URL: "http://127.0.0.1:8181/ready"},
	}
}

func proxy() Step {
	return Step{
		Name:  "kube-proxy",
		After: []string{"kube-apiserver"},
		Args:  []string{"--config=kube-proxy.yaml"},
		Ready: Probe{URL: "http://127.0.0.1:10256/livez"},
	}
}

func kubelet() Step {
	return Step{
		Name:  "kubelet",
		After: []string{"kube-apiserver", "pause-image"},
		Args: []string{
			"--config=kubelet.yaml",
			"--kubeconfig=kubelet.kubeconfig",
			"--hostname-override=" + NodeName,
			"--node-ip=" + NodeIP,
		},
		Ready: Probe{Node: NodeName},
	}
}
