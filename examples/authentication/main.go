// Command authentication logs in to a cluster in every way there is outside of it: with the kubeconfig that the environment
// names, with another context of it, with another file, with both, and with a rest.Config.
//
//	go run ./examples/authentication
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"

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
	if err := login(ctx, "default login"); err != nil {
		return err
	}

	custom, remove, err := customConfig()
	if err != nil {
		return err
	}
	defer remove()
	if err := login(ctx, "custom kubeconfig", kubesdk.Kubeconfig(custom)); err != nil {
		return err
	}
	if err := login(ctx, "custom kubeconfig and context", kubesdk.Kubeconfig(custom), kubesdk.Context("staging")); err != nil {
		return err
	}

	// KUBECONFIG may list several files; a context is looked for in all of them.
	if err := os.Setenv("KUBECONFIG", custom); err != nil {
		return err
	}
	if err := login(ctx, "context", kubesdk.Context("production")); err != nil {
		return err
	}

	// Whoever has a rest.Config already, from whatever source, needs no login.
	config, err := clientcmd.BuildConfigFromFlags("", custom)
	if err != nil {
		return err
	}
	c, err := kubesdk.New(config)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("rest.Config: connected to", c.Server())

	// What goes wrong is said with the name of the file, and what there would be.
	_, err = kubesdk.Login(ctx, kubesdk.Kubeconfig(custom), kubesdk.Context("test"))
	fmt.Println("no such context:", err)
	_, err = kubesdk.Login(ctx, kubesdk.Kubeconfig("~/.kube/no-such-config"))
	fmt.Println("no such file:", errors.Is(err, fs.ErrNotExist))
	return nil
}

func login(ctx context.Context, how string, opts ...kubesdk.LoginOption) error {
	c, err := kubesdk.Login(ctx, opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	user, err := c.WhoAmI(ctx) // Login sends nothing: this is the first that the server hears of it
	if err != nil {
		return err
	}
	fmt.Printf("%s: connected to %s as %s, context %s\n", how, c.Server(), user.Username, c.Context())
	return nil
}

// customConfig writes a kubeconfig with the contexts production and staging, which lead to the cluster of the current one.
func customConfig() (path string, remove func(), err error) {
	config, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return "", nil, err
	}
	current := config.Contexts[config.CurrentContext]
	config.Contexts["production"], config.Contexts["staging"] = current, current
	config.CurrentContext = "production"
	dir, err := os.MkdirTemp("", "kubesdk")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "custom-config")
	return path, func() { _ = os.RemoveAll(dir) }, clientcmd.WriteToFile(*config, path)
}
