// Command quickstart creates, reads, updates and deletes a ConfigMap.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) error {
	// In a pod this is its service account; elsewhere the current context of the kubeconfig.
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	configMaps := kubesdk.For[*corev1.ConfigMap](c).Namespace(c.Namespace())

	created, err := configMaps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "my-config"},
		Data:       map[string]string{"database_url": "postgres://localhost:5432", "debug": "false"},
	})
	if err != nil {
		return err
	}
	fmt.Println("Created:", created.Name)

	fetched, err := configMaps.Get(ctx, "my-config")
	if err != nil {
		return err
	}
	fmt.Println("Fetched:", fetched.Data)

	all, err := configMaps.List(ctx)
	if err != nil {
		return err
	}
	fmt.Println("Found", len(all.Items), "ConfigMaps")

	// Change a copy: the update sends what is different, and nothing else.
	changed := fetched.DeepCopy()
	changed.Data["debug"] = "true"
	changed.Data["new_key"] = "new_value"
	updated, err := configMaps.Update(ctx, changed, kubesdk.From(fetched))
	if err != nil {
		return err
	}
	fmt.Println("Updated:", updated.Data)

	// Create it if it is not there; if it is, make it so.
	upserted, err := configMaps.CreateOrUpdate(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "my-config"},
		Data:       map[string]string{"completely": "new", "data": "here"},
	})
	if err != nil {
		return err
	}
	fmt.Println("Upserted:", upserted.Data)

	if err := configMaps.Delete(ctx, "my-config"); err != nil {
		return err
	}
	fmt.Println("Deleted")
	return nil
}
