// Command peer-floor measures the least that a client can do: send the request, read the answer, and throw it away.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk/bench/internal/measure"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

const protobuf = "application/vnd.kubernetes.protobuf"

func main() { measure.Main(open) }

func open(_ context.Context, config *rest.Config) (map[string]measure.Work, error) {
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	send := func(ctx context.Context, method, path, accept string, body []byte) error {
		req, err := http.NewRequestWithContext(ctx, method, config.Host+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Accept", accept)
		if body != nil {
			req.Header.Set("Content-Type", protobuf)
		}
		res, err := c.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }() // read to its end
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s: %s", method, path, res.Status)
		}
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	encoded, err := object.Deployment("bench", "shop").Marshal()
	if err != nil {
		return nil, err
	}
	return map[string]measure.Work{
		"get": {Each: func(ctx context.Context, _ int) error {
			return send(ctx, http.MethodGet, "/apis/apps/v1/namespaces/bench/deployments/shop", protobuf, nil)
		}},
		"create": {Each: func(ctx context.Context, _ int) error {
			return send(ctx, http.MethodPost, "/apis/apps/v1/namespaces/bench/deployments", protobuf, encoded)
		}},
		"pods": {Whole: func(ctx context.Context, n int) error {
			return send(ctx, http.MethodGet, "/api/v1/namespaces/"+object.Namespace(n)+"/pods", protobuf, nil)
		}},
		"applications": {Whole: func(ctx context.Context, n int) error {
			path := "/apis/" + object.ApplicationKind.GroupVersion().String() + "/namespaces/" + object.Namespace(n) + "/" + object.ApplicationPlural
			return send(ctx, http.MethodGet, path, "application/json", nil)
		}},
	}, nil
}
