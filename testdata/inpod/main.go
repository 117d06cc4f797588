// Command inpod logs in with the service account of the pod that it runs in, and leaves a message about it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kubesdk/kubesdk"
)

func main() {
	message, code := "", 0
	if err := run(&message); err != nil {
		message, code = err.Error(), 1
	}
	if err := os.WriteFile("/dev/termination-log", []byte(message), 0o600); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func run(message *string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	user, err := c.WhoAmI(ctx)
	*message = user.Username + " in " + c.Namespace()
	return err
}
