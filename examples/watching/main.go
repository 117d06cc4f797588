// Command watching follows what happens to ConfigMaps: to all, to those with a label, and while they are being changed.
//
//	go run ./examples/watching
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

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
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	configMaps := kubesdk.For[*corev1.ConfigMap](c).Namespace(c.Namespace())
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	fmt.Println("Everything that is there:")
	if err := present(ctx, configMaps); err != nil {
		return err
	}
	fmt.Println("Those of the team:")
	if err := filtered(ctx, configMaps); err != nil {
		return err
	}
	fmt.Println("While they change:")
	return changes(ctx, configMaps)
}

// present ends with the bookmark that says: this is all there was as the watch began.
func present(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap]) error {
	for event, err := range configMaps.Watch(ctx) {
		switch {
		case err != nil:
			return err
		case event.Synced:
			return nil
		case event.Type == kubesdk.Bookmark:
			continue // how far the watch has come; nothing happened
		}
		fmt.Printf("  %s: %s\n", event.Type, event.Object.Name)
	}
	return nil
}

// filtered sees only what the selector chooses: an object that loses the label is Deleted to it.
func filtered(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap]) error {
	cm, err := configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: "watch-backend", Labels: map[string]string{"team": "backend"},
	}})
	if err != nil {
		return err
	}
	defer remove(ctx, configMaps, cm.Name)
	for event, err := range configMaps.Watch(ctx, kubesdk.Labels("team=backend")) {
		switch {
		case err != nil:
			return err
		case event.Type == kubesdk.Bookmark:
			continue
		}
		fmt.Printf("  %s: %s\n", event.Type, event.Object.Name)
		if event.Type == kubesdk.Deleted {
			return nil
		}
		leaves := event.Object.DeepCopy()
		delete(leaves.Labels, "team")
		if _, err := configMaps.Update(ctx, leaves, kubesdk.From(event.Object)); err != nil {
			return err
		}
	}
	return nil
}

// changes watches and makes changes at the same time, and ends when it has seen the last of them.
func changes(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap]) error {
	failed := make(chan error, 1)
	left := 3
	for event, err := range configMaps.Watch(ctx) {
		switch {
		case err != nil:
			return err
		case event.Synced:
			go func() { failed <- makeChanges(ctx, configMaps) }()
		case event.Type == kubesdk.Bookmark || !strings.HasPrefix(event.Object.Name, "watch-test"):
			continue
		default:
			fmt.Printf("  %s: %s\n", event.Type, event.Object.Name)
			if event.Type == kubesdk.Deleted {
				left--
			}
		}
		if left == 0 {
			break
		}
	}
	return <-failed
}

func makeChanges(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap]) error {
	for i := range 3 {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("watch-test-%d", i)}}
		if _, err := configMaps.Create(ctx, cm); err != nil {
			return err
		}
		defer remove(ctx, configMaps, cm.Name)
	}
	_, err := configMaps.Mutate(ctx, "watch-test-1", func(cm *corev1.ConfigMap) error {
		cm.Data = map[string]string{"changed": "yes"}
		return nil
	})
	return err
}

func remove(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap], name string) {
	err := configMaps.Delete(context.WithoutCancel(ctx), name)
	if err != nil && !errors.Is(err, kubesdk.ErrNotFound) {
		log.Print(err)
	}
}
