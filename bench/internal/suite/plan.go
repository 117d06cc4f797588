package suite

import (
	"fmt"
	"strconv"
)

// Sizes say how much work is done. They differ between the modes; what is measured does not.
type Sizes struct {
	Rounds       int // of everything that is compared
	Calls        int // of get and create in one round
	Listed       int // objects of a list
	Huge         int // objects of the list that must not need more memory
	Events       int // of the watch
	Starts       int // processes started for the first answer
	Deployments  int // of the headline's phases
	HeadlineRuns int
	Recorded     int // pods and custom resources that lists are made of
}

// The sizes of the two modes, and of the test that all of it works.
var (
	Full  = Sizes{Rounds: 9, Calls: 20_000, Listed: 10_000, Huge: 100_000, Events: 10_000, Starts: 15, Deployments: 1000, HeadlineRuns: 7, Recorded: 2000}
	Quick = Sizes{Rounds: 3, Calls: 5000, Listed: 10_000, Huge: 100_000, Events: 2000, Starts: 5, Deployments: 400, HeadlineRuns: 3, Recorded: 500}
	Tiny  = Sizes{Rounds: 1, Calls: 200, Listed: 200, Huge: 1000, Events: 200, Starts: 1, Deployments: 20, HeadlineRuns: 1, Recorded: 40}
)

// The clients, as tables name them.
const (
	sdk               = "kubesdk"
	clientGo          = "client-go"
	dynamicClient     = "client-go dynamic"
	controllerRuntime = "controller-runtime"
	floor             = "floor: read and discard"
)

var programs = map[string]string{
	sdk: "peer-kubesdk", clientGo: "peer-client-go", dynamicClient: "peer-dynamic", controllerRuntime: "peer-controller-runtime", floor: "peer-floor",
}

// contender is one client at one workload.
type contender struct {
	label    string // in tables
	client   string
	workload string
	args     []string
}

// contest is a group of contenders that do the same work.
type contest struct {
	id, title  string
	items      string // what one item is
	n, warm    int
	rounds     int
	repeat     int // of the workload in one process
	contenders []contender
}

func plan(s Sizes) []contest {
	calls := func(id, title, workload string, contenders ...contender) contest {
		return contest{id: id, title: title, items: "call", n: s.Calls, warm: s.Calls/10 + 64, rounds: s.Rounds, repeat: 1, contenders: workloads(workload, contenders)}
	}
	bulk := func(id, title, items string, n, repeat int, contenders ...contender) contest {
		return contest{id: id, title: title, items: items, n: n, warm: min(n, 1000), rounds: s.Rounds, repeat: repeat, contenders: contenders}
	}
	return []contest{
		calls("get", "Get of an 8 KB Deployment, 64 in flight", "get",
			contender{client: sdk}, contender{client: clientGo}, contender{client: controllerRuntime}, contender{client: dynamicClient}, contender{client: floor}),
		calls("create", "Create of an 8 KB Deployment, 64 in flight", "create",
			contender{client: sdk}, contender{client: clientGo}, contender{client: controllerRuntime}, contender{client: floor}),
		bulk("pods", fmt.Sprintf("List of %s pods", thousands(s.Listed)), "pod", s.Listed, 3,
			contender{label: "kubesdk All", client: sdk, workload: "pods-all"}, contender{label: "kubesdk List", client: sdk, workload: "pods"},
			contender{client: clientGo, workload: "pods"}, contender{client: controllerRuntime, workload: "pods"}, contender{client: floor, workload: "pods"}),
		bulk("pods-plain", fmt.Sprintf("List of %s pods, asked for without gzip", thousands(s.Listed)), "pod", s.Listed, 3,
			contender{label: "kubesdk All", client: sdk, workload: "pods-all", args: plain}, contender{label: "kubesdk List", client: sdk, workload: "pods", args: plain},
			contender{client: clientGo, workload: "pods", args: plain}, contender{client: floor, workload: "pods", args: plain}),
		bulk("applications", fmt.Sprintf("List of %s custom resources", thousands(s.Listed)), "object", s.Listed, 1,
			contender{label: "kubesdk All", client: sdk, workload: "applications-all"}, contender{label: "kubesdk List", client: sdk, workload: "applications"},
			contender{label: "kubesdk All, untyped", client: sdk, workload: "applications-untyped"},
			contender{client: dynamicClient, workload: "applications"}, contender{client: controllerRuntime, workload: "applications"},
			contender{client: floor, workload: "applications"}),
		bulk("watch", fmt.Sprintf("Watch of %s events of pods", thousands(s.Events)), "event", s.Events, 3,
			contender{label: "kubesdk Watch", client: sdk, workload: "watch"}, contender{label: "kubesdk Watch from a version", client: sdk, workload: "watch-from"},
			contender{client: clientGo, workload: "watch"}, contender{client: controllerRuntime, workload: "watch"}),
		{
			id: "memory-small", title: fmt.Sprintf("Memory: %s pods", thousands(s.Listed)), items: "pod", n: s.Listed, warm: 100, rounds: min(3, s.Rounds), repeat: 1,
			contenders: []contender{{label: "kubesdk All", client: sdk, workload: "pods-all"}, {client: clientGo, workload: "pods"}},
		},
		{
			id: "memory", title: fmt.Sprintf("Memory: %s pods", thousands(s.Huge)), items: "pod", n: s.Huge, warm: 100, rounds: min(3, s.Rounds), repeat: 1,
			contenders: []contender{{label: "kubesdk All", client: sdk, workload: "pods-all"}, {client: clientGo, workload: "pods"}},
		},
	}
}

var plain = []string{"-plain"}

func workloads(workload string, contenders []contender) []contender {
	for i := range contenders {
		contenders[i].workload = workload
	}
	return contenders
}

func (c contender) name() string {
	if c.label != "" {
		return c.label
	}
	return c.client
}

func (c contest) args(kubeconfig string, who contender) []string {
	return append([]string{
		"-kubeconfig", kubeconfig, "-workload", who.workload, "-n", strconv.Itoa(c.n), "-warm", strconv.Itoa(c.warm), "-rounds", strconv.Itoa(c.repeat),
	}, who.args...)
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
