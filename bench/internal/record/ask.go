package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

// ask sends one request and takes down the answer.
func (s *session) ask(ctx context.Context, method, path, accept string, body []byte) (Answer, error) {
	res, err := s.send(ctx, method, path, accept, body)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	content, err := io.ReadAll(res.Body)
	return Answer{ContentType: res.Header.Get("Content-Type"), Body: content}, err
}

func (s *session) send(ctx context.Context, method, path, accept string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if body != nil {
		req.Header.Set("Content-Type", accept)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		content, _ := io.ReadAll(res.Body) // it only explains the status
		_ = res.Body.Close()
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, content)
	}
	return res, nil
}

func encode(obj runtime.Object, format string) ([]byte, error) {
	if format == JSON {
		return json.Marshal(obj)
	}
	var b bytes.Buffer
	err := protobuf.NewSerializer(nil, nil).Encode(obj, &b)
	return b.Bytes(), err
}

func version(body []byte) string {
	var v struct{ GitVersion string }
	if json.Unmarshal(body, &v) != nil || v.GitVersion == "" {
		return "unknown"
	}
	return v.GitVersion
}

// until asks again and again whether something is so, for a minute.
func until(ctx context.Context, so func() (bool, error)) error {
	for range 600 {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("waited a minute in vain")
}
