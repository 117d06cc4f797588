package devtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubesdk/kubesdk/devserver/deploy"
)

// Rights are what a program asks of an API server, as RBAC has it: to be compared with what its markers say that it needs.
// It is safe for concurrent use.
type Rights struct {
	mu   sync.Mutex
	used map[string]bool // "patch apps/statefulsets"
}

// Record makes all clients of the configuration tell.
func (r *Rights) Record(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return recorder{r, next} })
	return config
}

type recorder struct {
	rights *Rights
	next   http.RoundTripper
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	verb, resource := request(req)
	if resource == "" || err != nil || resp.StatusCode == http.StatusNotFound && verb == "delete" {
		return resp, err
	}
	r.rights.mu.Lock()
	defer r.rights.mu.Unlock()
	if r.rights.used == nil {
		r.rights.used = map[string]bool{}
	}
	r.rights.used[verb+" "+resource] = true
	if verb == "watch" { // an API server that cannot stream what is there needs a list first
		r.rights.used["list "+resource] = true
	}
	if verb == "patch" && resp.StatusCode == http.StatusCreated { // apply needs both
		r.rights.used["create "+resource] = true
	}
	return resp, nil
}

// request is the verb and the resource that a request is for. Discovery and the like have none.
func request(req *http.Request) (verb, resource string) {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return "", ""
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource = group + "/" + parts[0]
	named := len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	switch {
	case req.Method == http.MethodGet && named:
		return "get", resource
	case req.Method == http.MethodGet && req.URL.Query().Get("watch") != "":
		return "watch", resource
	case req.Method == http.MethodGet:
		return "list", resource
	case req.Method == http.MethodDelete && !named:
		return "deletecollection", resource
	}
	return map[string]string{
		http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
	}[req.Method], resource
}

// Compare says where what was used differs from the markers of the packages at paths, relative to the current folder. Left out
// are rights that no request shows: bind and escalate, and updates of finalizers.
func (r *Rights) Compare(ctx context.Context, paths string) error {
	dir, err := os.MkdirTemp("", "rights-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the temporary folder
	if out, err := exec.CommandContext(ctx, "go", "tool", "controller-gen", "rbac:roleName=x", "paths="+paths, "output:rbac:dir="+dir).CombinedOutput(); err != nil {
		return fmt.Errorf("controller-gen: %w: %s", err, out)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "role.yaml"))
	if err != nil {
		return err
	}
	said, err := rightsIn(manifest)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var problems []string
	for _, right := range slices.Sorted(maps.Keys(said)) {
		if !r.used[right] {
			problems = append(problems, "never used: "+right)
		}
	}
	for _, right := range slices.Sorted(maps.Keys(r.used)) {
		if !said[right] {
			problems = append(problems, "used without a marker: "+right)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("the rbac markers and what is used differ:\n%s", strings.Join(problems, "\n"))
	}
	return nil
}

func rightsIn(manifest []byte) (map[string]bool, error) {
	objects, err := deploy.Parse(manifest)
	if err != nil {
		return nil, err
	}
	said := map[string]bool{}
	for _, obj := range objects {
		text, err := yaml.Marshal(obj.Object)
		if err != nil {
			return nil, err
		}
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(text, &role); err != nil {
			return nil, err
		}
		for _, rule := range role.Rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						if verb != "bind" && verb != "escalate" && !strings.HasSuffix(resource, "/finalizers") {
							said[verb+" "+group+"/"+resource] = true
						}
					}
				}
			}
		}
	}
	return said, nil
}
