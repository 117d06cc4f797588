package operator

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// Settings of the operator. [DefaultSettings] are a good start; [Settings.Load] reads a file and the environment.
type Settings struct {
	// ExpirationInterval is the longest that a server with an end is not looked at. Ends are acted on at their time: this is
	// for clocks that are set.
	ExpirationInterval time.Duration
	// FlavorReconciliationInterval is how often flavors are compared with the nodes when nothing tells of a change.
	FlavorReconciliationInterval time.Duration
	// WorkerLimit is how many DevServers are worked on at once.
	WorkerLimit int
	// DefaultDevserverImage is the image of servers that name none.
	DefaultDevserverImage string
	// StaticDependenciesImage has the agent at /devserver-agent. It is needed.
	StaticDependenciesImage string
	// DefaultPersistentHomeSize is the size of homes that name none.
	DefaultPersistentHomeSize resource.Quantity
	// DefaultTimeToLive is that of servers that name none. 0 is for ever.
	DefaultTimeToLive time.Duration
	// NodesAreAutoscaled says that nodes are made on demand: a flavor that fits no node is AUTOSCALED then, and not No.
	NodesAreAutoscaled bool
	// LeaderElection makes one of several operators work, and the others wait.
	LeaderElection bool
	// LeaderElectionNamespace holds the lease. Empty means the operator's own namespace, in a cluster.
	LeaderElectionNamespace string
	// MetricsAddress serves Prometheus metrics at /metrics. "0" serves none.
	MetricsAddress string
	// HealthAddress serves /healthz and /readyz. "0" serves none.
	HealthAddress string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// LogFormat is json or text.
	LogFormat string
}

// DefaultSettings are the settings where nobody says otherwise.
func DefaultSettings() Settings {
	return Settings{
		ExpirationInterval:           time.Minute,
		FlavorReconciliationInterval: time.Minute,
		WorkerLimit:                  16,
		DefaultDevserverImage:        "docker.io/library/ubuntu:24.04",
		DefaultPersistentHomeSize:    resource.MustParse("10Gi"),
		DefaultTimeToLive:            24 * time.Hour,
		LeaderElection:               true,
		MetricsAddress:               ":8080",
		HealthAddress:                ":8081",
		LogLevel:                     "info",
		LogFormat:                    "json",
	}
}

// Setting is one of the settings, under its name in the file.
type Setting struct {
	// Name in the file, such as workerLimit.
	Name string
	// Usage says what it is for, in a line.
	Usage string

	get func() string
	set func(string) error
}

// Env is the name of the environment variable: DEVSERVER_WORKER_LIMIT.
func (s Setting) Env() string { return "DEVSERVER_" + strings.ToUpper(words(s.Name, "_")) }

// Flag is the name of the flag, without dashes before it: worker-limit.
func (s Setting) Flag() string { return words(s.Name, "-") }

// String is the value.
func (s Setting) String() string { return s.get() }

// Set parses a value.
func (s Setting) Set(value string) error { return s.set(value) }

var capital = regexp.MustCompile(`[A-Z]`)

func words(name, separator string) string {
	return capital.ReplaceAllStringFunc(name, func(c string) string { return separator + strings.ToLower(c) })
}

// List is every setting, with its value in s, which setting one changes.
func (s *Settings) List() []Setting {
	return []Setting{
		durationSetting("expirationInterval", "the longest that a server with an end is not looked at", &s.ExpirationInterval),
		durationSetting("flavorReconciliationInterval", "how often flavors are compared with the nodes", &s.FlavorReconciliationInterval),
		setting("workerLimit", "how many DevServers are worked on at once", &s.WorkerLimit, strconv.Itoa, strconv.Atoi),
		stringSetting("defaultDevserverImage", "image of servers that name none", &s.DefaultDevserverImage),
		stringSetting("staticDependenciesImage", "image with the agent at /devserver-agent; needed", &s.StaticDependenciesImage),
		setting("defaultPersistentHomeSize", "size of homes that name none", &s.DefaultPersistentHomeSize,
			func(q resource.Quantity) string { return q.String() }, resource.ParseQuantity),
		durationSetting("defaultTimeToLive", "time to live of servers that name none, 0 for ever", &s.DefaultTimeToLive),
		setting("nodesAreAutoscaled", "nodes are made on demand for flavors that fit none", &s.NodesAreAutoscaled, strconv.FormatBool, strconv.ParseBool),
		setting("leaderElection", "let one of several operators work", &s.LeaderElection, strconv.FormatBool, strconv.ParseBool),
		stringSetting("leaderElectionNamespace", "namespace of the lease, by default the operator's own", &s.LeaderElectionNamespace),
		stringSetting("metricsAddress", "address for metrics, 0 for none", &s.MetricsAddress),
		stringSetting("healthAddress", "address for health probes, 0 for none", &s.HealthAddress),
		stringSetting("logLevel", "debug, info, warn or error", &s.LogLevel),
		stringSetting("logFormat", "json or text", &s.LogFormat),
	}
}

func setting[T any](name, usage string, value *T, format func(T) string, parse func(string) (T, error)) Setting {
	return Setting{Name: name, Usage: usage, get: func() string { return format(*value) }, set: func(text string) error {
		parsed, err := parse(text)
		if err == nil {
			*value = parsed
		}
		return err
	}}
}

func stringSetting(name, usage string, value *string) Setting {
	return setting(name, usage, value, func(s string) string { return s }, func(s string) (string, error) { return s, nil })
}

// durationSetting takes a number without unit for seconds, which is what older files have.
func durationSetting(name, usage string, value *time.Duration) Setting {
	return setting(name, usage, value, time.Duration.String, func(text string) (time.Duration, error) {
		if seconds, err := strconv.ParseFloat(text, 64); err == nil {
			return time.Duration(seconds * float64(time.Second)), nil
		}
		return time.ParseDuration(text)
	})
}

// Load sets what a YAML file says, if path is not empty, and then what the environment says.
func (s *Settings) Load(path string) error {
	list := s.List()
	if path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the settings: %w", err)
		}
		if err := loadYAML(content, list); err != nil {
			return fmt.Errorf("settings in %s: %w", path, err)
		}
	}
	for _, setting := range list {
		if value, ok := os.LookupEnv(setting.Env()); ok {
			if err := setting.Set(value); err != nil {
				return fmt.Errorf("environment variable %s=%q: %w", setting.Env(), value, err)
			}
		}
	}
	return nil
}

func loadYAML(content []byte, list []Setting) error {
	var said map[string]any
	if err := yaml.UnmarshalStrict(content, &said); err != nil {
		return err
	}
	for _, setting := range list {
		value, ok := said[setting.Name]
		if !ok {
			continue
		}
		delete(said, setting.Name)
		if err := setting.Set(scalar(value)); err != nil {
			return fmt.Errorf("%s: %v: %w", setting.Name, value, err)
		}
	}
	for name := range said {
		return fmt.Errorf("there is no setting %q", name)
	}
	return nil
}

func scalar(value any) string {
	if f, ok := value.(float64); ok { // numbers come as JSON's
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// Validate says what is wrong with the settings.
func (s *Settings) Validate() error {
	var errs []error
	check := func(ok bool, message string) {
		if !ok {
			errs = append(errs, errors.New(message))
		}
	}
	check(s.StaticDependenciesImage != "", "staticDependenciesImage: is needed: the image that has the agent at /devserver-agent")
	check(s.DefaultDevserverImage != "", "defaultDevserverImage: must not be empty")
	check(s.ExpirationInterval > 0, "expirationInterval: must be above 0")
	check(s.FlavorReconciliationInterval > 0, "flavorReconciliationInterval: must be above 0")
	check(s.WorkerLimit > 0, "workerLimit: must be above 0")
	check(s.DefaultPersistentHomeSize.Sign() > 0, "defaultPersistentHomeSize: must be above 0")
	check(s.DefaultTimeToLive >= 0, "defaultTimeToLive: must not be below 0")
	return errors.Join(errs...)
}
