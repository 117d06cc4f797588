package supervisor

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
)

// forward passes every connection to the listening socket on to address, until stop is called. The socket comes from
// outside of the node's network namespace, so this is the way in.
func forward(socket *os.File, address string) (stop func(), err error) {
	l, err := net.FileListener(socket)
	if err != nil {
		return nil, fmt.Errorf("listen on the cluster's port: %w", err)
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go pipe(in, address)
		}
	}()
	return func() { _ = l.Close() }, nil
}

func pipe(in net.Conn, address string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", address) //nolint:noctx // the address is this machine's, which answers at once
	if err != nil {
		slog.Debug("could not forward a connection", "err", err)
		return
	}
	defer func() { _ = out.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		relay(out, in)
	}()
	relay(in, out)
	<-done
}

// relay copies until src ends and passes that end on, so that the other direction can finish.
func relay(dst, src net.Conn) {
	_, err := io.Copy(dst, src)
	if err != nil {
		_ = dst.Close()
		_ = src.Close()
		return
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
