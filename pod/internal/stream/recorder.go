package stream

import (
	"bytes"
	"io"
	"net/http"
)

// recorder keeps what the server answered to a handshake: client-go's SPDY tells only a part of it.
type recorder struct {
	next http.RoundTripper
	code int
	body []byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	r.code = res.StatusCode
	if res.StatusCode != http.StatusSwitchingProtocols {
		r.body, _ = io.ReadAll(io.LimitReader(res.Body, maxRefusal)) // what could be read is what can be told
		_ = res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(r.body))
	}
	return res, nil
}
