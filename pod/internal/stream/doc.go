// Package stream connects to the streaming subresources of a pod (exec, attach, portforward), where client-go's executors
// fall short: it tells an end with a status from one without, lets a reader of one stream be slow without closing the
// connection, and can half-close standard input.
//
//	conn, err := dialer.Command(ctx, stream.Request{Namespace: "default", Pod: "web-0", Subresource: "exec", ...})
//	status, err := conn.Run(stdout, stderr)     // status is nil where the stream ended without one
//
// WebSocket with the subprotocol v5.channel.k8s.io comes first, SPDY/3.1 where a server or a proxy does not take that, and
// only while nothing was sent.
package stream
