package stream

import (
	"errors"
	"io"
	"time"
)

// Conn is a connection to a running command.
type Conn interface {
	// Run copies what arrives until the command has ended, and returns the server's status for it: nil if the stream
	// ended without one, which tells nothing about the command. It calls the writers from one goroutine each, and they
	// are only ever nil together with what the request did not ask for. An error of a writer ends it.
	Run(stdout, stderr io.Writer) (status []byte, err error)
	// Write sends standard input.
	io.Writer
	// CloseInput tells the command that its standard input has ended.
	CloseInput() error
	// Resize tells the size of the terminal, in characters.
	Resize(width, height uint16) error
	// Close ends the connection. Run returns.
	Close() error
}

// ErrSilent is the error of a connection whose peer answers no pings.
var ErrSilent = errors.New("the connection is dead: nothing was heard for a minute, not even answers to pings")

const (
	pingEvery = 5 * time.Second
	silence   = time.Minute
)
