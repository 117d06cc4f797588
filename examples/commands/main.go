// Command commands runs commands in a pod as os/exec does here, and reads the pod's log.
//
//	go run ./examples/commands
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/pod"
)

//example:node

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) error {
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	pods := kubesdk.For[*corev1.Pod](c).Namespace(c.Namespace())
	created, err := pods.Create(ctx, shell())
	if err != nil {
		return err
	}
	defer func() { _ = pods.Delete(context.WithoutCancel(ctx), created.Name) }()

	// The target waits for the container to run.
	target := pod.Named(c, created.Namespace, created.Name).ReadyWithin(2 * time.Minute)
	out, err := pod.Command(target, "echo", "no shell sees $HOME or *").Output(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Output: %s", out)

	// Standard input, a folder, a variable of the environment.
	sort := pod.Shell(target, `sort; echo "$GREETING from $PWD"`)
	sort.Stdin, sort.Stdout = strings.NewReader("pear\napple\n"), os.Stdout
	sort.Dir, sort.Env = "/tmp", []string{"GREETING=hello"}
	if err := sort.Run(ctx); err != nil {
		return err
	}

	// What went wrong is told apart.
	var exit *pod.ExitError
	if err := pod.Shell(target, "echo there is no such color >&2; exit 7").Run(ctx); errors.As(err, &exit) {
		fmt.Printf("Exit code %d: %s", exit.Code, exit.Stderr)
	}
	err = pod.Command(target, "no-such-command").Run(ctx)
	fmt.Println("No such command:", errors.Is(err, exec.ErrNotFound))

	// When the context ends, so do the command and what it has started.
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	err = pod.Command(target, "sleep", "1000").Run(short)
	fmt.Println("Cancelled:", errors.Is(err, context.DeadlineExceeded))

	for line, err := range pod.Logs(ctx, target, pod.LogOptions{Tail: 2}) {
		if err != nil {
			return err
		}
		fmt.Printf("Log of %s: %s\n", line.Container, line.Text)
	}
	return nil
}

// shell is a pod with a shell in it that writes to its log and waits.
func shell() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "commands-example"},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers:                    []corev1.Container{{Name: "shell", Image: "busybox:1", Command: []string{"sh", "-c", "echo one; echo two; echo three; exec sleep infinity"}}},
		},
	}
}
