// Command files copies a folder into a pod and back, and then sends only what has changed.
//
//	go run ./examples/files
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
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
	created, err := pods.Create(ctx, waiting())
	if err != nil {
		return err
	}
	defer func() { _ = pods.Delete(context.WithoutCancel(ctx), created.Name) }()
	target := pod.Named(c, created.Namespace, created.Name).ReadyWithin(2 * time.Minute)
	site, err := newSite()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(site) }()

	// Up and down again: number, sizes and hashes are compared before anything is in its place.
	up, err := pod.CopyTo(ctx, target, site, "/srv/site", pod.CopyOptions{Ignore: []string{"*.tmp"}})
	if err != nil {
		return err
	}
	fmt.Printf("Copied %d files, %d bytes\n", up.Files, up.Bytes)
	back := filepath.Join(site, "back")
	if _, err := pod.CopyFrom(ctx, target, "/srv/site/css", back, pod.CopyOptions{}); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(back, "main.css"))
	if err != nil {
		return err
	}
	fmt.Printf("Came back: %s", text)

	// Afterwards only what differs: first as a list, then in earnest.
	if err := errors.Join(write(site, "index.html", "<h1>Hello, pod</h1>\n"), os.Remove(filepath.Join(site, "old.html"))); err != nil {
		return err
	}
	o := pod.SyncOptions{Delete: true, DryRun: true}
	o.Ignore = []string{"*.tmp", "back"}
	plan, err := pod.Sync(ctx, target, site, "/srv/site", o)
	if err != nil {
		return err
	}
	for _, change := range plan.Changes {
		if change.Kind == "file" {
			fmt.Println("Would", change)
		}
	}
	o.DryRun = false
	done, err := pod.Sync(ctx, target, site, "/srv/site", o)
	if err != nil {
		return err
	}
	out, err := pod.Shell(target, "cd /srv/site && cat index.html && find . -type f | sort").Output(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Sent %d file of %d; in the pod now:\n%s", done.Files, up.Files, out)
	return nil
}

// newSite makes the folder to copy.
func newSite() (string, error) {
	dir, err := os.MkdirTemp("", "files-example-")
	if err != nil {
		return "", err
	}
	return dir, errors.Join(
		write(dir, "index.html", "<h1>Hello</h1>\n"), write(dir, "old.html", "<h1>Old</h1>\n"),
		write(dir, "css/main.css", "h1 { color: teal }\n"), write(dir, "notes.tmp", "not for the pod\n"),
	)
}

func write(dir, name, text string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
}

func waiting() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "files-example"},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers:                    []corev1.Container{{Name: "files", Image: "busybox:1", Command: []string{"sleep", "infinity"}}},
		},
	}
}
