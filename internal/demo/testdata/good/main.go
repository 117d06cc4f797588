// Command good has all it needs.
package main

import (
	"fmt"
	"os"
)

func main() {
	config, err := os.ReadFile(os.Getenv("KUBECONFIG"))
	if err != nil || len(config) == 0 {
		fmt.Println("no kubeconfig:", err)
		os.Exit(1)
	}
}
