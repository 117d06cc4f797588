// Command worker is one process of a distributed job: it meets the others as torchrun's workers do, at the address in its
// environment. The first says what it heard from the second.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

func main() {
	if err := run(os.Getenv("RANK"), net.JoinHostPort(os.Getenv("MASTER_ADDR"), os.Getenv("MASTER_PORT"))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(rank, master string) error {
	if rank == "0" {
		listener, err := net.Listen("tcp", ":"+os.Getenv("MASTER_PORT"))
		if err != nil {
			return err
		}
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		_, err = io.Copy(os.Stdout, conn)
		return err
	}
	for {
		conn, err := net.Dial("tcp", master)
		if err != nil {
			time.Sleep(100 * time.Millisecond) // the first may not listen yet
			continue
		}
		if _, err := fmt.Fprintf(conn, "hello of %s", rank); err != nil {
			return err
		}
		return conn.Close()
	}
}
