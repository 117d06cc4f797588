// Command multicluster works with two clusters in one program: that of the current context, and that of another.
//
//	go run ./examples/multicluster [-context staging]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/clusters"
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
	fmt.Println("Connected to primary:", primary.Server())

	secondary, err := kubesdk.Login(ctx, kubesdk.Context(*staging))
	if err != nil {
		return err
	}
	fmt.Println("Connected to secondary:", secondary.Server())

	set := &clusters.Set{}
	defer set.Close()
	if err := errors.Join(set.Add("primary", primary), set.Add("secondary", secondary)); err != nil {
		return err
	}
	if err := onPrimary(ctx, primary); err != nil {
		return err
	}

	// All clusters at the same time. One that fails does not hide what the others say.
	counts, err := clusters.Gather(ctx, set, func(ctx context.Context, _ string, c *kubesdk.Client) (int, error) {
		namespaces, err := kubesdk.For[*corev1.Namespace](c).List(ctx)
		if err != nil {
			return 0, err
		}
		return len(namespaces.Items), nil
	})
	if err != nil {
		return err
	}
	for _, res := range counts {
		fmt.Printf("Namespaces on the %s: %t\n", res.Cluster, res.Value > 0)
	}
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
