// Command run works in a development server that is there for as long as a function runs: commands as lists, as strings and
// as scripts.
//
//	go run ./examples/run
//
//example:node
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/devserver"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/pod"
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
	servers := devserver.For(c).Namespace(c.Namespace())
	spec := v1.DevServerSpec{Flavor: "cpu-small", Image: "busybox:1.36"}

	// Made, waited for, and deleted however the function ends.
	if err := servers.Run(ctx, "cm-test-server", spec, work, devserver.WaitTimeout(3*time.Minute)); err != nil {
		return err
	}
	_, err = servers.Get(ctx, "cm-test-server")
	fmt.Println("gone afterwards:", errors.Is(err, kubesdk.ErrNotFound))

	failure := errors.New("the tests fail")
	err = servers.Run(ctx, "cm-test-server", spec, func(context.Context, *devserver.Server) error { return failure })
	fmt.Println("the function's error comes out:", errors.Is(err, failure))
	_, err = servers.Get(ctx, "cm-test-server")
	fmt.Println("gone after an error too:", errors.Is(err, kubesdk.ErrNotFound))
	return nil
}

func work(ctx context.Context, server *devserver.Server) error {
	fmt.Printf("%s is %s\n", server.Name, server.Status.Phase)

	// No shell is involved, and none is needed in the image.
	out, err := server.Command("echo", "hello", "from inside").Output(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("as a list: %s", out)

	// One string is cut into words as a shell would.
	cmd, err := server.CommandLine("echo 'hello from inside'")
	if err != nil {
		return err
	}
	if out, err = cmd.Output(ctx); err != nil {
		return err
	}
	fmt.Printf("as a string: %s", out)

	// Pipes and all need a shell.
	if out, err = server.Shell("echo one two three | wc -w").Output(ctx); err != nil {
		return err
	}
	fmt.Printf("as a script: %s", out)

	// Output, errors and the exit code, each for itself.
	var stdout, stderr bytes.Buffer
	failing := server.Shell("echo some output; echo a complaint >&2; exit 3")
	failing.Stdout, failing.Stderr = &stdout, &stderr
	var exit *pod.ExitError
	if err := failing.Run(ctx); !errors.As(err, &exit) {
		return fmt.Errorf("not the expected end: %w", err)
	}
	fmt.Printf("exit code %d, output %q, errors %q\n", exit.Code, stdout.String(), stderr.String())
	return nil
}
