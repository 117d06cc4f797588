package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/kubesdk/kubesdk/cluster/internal/plan"
	"github.com/kubesdk/kubesdk/cluster/internal/state"
	"github.com/kubesdk/kubesdk/cluster/internal/sweep"
)

// process is a running component, the leader of its process group.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// self is this program, also after its file was replaced by a newer build.
const self = "/proc/self/exe"

// starts is served by a thread that lives as long as the process. The kernel ties the death signal of a child to the
// thread that made it, and Go ends threads when it likes.
var starts = func() chan func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
}()

// start starts the step's process, with its output appended to its log.
func start(step plan.Step, dir state.Dir) (*process, error) {
	log, err := os.OpenFile(dir.Log(step.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", step.Name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self) //nolint:noctx // kill ends it, and its group
	cmd.Args = append([]string{"localkube", step.Name}, step.Args...)
	if step.Path != "" {
		cmd = exec.Command(step.Path, step.Args...) //nolint:noctx // as above
	}
	cmd.Dir = dir.Path()
	cmd.Env = append(os.Environ(), append(step.Env, sweep.Mark(dir))...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	starts <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return nil, fmt.Errorf("start %s: %w", step.Name, err)
	}
	return &process{cmd: cmd, done: make(chan struct{})}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// wait returns when the process has ended.
func (p *process) wait() *os.ProcessState {
	_ = p.cmd.Wait() // its error repeats the state
	close(p.done)
	return p.cmd.ProcessState
}

// kill ends the process and its group at once and returns when it is gone. A cluster's data goes with the cluster, so no
// component has anything to finish; kube-apiserver would drain its watches for more than a minute.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	<-p.done
}
