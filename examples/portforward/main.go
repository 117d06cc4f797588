// Command portforward reaches a web server in a pod: through a local port, and without one, through a dialer.
//
//	go run ./examples/portforward
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

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
	created, err := pods.Create(ctx, web())
	if err != nil {
		return err
	}
	defer func() { _ = pods.Delete(context.WithoutCancel(ctx), created.Name) }()

	// By its label: when the pod is replaced, the next connection goes to the new one.
	target := pod.Selected(c, created.Namespace, "app=portforward-example").ReadyWithin(2 * time.Minute)
	f, err := pod.Forward(ctx, target, pod.ForwardOptions{Port: 8080})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	text, err := get(ctx, http.DefaultClient, "http://"+f.Addr().String())
	if err != nil {
		return err
	}
	fmt.Printf("By a local port: %s", text)

	// For a program that takes a dialer there is no need of a port.
	d := pod.NewDialer(target)
	defer func() { _ = d.Close() }()
	text, err = get(ctx, &http.Client{Transport: &http.Transport{DialContext: d.DialContext}}, "http://web:8080")
	if err != nil {
		return err
	}
	fmt.Printf("By a dialer: %s", text)
	return nil
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func web() *corev1.Pod {
	probe := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8080)}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "portforward-example", Labels: map[string]string{"app": "portforward-example"}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers: []corev1.Container{{
				Name: "web", Image: "busybox:1",
				Command:        []string{"sh", "-c", "mkdir /www; echo Hello from the pod >/www/index.html; exec httpd -f -p 8080 -h /www"},
				ReadinessProbe: &corev1.Probe{ProbeHandler: probe, PeriodSeconds: 1},
			}},
		},
	}
}
