package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/bench/internal/headline"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

// starts measures processes that make a client, read one Deployment from the real API server, and end.
func (s *session) starts(ctx context.Context) (err error) {
	c, err := kubesdk.Login(ctx, kubesdk.Kubeconfig(s.Kubeconfig))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := kubesdk.For[*corev1.Namespace](c).Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bench"}}); err != nil {
		return err
	}
	defer func() {
		if e := kubesdk.For[*corev1.Namespace](c).Delete(context.WithoutCancel(ctx), "bench"); err == nil {
			err = e
		}
	}()
	if _, err := kubesdk.For[*appsv1.Deployment](c).Create(ctx, object.Deployment("bench", "shop")); err != nil {
		return err
	}
	clients := []string{sdk, clientGo, controllerRuntime, dynamicClient}
	all := make([][]Start, len(clients))
	for range s.Sizes.Starts {
		for i, client := range clients {
			began := time.Now()
			out, state, err := s.start(ctx, programs[client], "-kubeconfig", s.Kubeconfig, "-workload", "get", "-first")
			if err != nil {
				return err
			}
			one := Start{Client: client, Wall: time.Since(began), CPU: state.UserTime() + state.SystemTime()}
			if err := json.Unmarshal(out, &one.Requests); err != nil {
				return fmt.Errorf("%s: %w", client, err)
			}
			all[i] = append(all[i], one)
		}
	}
	for i, client := range clients {
		s.results.Starts = append(s.results.Starts, Start{
			Client: client, Requests: all[i][0].Requests,
			Wall: time.Duration(median(all[i], func(o Start) float64 { return float64(o.Wall) })),
			CPU:  time.Duration(median(all[i], func(o Start) float64 { return float64(o.CPU) })),
		})
	}
	return nil
}

const headlineInFlight = 500

// headline runs the whole workload with each client by turns.
func (s *session) headline(ctx context.Context) error {
	all := map[string]map[string][]headline.Phase{}
	for range s.Sizes.HeadlineRuns {
		for _, client := range headline.Clients {
			out, _, err := s.start(ctx, "headline", "-kubeconfig", s.Kubeconfig, "-client", client, "-json",
				"-n", strconv.Itoa(s.Sizes.Deployments), "-concurrency", strconv.Itoa(min(headlineInFlight, s.Sizes.Deployments)))
			if err != nil {
				return err
			}
			var phases []headline.Phase
			if err := json.Unmarshal(out, &phases); err != nil {
				return fmt.Errorf("%s: %w", client, err)
			}
			for _, p := range phases {
				if all[p.Name] == nil {
					all[p.Name] = map[string][]headline.Phase{}
				}
				all[p.Name][client] = append(all[p.Name][client], p)
			}
		}
	}
	for _, phase := range headline.PhaseNames {
		for _, client := range headline.Clients {
			s.results.Headline = append(s.results.Headline, System{
				Phase: phase, Client: client,
				Rate: median(all[phase][client], headline.Phase.Rate),
				CPU:  time.Duration(median(all[phase][client], func(p headline.Phase) float64 { return float64(p.CPU) / float64(p.Objects) })),
			})
		}
	}
	return nil
}

// patches measures how long it takes to compute one.
func (s *session) patches(ctx context.Context) error {
	out, _, err := s.start(ctx, "patchcost", "-rounds", strconv.Itoa(s.Sizes.Rounds), "-calls", strconv.Itoa(min(500, s.Sizes.Calls)))
	if err != nil {
		return err
	}
	return json.Unmarshal(out, &s.results.Patches)
}
