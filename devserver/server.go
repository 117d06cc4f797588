package devserver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/pod"
)

// container is the name of the container that people work in.
const container = "devserver"

// Server is one DevServer: its object, which can refresh, update, patch and delete itself and wait for its status, and what
// runs in its pod. It comes from [Servers], and is not safe for concurrent use; commands that were made of it are independent
// of it.
type Server struct {
	Object

	// Workspace maps local files and folders to where [Server.Sync] puts them in the server.
	Workspace map[string]string

	client *kubesdk.Client
}

// Target is the container that people work in, for what package pod does beside commands: logs, forwarded ports, copies. It
// is the pod that the status named when the server was last read, or, as long as it names none, whichever one is ready.
func (s *Server) Target() pod.Target {
	if s.Status.PodName != "" {
		return pod.Named(s.client, s.Namespace, s.Status.PodName).Container(container)
	}
	return pod.Selected(s.client, s.Namespace, v1.LabelServer+"="+s.Name).Container(container)
}

// Command is the command name with its arguments in the server, shaped like one of os/exec. No shell is involved, and none
// is needed in the image.
func (s *Server) Command(name string, args ...string) *Cmd {
	return &Cmd{Cmd: pod.Command(s.Target(), name, args...), activity: s.activity()}
}

// CommandLine is a command that is given as one string, such as "echo 'hello from inside'". It is cut into words as a shell
// would, and no shell is involved: what only a shell can do is an error. See [pod.Split], and [Server.Shell].
func (s *Server) CommandLine(line string) (*Cmd, error) {
	words, err := pod.Split(line)
	switch {
	case err != nil:
		return nil, err
	case len(words) == 0:
		return nil, fmt.Errorf("the command line %q is empty", line)
	}
	return s.Command(words[0], words[1:]...), nil
}

// Shell is a script for the server's /bin/sh: pipes, redirections and all.
func (s *Server) Shell(script string) *Cmd {
	return &Cmd{Cmd: pod.Shell(s.Target(), script), activity: s.activity()}
}

// Sync brings what Workspace names into the server: folders as [pod.Sync] does, sending what differs and deleting nothing,
// and files as [pod.CopyTo] does. A file whose remote path ends with a slash goes into that folder.
func (s *Server) Sync(ctx context.Context) error {
	if len(s.Workspace) == 0 {
		return &customresource.ConfigError{
			Problem: fmt.Sprintf("sync with DevServer %s/%s: nothing to sync", s.Namespace, s.Name),
			Advice:  "set its Workspace, or give Run the option Workspace",
		}
	}
	defer s.KeepActive(ctx)()
	// Folders come before what others put into them.
	locals := slices.SortedFunc(maps.Keys(s.Workspace), func(a, b string) int {
		return cmp.Or(strings.Compare(s.Workspace[a], s.Workspace[b]), strings.Compare(a, b))
	})
	target := s.Target()
	for _, local := range locals {
		if err := syncOne(ctx, target, local, s.Workspace[local]); err != nil {
			return fmt.Errorf("sync %s with %s of DevServer %s/%s: %w", local, s.Workspace[local], s.Namespace, s.Name, err)
		}
	}
	return nil
}

func syncOne(ctx context.Context, target pod.Target, local, remote string) error {
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	if info.IsDir() {
		_, err = pod.Sync(ctx, target, local, remote, pod.SyncOptions{})
		return err
	}
	if strings.HasSuffix(remote, "/") {
		remote = path.Join(remote, filepath.Base(local))
	}
	_, err = pod.CopyTo(ctx, target, local, remote, pod.CopyOptions{})
	return err
}

// checkWorkspace finds out early what Sync could not do.
func checkWorkspace(workspace map[string]string) error {
	for _, local := range slices.Sorted(maps.Keys(workspace)) {
		if _, err := os.Stat(local); err != nil {
			return fmt.Errorf("the workspace: %w", err)
		}
		if !path.IsAbs(workspace[local]) {
			return &customresource.ConfigError{
				Problem: fmt.Sprintf("the workspace: %s is to go to %q, which is no absolute path", local, workspace[local]),
				Advice:  "say where in the server, such as " + path.Join("/home/dev", workspace[local]),
			}
		}
	}
	return nil
}
