//go:build !race

package components

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/rewrite"
	_ "github.com/coredns/coredns/plugin/template"
)

// runCoreDNS runs CoreDNS with the plugins that the cluster's Corefile names, called in this order.
func runCoreDNS() {
	dnsserver.Directives = []string{"bind", "ready", "errors", "rewrite", "kubernetes", "template"}
	coremain.Run()
}
