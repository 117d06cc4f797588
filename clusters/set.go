package clusters

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/kubesdk/kubesdk"
)

// Set is clients by name, in the order in which they were added. Its zero value is an empty set. It is safe for concurrent
// use, but for Add.
type Set struct {
	names   []string
	clients map[string]*kubesdk.Client
}

// Login logs in with several contexts of a kubeconfig, each a cluster of the set by its context's name. The options hold
// for all of them; with [kubesdk.Kubeconfig] it is the kubeconfig of that path.
//
// Contexts that cannot be used are told of in the error; the set is of the others then, never nil.
func Login(ctx context.Context, contexts []string, opts ...kubesdk.LoginOption) (*Set, error) {
	s := &Set{}
	var failed []error
	for _, name := range contexts {
		c, err := kubesdk.Login(ctx, append(slices.Clone(opts), kubesdk.Context(name))...)
		if err == nil {
			err = s.Add(name, c)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return s, errors.Join(failed...)
}

// LoginAll is [Login] with every context of the kubeconfig.
func LoginAll(ctx context.Context, opts ...kubesdk.LoginOption) (*Set, error) {
	contexts, err := kubesdk.Contexts(opts...)
	if err != nil {
		return &Set{}, err
	}
	return Login(ctx, contexts, opts...)
}

// Add adds a client that was made by other means. The name must be free.
func (s *Set) Add(name string, c *kubesdk.Client) error {
	if _, taken := s.clients[name]; taken {
		return fmt.Errorf("add cluster %q to the set: there is one of that name already", name)
	}
	if s.clients == nil {
		s.clients = map[string]*kubesdk.Client{}
	}
	s.names = append(s.names, name)
	s.clients[name] = c
	return nil
}

// Client is the client of that name, or nil if there is none.
func (s *Set) Client(name string) *kubesdk.Client { return s.clients[name] }

// Len is how many clusters there are.
func (s *Set) Len() int { return len(s.names) }

// All yields the clusters in their order.
func (s *Set) All() iter.Seq2[string, *kubesdk.Client] {
	return func(yield func(string, *kubesdk.Client) bool) {
		for _, name := range s.names {
			if !yield(name, s.clients[name]) {
				return
			}
		}
	}
}

// Close closes all clients.
func (s *Set) Close() {
	for _, c := range s.clients {
		c.Close()
	}
}
