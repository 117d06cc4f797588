// Command distroless is all there is in the image without a shell: it waits, or does one small thing.
package main

import (
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) < 2 {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		return
	}
	switch os.Args[1] {
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			os.Exit(1)
		}
	case "exit":
		code, err := strconv.Atoi(os.Args[2])
		if err != nil {
			os.Exit(1)
		}
		os.Exit(code)
	}
}
