//go:build !race

package components

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"github.com/kubesdk/kubesdk/cluster/internal/storage"
)

// commands makes the cobra command of a component.
var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"storage-provisioner":     storage.NewCommand,
}

// mains run the components that take over the process.
var mains = map[string]func(){
	"etcd":    func() { etcdmain.Main(os.Args) },
	"coredns": runCoreDNS,
	"kubectl": func() { util.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand())) },
}

// Is reports whether there is a component of the name.
func Is(name string) bool {
	_, isCommand := commands[name]
	_, isMain := mains[name]
	return isCommand || isMain
}

// Run runs the component of the name until it ends and returns its exit code. It changes os.Args, where components look
// for their arguments. It must be called at most once in a process, since they also register global flags and signal
// handlers.
func Run(name string, args []string) int {
	os.Args = append([]string{name}, args...)
	if main, ok := mains[name]; ok {
		main()
		return 0
	}
	return cli.Run(commands[name]())
}
