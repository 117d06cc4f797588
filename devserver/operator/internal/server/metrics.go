package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
)

// collector counts servers by phase when somebody asks, from the cache.
type collector struct {
	reader client.Reader
}

// count has the servers counted as long as this operator is the one that works.
func count(mgr ctrl.Manager) error {
	c := &collector{mgr.GetClient()}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if err := metrics.Registry.Register(c); err != nil {
			var twice prometheus.AlreadyRegisteredError
			if errors.As(err, &twice) { // by another operator in this process, as tests have it
				return nil
			}
			return fmt.Errorf("register the count of servers: %w", err)
		}
		<-ctx.Done()
		metrics.Registry.Unregister(c)
		return nil
	}))
}

var perPhase = prometheus.NewDesc("devserver_operator_servers", "DevServers by phase.", []string{"phase"}, nil)

// Describe is part of prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) { to <- perPhase }

// Collect is part of prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // the cache may not be filled yet
	defer cancel()
	var list devserverv1.DevServerList
	if err := c.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	counts := map[devserverv1.Phase]int{}
	for i := range list.Items {
		counts[list.Items[i].Status.Phase]++
	}
	for _, phase := range []devserverv1.Phase{
		devserverv1.PhasePending, devserverv1.PhaseStarting, devserverv1.PhaseRunning, devserverv1.PhaseStopping,
		devserverv1.PhaseStopped, devserverv1.PhaseFailed, devserverv1.PhaseTerminating,
	} {
		to <- prometheus.MustNewConstMetric(perPhase, prometheus.GaugeValue, float64(counts[phase]), string(phase))
	}
}
