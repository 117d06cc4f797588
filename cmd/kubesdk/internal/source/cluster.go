package source

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	kjson "sigs.k8s.io/json"

	"github.com/kubesdk/kubesdk/cmd/kubesdk/internal/schema"
)

// Selection narrows what is read from a cluster. Empty lists select all; "core" is the core group.
type Selection struct {
	Groups, Versions []string
}

func (s Selection) has(group, version string) bool {
	if group == "" {
		group = "core"
	}
	return (len(s.Groups) == 0 || slices.Contains(s.Groups, group) || group == "core" && slices.Contains(s.Groups, "")) &&
		(len(s.Versions) == 0 || slices.Contains(s.Versions, version))
}

// parallel is how many documents are read at once.
const parallel = 4

// Cluster reads the schemas of a live API server: its CustomResourceDefinitions if it lets them be listed,
// which say most, and OpenAPI v3 documents for everything else. A document that cannot be read is a failure of
// its group-version in the set; the error is for a server that cannot be read at all. One line for each
// document goes to progress.
func Cluster(ctx context.Context, config *rest.Config, sel Selection, progress io.Writer) (*schema.Set, error) {
	s, err := newServer(config)
	if err != nil {
		return nil, err
	}
	set := &schema.Set{}
	defined, err := s.definitions(ctx, set, sel)
	if err != nil {
		return nil, err
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := s.get(ctx, "/openapi/v3", &index); err != nil {
		return nil, err
	}
	if len(index.Paths) == 0 {
		return nil, fmt.Errorf("%s/openapi/v3 lists no documents: this is not a Kubernetes API server, or one older than 1.24", s.base)
	}
	var wanted []string
	for path := range index.Paths {
		gv, _, ok := splitPath("/" + path + "/")
		if ok && sel.has(gv.Group, gv.Version) && !defined[gv.Group+"/"+gv.Version] {
			wanted = append(wanted, path)
		}
	}
	slices.Sort(wanted)
	results := make([]schema.Set, len(wanted))
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	slots := make(chan struct{}, parallel)
	for i, path := range wanted {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			at := index.Paths[path].URL
			if at == "" {
				at = "/openapi/v3/" + path
			}
			results[i] = s.document(ctx, path, at)
			mu.Lock()
			defer mu.Unlock()
			done++
			_, _ = fmt.Fprintf(progress, "read %d/%d %s\n", done, len(wanted), path)
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("interrupted while reading from %s: %w", s.base, err)
	}
	for i := range results {
		set.Merge(&results[i])
	}
	return set, nil
}

// document reads one OpenAPI document.
func (s *server) document(ctx context.Context, path, at string) schema.Set {
	scope := strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/")
	data, err := s.read(ctx, at)
	if err != nil {
		return schema.Set{Failures: []schema.ScopeError{{Scope: scope, Err: err}}}
	}
	kinds, err := openAPI(data, s.base+at)
	if err != nil {
		return schema.Set{Failures: []schema.ScopeError{{Scope: scope, Err: err}}}
	}
	return schema.Set{Kinds: kinds}
}

// definitions adds the CustomResourceDefinitions and returns the group-versions that they define. A server
// that does not let them be listed is noted.
func (s *server) definitions(ctx context.Context, set *schema.Set, sel Selection) (map[string]bool, error) {
	defined := map[string]bool{}
	next := ""
	for {
		var list apiextensionsv1.CustomResourceDefinitionList
		err := s.get(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=100&continue="+url.QueryEscape(next), &list)
		var refused *statusError
		if errors.As(err, &refused) && (refused.code == http.StatusForbidden || refused.code == http.StatusNotFound) {
			set.Notes = append(set.Notes, fmt.Sprintf("custom resources are read from OpenAPI, without printer columns: %v", err))
			return map[string]bool{}, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			crd := &list.Items[i]
			for _, k := range kindsOf(crd, s.base+"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+crd.Name) {
				if defined[k.Group+"/"+k.Version] = true; sel.has(k.Group, k.Version) {
					set.Add(k)
				}
			}
		}
		if next = list.Continue; next == "" {
			return defined, nil
		}
	}
}

// server is an API server to read from.
type server struct {
	base   string // URL without credentials and without a slash at the end
	client *http.Client
}

func newServer(config *rest.Config) (*server, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("the server's URL %q: %w", config.Host, err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", base.Redacted(), err)
	}
	base.User = nil
	return &server{base: strings.TrimSuffix(base.String(), "/"), client: client}, nil
}

// hint says what to do about a connection that failed.
func hint(err error) string {
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return "; use a kubeconfig, which has the authority's certificate, or --skip-tls"
	}
	return ""
}

// statusError is an answer other than 200.
type statusError struct {
	url  string
	code int
	text string
}

func (e *statusError) Error() string {
	hint := ""
	switch e.code {
	case http.StatusUnauthorized:
		hint = "; the credentials are missing, wrong or expired"
	case http.StatusForbidden:
		hint = "; the user may not read this"
	}
	return fmt.Sprintf("GET %s: %d %s%s%s", e.url, e.code, http.StatusText(e.code), e.text, hint)
}

// get reads JSON from a path.
func (s *server) get(ctx context.Context, path string, into any) error {
	data, err := s.read(ctx, path)
	if err != nil {
		return err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, into); err != nil {
		return fmt.Errorf("GET %s: the answer is not the JSON of a Kubernetes API server: %w", s.base+path, err)
	}
	return nil
}

func (s *server) read(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.base+path, err)
	}
	req.Header.Set("Accept", "application/json")
	at, _, _ := strings.Cut(s.base+path, "?")
	res, err := s.client.Do(req)
	if err != nil {
		var sent *url.Error
		if errors.As(err, &sent) {
			err = sent.Err
		}
		return nil, fmt.Errorf("GET %s: the server cannot be reached: %w%s", at, err, hint(err))
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", s.base+path, err)
	}
	if res.StatusCode != http.StatusOK {
		var status struct {
			Message string `json:"message"`
		}
		text := ""
		if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &status); err == nil && status.Message != "" {
			text = ": " + status.Message
		}
		return nil, &statusError{at, res.StatusCode, text}
	}
	return data, nil
}
