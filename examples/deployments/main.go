// Command deployments takes a Deployment through its life: create, scale, roll out another image, look at the status, delete.
//
//	go run ./examples/deployments
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/wait"
)

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
	deployments := kubesdk.For[*appsv1.Deployment](c).Namespace(c.Namespace())

	created, err := deployments.Create(ctx, nginx())
	if err != nil {
		return err
	}
	defer func() { _ = deployments.Delete(context.WithoutCancel(ctx), created.Name) }() // if it breaks off on the way
	fmt.Println("Created deployment:", created.Name)

	// Scale: this field and no other, whatever else is different.
	fetched, err := deployments.Get(ctx, "nginx-example")
	if err != nil {
		return err
	}
	d := fieldpath.Root[appsv1.Deployment]()
	replicas := fieldpath.Of(d, d.Spec.Replicas)
	scaled, err := fieldpath.Set(fetched, replicas, 3) // a changed copy
	if err != nil {
		return err
	}
	scaled, err = deployments.Update(ctx, scaled, kubesdk.From(fetched), kubesdk.Only(replicas))
	if err != nil {
		return err
	}
	fmt.Println("Scaled to", *scaled.Spec.Replicas, "replicas")

	// Or without reading it first, by the scale subresource.
	scale, err := deployments.Scale(ctx, "nginx-example", 4)
	if err != nil {
		return err
	}
	fmt.Println("Scaled to", scale.Spec.Replicas, "replicas")

	// Rolling update: the container of this name gets another image.
	fetched, err = deployments.Get(ctx, "nginx-example")
	if err != nil {
		return err
	}
	rolling := fetched.DeepCopy()
	rolling.Spec.Template.Spec.Containers[0].Image = "nginx:1.25"
	rolling, err = deployments.Update(ctx, rolling, kubesdk.From(fetched))
	if err != nil {
		return err
	}
	fmt.Println("Rolling update to:", rolling.Spec.Template.Spec.Containers[0].Image)

	// The controller soon reports the pods that it made. Whether they come up depends on the cluster's nodes.
	deployment, err := wait.For(ctx, deployments, "nginx-example", func(d *appsv1.Deployment, exists bool) (bool, error) {
		return exists && d.Status.ObservedGeneration >= rolling.Generation && d.Status.Replicas > 0, nil
	}, wait.Timeout(time.Minute))
	if err != nil {
		return err
	}
	fmt.Printf("Status: %d/%d available\n", deployment.Status.AvailableReplicas, deployment.Status.Replicas)

	// Delete it, and wait until its pods are gone too.
	if err := deployments.Delete(ctx, "nginx-example", kubesdk.Propagation(metav1.DeletePropagationForeground)); err != nil {
		return err
	}
	if _, err := wait.For(ctx, deployments, "nginx-example", wait.Deleted[*appsv1.Deployment](created.UID), wait.Timeout(time.Minute)); err != nil {
		return err
	}
	fmt.Println("Deleted deployment")
	return nil
}

func nginx() *appsv1.Deployment {
	labels := map[string]string{"app": "nginx"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "nginx-example", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name:  "nginx",
					Image: "nginx:1.24",
					Ports: []corev1.ContainerPort{{ContainerPort: 80}},
				}}},
			},
		},
	}
}
