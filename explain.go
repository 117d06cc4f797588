package kubesdk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// explain says what to do about the failures to connect that users meet most.
func explain(err error) error {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		dns      *net.DNSError
	)
	var hint string
	switch {
	case errors.As(err, &unknown):
		hint = "the kubeconfig's certificate authority is not the one that signed the server's certificate"
	case errors.As(err, &hostname):
		hint = "the server's certificate is for other names: use one of them as the server address, or set tls-server-name in the kubeconfig"
	case errors.As(err, &invalid):
		hint = "check the clocks of both machines and the certificate's dates"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		hint = "the server does not speak TLS: is the address right, and is it https?"
	case errors.As(err, &dns):
		hint = "the server's name cannot be resolved: is the address in the kubeconfig right?"
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "nothing listens at the server's address: is the cluster running, and is this the right context?"
	default:
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}
