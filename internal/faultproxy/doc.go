// Package faultproxy stands between a client and an API server and makes what goes wrong on a real network: lost answers,
// broken connections, silence, truncated bodies, statuses of overload. Tests of retries and of watches run on it, with the
// real server behind.
//
//	p := faultproxy.Start(t, cluster.Config())
//	p.Fail(2, faultproxy.Method("GET"), faultproxy.Answer(503))   // the next two GETs; the third reaches the server
//	c, err := kubesdk.New(p.Config())
//	...
//	p.Break()                                                     // every connection there is, now
//	got := p.Count(faultproxy.Method("GET"))
//
// Client and proxy speak HTTP/2 or HTTP/1.1 over TLS, as the client likes; upgrades (exec, port-forward) pass too. A request
// without credentials is sent on with those of the config that the proxy was given; one with an Authorization header is
// sent on with that alone.
package faultproxy
