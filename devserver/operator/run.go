package operator

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	devserverv1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/operator/internal/flavor"
	devservers "github.com/kubesdk/kubesdk/devserver/operator/internal/server"
	"github.com/kubesdk/kubesdk/devserver/operator/internal/user"
)

const (
	// leaseName is the name of the lease of the operator that works.
	leaseName = "devserver-operator.devserver.io"
	// stopWithin is how long work under way gets when the operator stops.
	stopWithin = 20 * time.Second
)

//+kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=devserver-system
//+kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch,namespace=devserver-system

// Run runs the operator on the cluster of a configuration until the context is done, then lets the work under way end,
// gives the lease back and returns nil. It is an error if the cluster lacks the custom resources, or the lease is lost.
func Run(ctx context.Context, cluster *rest.Config, settings Settings, logger *slog.Logger) error {
	if err := settings.Validate(); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	logr := logr.FromSlogHandler(logger.Handler())
	log.SetLogger(logr)
	klog.SetLogger(logr.WithName("client"))
	mgr, err := newManager(cluster, settings, logr)
	if err != nil {
		return fmt.Errorf("set the operator up: %w", err)
	}
	if err := addControllers(ctx, mgr, settings); err != nil {
		return fmt.Errorf("set the operator up: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the operator: %w", err)
	}
	return nil
}

func newManager(cluster *rest.Config, settings Settings, logger logr.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := devserverv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	cluster = rest.CopyConfig(cluster)
	cluster.QPS = -1 // the server's priority and fairness knows better
	cluster.UserAgent = "devserver-operator"
	mgr, err := ctrl.NewManager(cluster, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logger,
		Cache:                         cache.Options{ByObject: devservers.Cached(), DefaultTransform: cache.TransformStripManagedFields()},
		LeaderElection:                settings.LeaderElection,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       settings.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       server.Options{BindAddress: settings.MetricsAddress},
		HealthProbeBindAddress:        settings.HealthAddress,
		GracefulShutdownTimeout:       new(stopWithin),
		Controller:                    config.Controller{SkipNameValidation: new(true)}, // of metrics; tests run several operators in one process
	})
	if err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("ping", healthz.Ping)
}

func addControllers(ctx context.Context, mgr ctrl.Manager, settings Settings) error {
	servers := &devservers.Reconciler{
		Defaults: devservers.Defaults{
			Image:      settings.DefaultDevserverImage,
			AgentImage: settings.StaticDependenciesImage,
			HomeSize:   settings.DefaultPersistentHomeSize,
		},
		TimeToLive: settings.DefaultTimeToLive,
		Resync:     settings.ExpirationInterval,
	}
	if err := servers.SetupWithManager(ctx, mgr, settings.WorkerLimit); err != nil {
		return err
	}
	flavors := &flavor.Reconciler{Interval: settings.FlavorReconciliationInterval, Autoscaled: settings.NodesAreAutoscaled}
	if err := flavors.SetupWithManager(mgr); err != nil {
		return err
	}
	return (&user.Reconciler{}).SetupWithManager(ctx, mgr)
}
