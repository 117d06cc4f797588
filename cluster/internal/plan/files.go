package plan

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/kubeconfig"
	"github.com/kubesdk/kubesdk/cluster/internal/pki"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
)

// File is one to write before the first step.
type File struct {
	Data []byte
	Mode fs.FileMode
}

// ContextName is the name of the context in the administrator's kubeconfig.
func ContextName(cluster string) string { return "localkube-" + cluster }

// clients are the kubeconfig files to write, and who they log in.
var clients = map[string]pki.Request{
	"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
	"kube-scheduler":          {CommonName: "system:kube-scheduler"},
	"storage-provisioner":     {CommonName: "localkube:storage-provisioner"},
}

// nodeClients are those of a cluster with a node.
var nodeClients = map[string]pki.Request{
	"kubelet":    {CommonName: "system:node:" + NodeName, Organization: "system:nodes"},
	"kube-proxy": {CommonName: "system:kube-proxy"},
	"coredns":    {CommonName: "localkube:coredns"},
}

// Files makes the keys, certificates, kubeconfig files and component configurations of a new cluster, by path. Every call
// makes new keys.
func Files(cfg state.Config, now time.Time) (map[string]File, error) {
	ca, err := pki.NewAuthority("localkube-"+cfg.Name, now)
	if err != nil {
		return nil, err
	}
	files, err := certificates(cfg, ca, now)
	if err != nil {
		return nil, err
	}
	if err := kubeconfigs(cfg, ca, files); err != nil {
		return nil, err
	}
	if cfg.Node {
		node, err := nodeFiles(cfg)
		if err != nil {
			return nil, err
		}
		maps.Copy(files, node)
	}
	return files, nil
}

func certificates(cfg state.Config, ca *pki.Authority, now time.Time) (map[string]File, error) {
	front, err := pki.NewAuthority("localkube-front-proxy-"+cfg.Name, now)
	if err != nil {
		return nil, err
	}
	sa, err := pki.NewSigningKey()
	if err != nil {
		return nil, err
	}
	files := map[string]File{
		"pki/ca.crt":             {ca.Cert, 0o644},
		"pki/ca.key":             {ca.Key, 0o600},
		"pki/front-proxy-ca.crt": {front.Cert, 0o644},
		"pki/sa.pub":             {sa.Cert, 0o644},
		"pki/sa.key":             {sa.Key, 0o600},
	}
	issue := func(name string, by *pki.Authority, r pki.Request) {
		pair, issueErr := by.Issue(r)
		if issueErr != nil && err == nil {
			err = issueErr
		}
		files["pki/"+name+".crt"] = File{pair.Cert, 0o644}
		files["pki/"+name+".key"] = File{pair.Key, 0o600}
	}
	issue("apiserver", ca, pki.Request{CommonName: "kube-apiserver", Server: true, Hosts: []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + Domain,
		"127.0.0.1", APIServiceIP, NodeIP,
	}})
	issue("apiserver-kubelet-client", ca,
		pki.Request{CommonName: "kube-apiserver-kubelet-client", Organization: "system:masters", Client: true})
	issue("front-proxy-client", front, pki.Request{CommonName: "front-proxy-client", Client: true})
	if cfg.Node {
		issue("kubelet", ca, pki.Request{CommonName: "system:node:" + NodeName, Organization: "system:nodes",
			Server: true, Hosts: []string{NodeName, NodeIP}})
	}
	return files, err
}

func kubeconfigs(cfg state.Config, ca *pki.Authority, files map[string]File) error {
	add := func(file, context, server string, r pki.Request) error {
		r.Client = true
		pair, err := ca.Issue(r)
		if err != nil {
			return err
		}
		data, err := kubeconfig.Encode(context, server, ca.Cert, pair)
		if err != nil {
			return err
		}
		files[file] = File{data, 0o600}
		return nil
	}
	admin := pki.Request{CommonName: "localkube-admin", Organization: "system:masters"}
	if err := add("kubeconfig", ContextName(cfg.Name), ServerURL(cfg), admin); err != nil {
		return err
	}
	users := maps.Clone(clients)
	if cfg.Node {
		maps.Copy(users, nodeClients)
	}
	server := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(APIServerPort(cfg)))
	users["supervisor"] = admin
	for name, r := range users {
		if err := add(name+".kubeconfig", name, server, r); err != nil {
			return fmt.Errorf("make the kubeconfig of %s: %w", name, err)
		}
	}
	return nil
}
