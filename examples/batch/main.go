// Command batch creates, updates and deletes many ConfigMaps at once, and tells what became of each.
//
//	go run ./examples/batch
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/batch"
)

const count = 100

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) error {
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	configMaps := kubesdk.For[*corev1.ConfigMap](c).Namespace(c.Namespace())
	mine := kubesdk.Labels("batch-example=true")
	defer func() { _ = configMaps.DeleteAll(context.WithoutCancel(ctx), mine) }()

	// Create: as fast as the server wants it.
	var objects []*corev1.ConfigMap
	for i := range count {
		objects = append(objects, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("batch-cm-%d", i), Labels: map[string]string{"batch-example": "true"}},
			Data:       map[string]string{"index": fmt.Sprint(i)},
		})
	}
	start := time.Now()
	created, err := batch.Create(ctx, configMaps, objects)
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("Created %d/%d in %s (%.0f per second)\n", len(created.In(batch.Done)), count, took.Round(time.Millisecond), count/took.Seconds())

	// A failure is told apart from what went well, and does not stop it.
	again, err := batch.Create(ctx, configMaps, append(objects[:3:3], &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "batch-new", Labels: objects[0].Labels}}))
	if errors.Is(err, kubesdk.ErrAlreadyExists) {
		fmt.Printf("Created %d/%d more\n", len(again.In(batch.Done)), len(again))
	}

	// Update all with the label, five at a time: each sends only what the function changed.
	list, err := configMaps.List(ctx, mine)
	if err != nil {
		return err
	}
	fmt.Println("Found", len(list.Items), "to update")
	updated, err := batch.Update(ctx, configMaps, list.Items, func(cm *corev1.ConfigMap) error {
		cm.Data = map[string]string{"updated": "true"}
		return nil
	}, batch.InFlight(5))
	if err != nil {
		return err
	}
	fmt.Println("Updated", len(updated.In(batch.Done)))

	// Delete: each by its UID, so that a new object of the same name would be safe.
	deleted, err := batch.Delete(ctx, configMaps, updated.Values())
	if err != nil {
		return err
	}
	fmt.Println("Deleted", len(deleted.In(batch.Done)))

	left, err := configMaps.List(ctx, mine)
	if err != nil {
		return err
	}
	fmt.Println("Left:", len(left.Items))
	return nil
}
