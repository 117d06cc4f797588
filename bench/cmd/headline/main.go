// Command headline makes, reads, watches and deletes many Deployments on a real API server with one client, and prints how
// many objects per second each phase had and how much CPU the client took for it.
//
//	headline --n 1000 --concurrency 500 --client kubesdk --kubeconfig ~/.kube/config
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesdk/kubesdk/bench/internal/headline"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "headline:", err)
		os.Exit(1)
	}
}

func run() error {
	n := flag.Int("n", 1000, "how many Deployments")
	concurrency := flag.Int("concurrency", 500, "calls in flight")
	name := flag.String("client", "kubesdk", "one of "+strings.Join(headline.Clients, ", "))
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "of the cluster; default $KUBECONFIG")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	if *n < 1 || *concurrency < 1 {
		return fmt.Errorf("-n is %d and -concurrency %d, but both must be 1 or more", *n, *concurrency)
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	phases, err := headline.Run(ctx, config, *name, *n, *concurrency)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(os.Stdout).Encode(phases)
	}
	fmt.Printf("%s: %d Deployments, %d in flight\n%-8s %12s %12s %16s\n", *name, *n, *concurrency, "phase", "objects/s", "seconds", "client CPU")
	for _, p := range phases {
		fmt.Printf("%-8s %12.0f %12.3f %16s\n", p.Name, p.Rate(), p.Wall.Seconds(), p.CPU.Round(time.Millisecond))
	}
	return nil
}
