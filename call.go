package kubesdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk/internal/codec"
	"github.com/kubesdk/kubesdk/internal/request"
	"github.com/kubesdk/kubesdk/internal/transport"
)

// call is one call of a verb: what it is about, and how it is made.
type call struct {
	client       *Client
	settings     *settings
	kind         schema.GroupVersionKind // whose resource is addressed
	body         schema.GroupVersionKind // what bodies and answers hold; differs for some subresources
	spec         request.Spec
	name         string // of the object, where it is not in the URL
	protobuf     bool
	metadataOnly bool
	sent         *request.Request // nil until it was tried to send it
}

const (
	acceptProtobuf      = codec.Protobuf + "," + codec.JSON
	asMetadata          = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	asMetadataList      = ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	acceptMetadata      = codec.Protobuf + asMetadata + "," + codec.JSON + asMetadata
	acceptMetadataList  = codec.Protobuf + asMetadataList + "," + codec.JSON + asMetadataList
	acceptWatchProtobuf = codec.Protobuf + ";stream=watch," + codec.JSON + ";stream=watch," + codec.JSON
	maxPlainMessage     = 200 // characters of an answer that is not a Status which are worth repeating
)

func (c *call) accept() string {
	switch {
	case c.metadataOnly && c.spec.Verb == request.List:
		return acceptMetadataList
	case c.metadataOnly:
		return acceptMetadata
	case c.protobuf && c.spec.Verb == request.Watch:
		return acceptWatchProtobuf
	case c.protobuf:
		return acceptProtobuf
	default:
		return codec.JSON
	}
}

// encode puts obj into the request, as protobuf where the server is known to take it.
func (c *call) encode(obj runtime.Object) error {
	c.spec.ContentType = codec.JSON
	if c.protobuf && !c.metadataOnly {
		c.spec.ContentType = codec.Protobuf
	}
	body, err := codec.Encode(obj, c.body, c.spec.ContentType)
	if err != nil {
		return c.refuse(fmt.Errorf("encode the object: %w", err))
	}
	c.spec.Body = body
	return nil
}

// object makes the call and decodes the answer into into, which may be nil where the answer does not matter. sent is what
// the log may show of the request.
func (c *call) object(ctx context.Context, sent any, into runtime.Object) (err error) {
	start := time.Now()
	ctx, cancel := c.settings.deadline(ctx)
	defer cancel()
	var got runtime.Object
	defer func() { c.settings.log.done(ctx, c, sent, got, err, time.Since(start)) }()
	res, err := c.send(ctx, c.settings.policy())
	if err != nil {
		return err
	}
	defer res.Release() // decoded objects keep nothing of it
	if into == nil {
		return nil
	}
	if len(res.Content) == 0 {
		return c.notKubernetes(res, errors.New("the answer is empty"))
	}
	if err := codec.Decode(res.Content, res.ContentType(), into, c.body); err != nil && !c.confirms(err, sent, into) {
		return c.notKubernetes(res, err)
	}
	got = into
	return nil
}

// confirms says that the answer is no object but a Status of success, which is all there is for evictions and bindings:
// then the object is what was sent.
func (c *call) confirms(err error, sent any, into runtime.Object) bool {
	var status *codec.StatusError
	obj, ok := sent.(Object)
	if !ok || !errors.As(err, &status) || status.Status.Status != metav1.StatusSuccess {
		return false
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(obj.DeepCopyObject()).Elem())
	into.GetObjectKind().SetGroupVersionKind(c.body)
	return true
}

// send makes the call and returns an answer of 2xx, or an *Error.
func (c *call) send(ctx context.Context, p transport.Policy) (*transport.Response, error) {
	c.spec.Accept = c.accept()
	r, err := request.Build(c.spec)
	if err != nil {
		return nil, c.refuse(err)
	}
	p.OnRetry = func(attempt int, delay time.Duration, status int, err error) {
		c.settings.log.retried(ctx, c, attempt, delay, status, err)
	}
	c.sent = r
	res, err := c.client.transport.Do(ctx, r, p)
	if err != nil {
		var f *transport.Error
		errors.As(err, &f)
		return nil, c.broken(f.Err, f.Attempts)
	}
	c.warn(ctx, res.Header["Warning"])
	if res.Status/100 != 2 {
		return nil, c.answered(res)
	}
	return res, nil
}

func (c *call) newError() *Error {
	resource := c.spec.Resource.GroupResource().String()
	if c.spec.Resource.Resource == "" {
		resource = c.kind.GroupKind().String()
	}
	if resource == "" {
		resource = "objects"
	}
	if c.spec.Subresource != "" {
		resource += "/" + c.spec.Subresource
	}
	e := &Error{Verb: string(c.spec.Verb), Resource: resource, Namespace: c.spec.Namespace, Name: nonEmpty(c.spec.Name, c.name)}
	if c.sent != nil {
		e.URL = c.client.transport.URL(c.sent)
	}
	return e
}

// refuse is an error of a call that was not sent.
func (c *call) refuse(cause error) *Error {
	e := c.newError()
	e.cause = cause
	return e
}

// broken is an error of a call that got no whole answer.
func (c *call) broken(cause error, attempts int) *Error {
	e := c.newError()
	e.cause, e.Attempts = fmt.Errorf("%s: %w", c.client.Server(), explain(cause)), attempts
	return e
}

// answered is the error of an answer that is not 2xx.
func (c *call) answered(res *transport.Response) *Error {
	e := c.newError()
	e.Code, e.Attempts, e.RetryAfter = res.Status, res.Attempts, res.RetryAfter()
	var status metav1.Status
	if err := codec.Decode(res.Content, res.ContentType(), &status, schema.GroupVersionKind{}); err == nil && status.Kind == "Status" {
		e.status, e.Reason, e.Message = &status, status.Reason, status.Message
		return e
	}
	switch plain := strings.TrimSpace(string(res.Content)); {
	case res.Status/100 == 3:
		e.Message = fmt.Sprintf("%s: redirected to %s: this is not a Kubernetes API server, or not its address", c.client.Server(), res.Header.Get("Location"))
	case res.Status == http.StatusNotFound && plain == "404 page not found":
		e.Message = fmt.Sprintf("the server has no %s in %s: is its CustomResourceDefinition installed, and this version served?", nonEmpty(c.spec.Resource.Resource, c.kind.Kind), c.kind.GroupVersion())
	case plain == "" || strings.HasPrefix(res.ContentType(), "text/html"):
		e.Message = fmt.Sprintf("%s: the answer is not that of a Kubernetes API server (%s): is there a proxy in between?", c.client.Server(), nonEmpty(res.ContentType(), "empty"))
	default:
		e.Message = c.client.Server() + ": " + plain[:min(len(plain), maxPlainMessage)]
	}
	return e
}

// notKubernetes is the error of an answer of 2xx that cannot be understood.
func (c *call) notKubernetes(res *transport.Response, cause error) *Error {
	e := c.newError()
	e.Code, e.Attempts = res.Status, res.Attempts
	e.cause = fmt.Errorf("%s: %w; is this the address of a Kubernetes API server?", c.client.Server(), cause)
	return e
}

func nonEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// attrs names the call in a log.
func (c *call) attrs() []slog.Attr {
	e := c.newError()
	attrs := []slog.Attr{slog.String("verb", e.Verb), slog.String("resource", e.Resource), slog.String("server", c.client.Server())}
	if e.Namespace != "" {
		attrs = append(attrs, slog.String("namespace", e.Namespace))
	}
	if e.Name != "" {
		attrs = append(attrs, slog.String("name", e.Name))
	}
	return attrs
}

// told is the error of a Status that came in the middle of a stream.
func (c *call) told(status *metav1.Status) *Error {
	e := c.newError()
	e.Attempts = 1
	return e.Answered(status)
}

func isNil(obj Object) bool {
	v := reflect.ValueOf(obj)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}
