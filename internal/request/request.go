// Package request decides what one call sends: method, path, query and headers for a verb on a resource. It does no I/O
// and reads no clock, so every rule about addressing an object is a table test.
//
//	r, err := request.Build(request.Spec{Verb: request.Get, Resource: deployments, Namespace: "default", Name: "web"})
//	// r.Method == "GET", r.Path == "/apis/apps/v1/namespaces/default/deployments/web"
package request

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Verb is a Kubernetes API verb, spelled as RBAC rules spell it.
type Verb string

// The verbs that this client sends.
const (
	Get              Verb = "get"
	List             Verb = "list"
	Watch            Verb = "watch"
	Create           Verb = "create"
	Update           Verb = "update"
	Patch            Verb = "patch"
	Delete           Verb = "delete"
	DeleteCollection Verb = "deletecollection"
)

var methods = map[Verb]string{
	Get: http.MethodGet, List: http.MethodGet, Watch: http.MethodGet, Create: http.MethodPost, Update: http.MethodPut,
	Patch: http.MethodPatch, Delete: http.MethodDelete, DeleteCollection: http.MethodDelete,
}

// Resource is where objects of one kind are served.
type Resource struct {
	schema.GroupVersionResource
	Namespaced bool
}

// Spec says what a call is about.
type Spec struct {
	Verb        Verb
	Resource    Resource
	Namespace   string // empty: every namespace (list, watch), or a cluster-scoped resource
	Name        string
	Subresource string
	Query       url.Values
	Accept      string
	ContentType string
	Body        []byte
	Guarded     bool // the body or the preconditions make a second sending harmless
}

// Request is what goes on the wire. It can be sent any number of times.
type Request struct {
	Verb        Verb
	Method      string
	Path        string // escaped, without the server's prefix
	RawQuery    string
	Accept      string
	ContentType string
	Body        []byte
	// Replayable says that sending the request twice has the effect of sending it once: reads, and writes that carry
	// a resourceVersion or a UID, or are a server-side apply.
	Replayable bool
}

// Build checks s and turns it into a Request. Its errors name the field that is wrong.
func Build(s Spec) (*Request, error) {
	if err := checkAddress(s); err != nil {
		return nil, err
	}
	return &Request{
		Verb:        s.Verb,
		Method:      methods[s.Verb],
		Path:        s.path(),
		RawQuery:    s.Query.Encode(),
		Accept:      s.Accept,
		ContentType: s.ContentType,
		Body:        s.Body,
		Replayable:  s.replayable(),
	}, nil
}

func (s Spec) replayable() bool {
	switch s.Verb {
	case Get, List, Watch:
		return true
	case Update, Delete:
		return s.Guarded
	case Patch:
		return s.ContentType == string(types.ApplyYAMLPatchType)
	default:
		return false
	}
}

func checkAddress(s Spec) error {
	named := s.Verb == Get || s.Verb == Update || s.Verb == Patch || s.Verb == Delete
	res := s.Resource.Resource
	switch {
	case !s.Resource.Namespaced && s.Namespace != "":
		return fmt.Errorf("%s is cluster-scoped, so it takes no namespace (given: %q): leave it out of the handle and the object", res, s.Namespace)
	case s.Resource.Namespaced && s.Namespace == "" && s.Verb != List && s.Verb != Watch:
		return fmt.Errorf("%s is namespaced and no namespace was given: use .Namespace(...) on the handle or set the object's metadata.namespace", res)
	case (named || s.Subresource != "" && s.Verb == Create) && s.Name == "":
		return fmt.Errorf("the name is empty: %s of %s needs the name of one object", s.Verb, res)
	}
	for _, part := range [...]struct{ field, value string }{{"namespace", s.Namespace}, {"name", s.Name}} {
		if part.value == "" {
			continue
		}
		if problems := content.IsPathSegmentName(part.value); len(problems) > 0 {
			return fmt.Errorf("the %s %q is not valid in a URL path: it %s", part.field, part.value, strings.Join(problems, ", "))
		}
	}
	return nil
}

func (s Spec) path() string {
	var b strings.Builder
	b.Grow(96)
	if s.Resource.Group == "" {
		b.WriteString("/api/")
	} else {
		b.WriteString("/apis/")
		b.WriteString(s.Resource.Group)
		b.WriteByte('/')
	}
	b.WriteString(s.Resource.Version)
	if s.Namespace != "" {
		b.WriteString("/namespaces/")
		b.WriteString(url.PathEscape(s.Namespace))
	}
	for _, part := range [...]string{s.Resource.Resource, s.Name, s.Subresource} {
		if part != "" {
			b.WriteByte('/')
			b.WriteString(url.PathEscape(part))
		}
	}
	return b.String()
}
