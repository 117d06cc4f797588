// Command oneget reads one Deployment: the smallest program that does something.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubesdk/kubesdk"
)

func main() {
	ctx := context.Background()
	c, err := kubesdk.Login(ctx)
	if err != nil {
		log.Fatal(err)
	}
	deployment, err := kubesdk.For[*appsv1.Deployment](c).Namespace(c.Namespace()).Get(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(deployment.Name)
}
