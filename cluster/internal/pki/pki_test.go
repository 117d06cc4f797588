package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/pki"
)

func TestIssuedCertificates(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.Cert) {
		t.Fatal("the authority's certificate can't be read")
	}
	for _, tt := range []struct {
		name    string
		request pki.Request
		verify  x509.VerifyOptions
		ok      bool
	}{
		{"client", pki.Request{CommonName: "admin", Organization: "system:masters", Client: true},
			x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, true},
		{"client is no server", pki.Request{CommonName: "admin", Client: true, Hosts: []string{"localhost"}},
			x509.VerifyOptions{DNSName: "localhost", KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, false},
		{"server by name", pki.Request{CommonName: "s", Server: true, Hosts: []string{"localhost", "127.0.0.1"}},
			x509.VerifyOptions{DNSName: "localhost"}, true},
		{"server by address", pki.Request{CommonName: "s", Server: true, Hosts: []string{"localhost", "127.0.0.1"}},
			x509.VerifyOptions{DNSName: "127.0.0.1"}, true},
		{"other name", pki.Request{CommonName: "s", Server: true, Hosts: []string{"localhost"}},
			x509.VerifyOptions{DNSName: "example.com"}, false},
		{"expired", pki.Request{CommonName: "s", Server: true, Hosts: []string{"localhost"}},
			x509.VerifyOptions{DNSName: "localhost", CurrentTime: time.Now().Add(pki.Validity + time.Hour)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pair, err := ca.Issue(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
				t.Fatalf("the key is not the certificate's: %v", err)
			}
			block, _ := pem.Decode(pair.Cert)
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if cert.Subject.CommonName != tt.request.CommonName {
				t.Errorf("the subject is %v", cert.Subject)
			}
			opts := tt.verify
			opts.Roots = roots
			if _, err := cert.Verify(opts); (err == nil) != tt.ok {
				t.Errorf("verify says %v", err)
			}
		})
	}
}

func TestAuthoritiesAreStrangers(t *testing.T) {
	t.Parallel()
	a, err := pki.NewAuthority("same", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := pki.NewAuthority("same", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(pki.Request{CommonName: "s", Server: true})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pair.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.Cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("another authority of the same name vouches for it")
	}
}

func TestSigningKey(t *testing.T) {
	t.Parallel()
	pair, err := pki.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pem.Decode(pair.Cert)
	key, err := x509.ParsePKIXPublicKey(public.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, _ := pem.Decode(pair.Key)
	signer, err := x509.ParseECPrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !signer.PublicKey.Equal(key) {
		t.Error("the halves are of different keys")
	}
}
