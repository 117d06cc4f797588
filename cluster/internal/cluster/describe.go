package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// Info is what there is to say about a cluster.
type Info struct {
	Name       string            `json:"name"`
	Phase      state.Phase       `json:"phase"`
	Node       bool              `json:"node"`
	Server     string            `json:"server"`
	Kubeconfig string            `json:"kubeconfig"`
	Context    string            `json:"context"`
	Dir        string            `json:"dir"`
	Created    time.Time         `json:"created"`
	Components []state.Component `json:"components"`
}

// Describe says how the cluster in dir is. The error wraps [state.ErrNotFound] if there is none.
func Describe(dir state.Dir) (Info, error) {
	cfg, err := dir.ReadConfig()
	if err != nil {
		return Info{}, err
	}
	status, err := dir.ReadStatus()
	if err != nil {
		return Info{}, err
	}
	info := Info{
		Name: cfg.Name, Phase: status.Phase, Node: cfg.Node, Server: plan.ServerURL(cfg), Kubeconfig: dir.Kubeconfig(),
		Context: plan.ContextName(cfg.Name), Dir: dir.Path(), Created: cfg.Created, Components: status.Components,
	}
	switch {
	case !dir.Alive():
		info.Phase = state.Dead
		for i := range info.Components {
			c := &info.Components[i]
			if c.PID != 0 {
				c.PID, c.Phase = 0, state.Dead
			}
		}
	case info.Phase == "":
		info.Phase = state.Starting
	case cfg.Node:
		machinePIDs(dir, info.Components)
	}
	for i := range info.Components {
		if c := &info.Components[i]; c.Phase == state.Exited {
			c.Log = tail(dir, c.Name)
		}
	}
	return info, nil
}

// Down stops the cluster and leaves nothing of it. waiting, which may be nil, is called if it has to wait for another
// localkube. The error wraps [state.ErrNotFound] if there was nothing.
func Down(ctx context.Context, dir state.Dir, waiting func()) error {
	lock, err := dir.Lock(ctx, waiting)
	if err != nil {
		return err
	}
	defer lock.Release()
	if !dir.Exists() {
		_, err := dir.ReadConfig()
		return err
	}
	if err := stop(dir); err != nil {
		return err
	}
	return sweep.Remove(dir)
}

// failure says how the component ended, with the end of its log.
func failure(dir state.Dir, c state.Component) error {
	text := fmt.Sprintf("%s of cluster %q failed: %s", c.Name, dir.Name(), c.Message)
	if log := tail(dir, c.Name); log != "" {
		text += "; the end of " + dir.Log(c.Name) + ":\n" + log
	}
	return errors.New(text)
}

// tail is the end of the component's log, "" if it has none.
func tail(dir state.Dir, component string) string {
	data, err := os.ReadFile(dir.Log(component))
	if err != nil {
		return ""
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-12):], nil))
}
