// Command lifecycle creates a development server, finds, changes and deletes it: everything but working in it.
//
//	go run ./examples/lifecycle
//
//example:node
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/patch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) (err error) {
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	servers := devserver.For(c).Namespace(c.Namespace())

	server, err := servers.Create(ctx, "my-test-server", v1.DevServerSpec{
		Flavor:         "cpu-small",
		Image:          "busybox:1.36",
		SSH:            &v1.SSHSpec{PublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6Wh7fH5hN8i6FhXHzqjmcOGFJ1qv3R2Zt1nX0sVb4y me@laptop"},
		Lifecycle:      &v1.LifecycleSpec{TimeToLive: "1h"},
		PersistentHome: &v1.PersistentHomeSpec{Enabled: true, Size: new(resource.MustParse("1Gi"))},
	})
	var config *customresource.ConfigError
	switch {
	case errors.As(err, &config):
		return fmt.Errorf("this cluster is not set up for development servers: %w", err)
	case errors.Is(err, kubesdk.ErrAlreadyExists):
		return fmt.Errorf("there is one of that name: %w", err)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, remove(server)) }()
	fmt.Printf("created %s\n", server.Name)

	// The spec is typed.
	if home := server.Spec.PersistentHome; home != nil && home.Enabled {
		fmt.Println("its home is kept, size", home.Size)
	}

	all, err := servers.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		fmt.Println("there is", s.Name)
	}

	// Update sends what was changed, and nothing else.
	found, err := servers.Get(ctx, "my-test-server")
	if err != nil {
		return err
	}
	found.Spec.Image = "busybox:1.37"
	found.Spec.PersistentHome = nil
	if err := found.Update(ctx); err != nil {
		return err
	}
	fmt.Println("updated: image", found.Spec.Image, "and the home kept:", found.Spec.PersistentHome != nil)

	if err := found.Patch(ctx, patch.Merge(map[string]any{"spec": map[string]any{"lifecycle": map[string]any{"timeToLive": "8h"}}})); err != nil {
		return err
	}
	fmt.Println("patched: time to live", found.Spec.Lifecycle.TimeToLive)

	// The first object does not know of the changes until it is read again.
	if err := server.Refresh(ctx); err != nil {
		return err
	}
	fmt.Println("refreshed: image", server.Spec.Image, "and time to live", server.Spec.Lifecycle.TimeToLive)

	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := server.WaitUntilRunning(ctx); err != nil {
		return err
	}
	fmt.Println("its phase is", server.Status.Phase)
	return nil
}

func remove(server *devserver.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := server.Delete(ctx); err != nil {
		return err
	}
	fmt.Printf("deleted %s\n", server.Name)
	return nil
}
