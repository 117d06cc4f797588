// Command distroless is all there is in the image without a shell: it waits, or does one small thing.
package main

import (
	"io"
	"net"
	"net/http"
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
	case "serve":
		serve()
	case "ready":
		for _, port := range []string{":7", ":80"} {
			conn, err := net.Dial("tcp", "127.0.0.1"+port)
			if err != nil {
				os.Exit(1)
			}
			_ = conn.Close()
		}
	}
}

// serve answers with what it gets on port 7, and by HTTP with the pod's name on port 80.
func serve() {
	go func() {
		_ = http.ListenAndServe(":80", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			name, _ := os.Hostname()
			_, _ = io.WriteString(w, name)
		}))
		os.Exit(1)
	}()
	l, err := net.Listen("tcp", ":7")
	if err != nil {
		os.Exit(1)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}
