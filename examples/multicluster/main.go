// Command multicluster works with two clusters in one program: that of the current context, and that of another.
//
//	go run ./examples/multicluster [-context staging]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
)

var staging = flag.String("context", "staging", "context of the second cluster")

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) error {
	// A client is one cluster and one user. There is no default that calls could go to by mistake.
	primary, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer primary.Close()
	fmt.Println("Connected to primary:", primary.Server())

	secondary, err := kubesdk.Login(ctx, kubesdk.Context(*staging))
	if err != nil {
		return err
	}
	defer secondary.Close()
	fmt.Println("Connected to secondary:", secondary.Server())

	if err := onPrimary(ctx, primary); err != nil {
		return err
	}

	counts, err := countNamespaces(ctx, primary, secondary)
	if err != nil {
		return err
	}
	fmt.Println("Namespaces on the primary:", counts[0] > 0)
	fmt.Println("Namespaces on the secondary:", counts[1] > 0)
	return nil
}

func onPrimary(ctx context.Context, primary *kubesdk.Client) error {
	configMaps := kubesdk.For[*corev1.ConfigMap](primary).Namespace(primary.Namespace())
	created, err := configMaps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "multi-cluster-test"},
		Data:       map[string]string{"cluster": "primary"},
	})
	if err != nil {
		return err
	}
	fmt.Println("Created on primary:", created.Name)

	fetched, err := configMaps.Get(ctx, "multi-cluster-test")
	if err != nil {
		return err
	}
	fmt.Println("Fetched from primary:", fetched.Data)
	return configMaps.Delete(ctx, "multi-cluster-test")
}

// countNamespaces asks all clusters at the same time.
func countNamespaces(ctx context.Context, clients ...*kubesdk.Client) ([]int, error) {
	counts, errs := make([]int, len(clients)), make([]error, len(clients))
	var group sync.WaitGroup
	for i, c := range clients {
		group.Go(func() {
			for _, err := range kubesdk.For[*corev1.Namespace](c).All(ctx) {
				if err != nil {
					errs[i] = fmt.Errorf("%s: %w", c.Context(), err)
					return
				}
				counts[i]++
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}
