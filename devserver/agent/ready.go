package agent

import (
	"context"
	"fmt"
	"net"
)

// readySocket is in the abstract namespace, that of the pod: the image may have no folder that can be written to.
const readySocket = "@devserver-agent.ready"

// CheckReady is nil when the agent of this pod has run its init script.
func CheckReady(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", readySocket)
	if err != nil {
		return fmt.Errorf("the init script has not ended: %w", err)
	}
	return conn.Close()
}

// announce makes CheckReady succeed until the process ends.
func announce() error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", readySocket)
	if err != nil {
		return fmt.Errorf("announce that the server is ready: %w", err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close() // that it was accepted is all there is to say
		}
	}()
	return nil
}
