// Package kubeconfig writes kubeconfig files that need no other file: the authority, the client's certificate and its key
// are inside.
package kubeconfig

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesdk/kubesdk/cluster/internal/pki"
)

// Encode is the kubeconfig with one context, name, of a user with the certificate client at the API server at the URL
// server whose certificate the PEM encoded authority ca has signed.
func Encode(name, server string, ca []byte, client pki.Pair) ([]byte, error) {
	cfg := api.NewConfig()
	cfg.Clusters[name] = &api.Cluster{Server: server, CertificateAuthorityData: ca}
	cfg.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: client.Cert, ClientKeyData: client.Key}
	cfg.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	cfg.CurrentContext = name
	data, err := clientcmd.Write(*cfg)
	if err != nil {
		return nil, fmt.Errorf("encode the kubeconfig of %q: %w", name, err)
	}
	return data, nil
}
