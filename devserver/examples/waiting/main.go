// Command waiting waits for the status of a development server, with the events that lead there and without.
//
//	go run ./examples/waiting
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

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
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
	server, err := servers.Create(ctx, "wait-test-server", v1.DevServerSpec{Flavor: "cpu-small", Image: "busybox:1.36"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Delete(context.WithoutCancel(ctx), server.Name)) }()

	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	desired := map[string]any{"phase": "Running"}
	for event, err := range server.WaitForStatus(ctx, desired) {
		if err != nil {
			return err
		}
		fmt.Printf(" -> %s, phase %q\n", event.Type, event.Object.Status.Phase)
	}
	fmt.Println("streamed: it is", server.Status.Phase)

	// What is true already returns at once.
	if err := server.WaitUntilStatus(ctx, desired); err != nil {
		return err
	}
	fmt.Println("blocked: it is", server.Status.Phase)

	// A deadline's error tells the last status.
	soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	var timeout *customresource.TimeoutError
	if err := server.WaitUntilStatus(soon, map[string]any{"phase": "Stopped"}); !errors.As(err, &timeout) {
		return fmt.Errorf("not the expected end: %w", err)
	}
	fmt.Println("timed out waiting for", timeout.Want)
	return nil
}
