// Package replay is a server that gives recorded answers of a real API server over TLS and HTTP/2, as fast as it can, so
// that a client's own cost can be measured apart from the server's. Lists and watches are as long as the namespace asks
// for (object.Namespace): the recorded items again and again.
//
// What it does as the API server does: the limit of 100 streams on a connection and the sizes of its windows, gzip at
// level 1 of lists above 128 KiB for clients that accept it, and media types.
package replay
