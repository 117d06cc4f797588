package devserver

import (
	"context"
	"fmt"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// KubeconfigOptions say what kubeconfig to issue. The zero value fits most.
type KubeconfigOptions struct {
	// Lifetime is how long the kubeconfig is to be valid. 0 means 30 days. The API server may make it shorter, and takes
	// nothing below 10 minutes.
	Lifetime time.Duration
	// Server is the URL by which the user reaches the API server. Empty: that of the client.
	Server string
	// Context is the name of the context. Empty: devserver-<username>.
	Context string
}

// Kubeconfig is a login for a user.
type Kubeconfig struct {
	Data    []byte    // of the file: self-contained YAML
	Expires time.Time // when its token does
}

// IssueKubeconfig makes a kubeconfig for the DevServerUser of that username, with a new token of the user's service account,
// and the user's namespace as the default one. Tokens end by themselves, or together when the service account or the user is
// deleted; there is no way to take back a single one. The caller needs RBAC's verb create on serviceaccounts/token.
//
// It returns [kubesdk.ErrNotFound] if there is no such user, and a [*customresource.ConfigError] if the user is not ready.
func IssueKubeconfig(ctx context.Context, c *kubesdk.Client, username string, o KubeconfigOptions) (*Kubeconfig, error) {
	kubeconfig, err := issue(ctx, c, username, o)
	if err != nil {
		return nil, fmt.Errorf("issue a kubeconfig for %s: %w", username, err)
	}
	return kubeconfig, nil
}

func issue(ctx context.Context, c *kubesdk.Client, username string, o KubeconfigOptions) (*Kubeconfig, error) {
	namespace, err := namespaceOf(ctx, c, username)
	if err != nil {
		return nil, err
	}
	cluster, err := clusterOf(c.Config(), o.Server)
	if err != nil {
		return nil, err
	}
	if o.Lifetime == 0 {
		o.Lifetime = 30 * 24 * time.Hour
	}
	if o.Context == "" {
		o.Context = "devserver-" + username
	}
	tokens := kubesdk.For[*authenticationv1.TokenRequest](c, kubesdk.TypeOf[*corev1.ServiceAccount]()).Namespace(namespace).Subresource("token")
	token, err := tokens.Create(ctx, &authenticationv1.TokenRequest{
		ObjectMeta: metav1.ObjectMeta{Name: username + "-sa"},
		Spec:       authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(o.Lifetime / time.Second))},
	})
	if err != nil {
		return nil, err
	}
	data, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{o.Context: cluster},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{o.Context: {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{o.Context: {Cluster: o.Context, AuthInfo: o.Context, Namespace: namespace}},
		CurrentContext: o.Context,
	})
	if err != nil {
		return nil, err
	}
	return &Kubeconfig{Data: data, Expires: token.Status.ExpirationTimestamp.Time}, nil
}

// namespaceOf is the namespace of a user who is ready.
func namespaceOf(ctx context.Context, c *kubesdk.Client, username string) (string, error) {
	problem := ""
	for user, err := range Users(c).All(ctx) {
		switch {
		case err != nil:
			return "", err
		case user.Spec.Username != username:
		case user.Status.Phase == v1.UserReady:
			return user.Status.Namespace, nil
		default:
			problem = fmt.Sprintf("DevServerUser %s is %s", user.Name, because(string(user.Status.Phase), "", user.Status.Message))
			if user.Status.Phase == "" {
				problem = fmt.Sprintf("DevServerUser %s has no status: is devserver-operator running in the cluster?", user.Name)
			}
		}
	}
	if problem != "" {
		return "", &customresource.ConfigError{Problem: problem, Advice: "wait until it is Ready, or mend what its status says"}
	}
	return "", fmt.Errorf("no DevServerUser has spec.username %q: %w", username, kubesdk.ErrNotFound)
}

// clusterOf is how the client reaches its API server, without who the client is.
func clusterOf(config *rest.Config, server string) (*clientcmdapi.Cluster, error) {
	cluster := &clientcmdapi.Cluster{
		Server:                   config.Host,
		TLSServerName:            config.ServerName,
		InsecureSkipTLSVerify:    config.Insecure,
		CertificateAuthorityData: config.CAData,
	}
	if server != "" {
		cluster.Server = server
	}
	if len(config.CAData) == 0 && config.CAFile != "" {
		var err error
		if cluster.CertificateAuthorityData, err = os.ReadFile(config.CAFile); err != nil {
			return nil, fmt.Errorf("read the cluster's certificate authority: %w", err)
		}
	}
	return cluster, nil
}
