package fieldpath_test

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk/fieldpath"
)

func Example() {
	d := fieldpath.Root[appsv1.Deployment]()
	replicas := fieldpath.Of(d, d.Spec.Replicas)

	deployment := &appsv1.Deployment{}
	scaled, err := fieldpath.Set(deployment, replicas, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	count, err := fieldpath.Get(scaled, replicas)
	fmt.Println(replicas, count, err, deployment.Spec.Replicas == nil)
	// Output: .spec.replicas 3 <nil> true
}

func ExampleWhere() {
	pod := fieldpath.Root[corev1.Pod]()
	c := fieldpath.Root[corev1.Container]()
	nginx := fieldpath.Where(fieldpath.Of(pod, &pod.Spec.Containers), "name", "nginx")
	image := fieldpath.Join(nginx, fieldpath.Of(c, &c.Image))
	fmt.Println(image)
	// Output: .spec.containers[name="nginx"].image
}

func ExampleParse() {
	size, err := fieldpath.Parse[unstructured.Unstructured, int](".spec.volumes[0].sizeGiB")
	if err != nil {
		fmt.Println(err)
		return
	}
	pointer, err := size.Pointer()
	fmt.Println(pointer, err)

	_, err = fieldpath.Parse[corev1.Pod, string](".spec.nodeNmae")
	fmt.Println(err)
	// Output:
	// /spec/volumes/0/sizeGiB <nil>
	// fieldpath: parse ".spec.nodeNmae" as a path from v1.Pod to string: at .spec: v1.PodSpec has no field "nodeNmae" in its JSON
}
