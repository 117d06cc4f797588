// Package wait waits until an object is as it should be, or gone. Programs that create something and go on too early, poll
// too often, or time out without saying what they were waiting for have one problem: the condition and the last state seen
// are lost between calls. Here a condition is a function of the object, it is asked for each change that a watch brings,
// and an error tells the last state that was seen.
//
//	job, err := wait.For(ctx, jobs, "pi", wait.JobComplete, wait.Timeout(5*time.Minute))
//	pod, err := wait.For(ctx, pods, "web-0", func(pod *corev1.Pod, exists bool) (bool, error) {
//		return exists && pod.Status.PodIP != "", nil
//	})
//	_, err = wait.For(ctx, pods, "web-0", wait.Deleted[*corev1.Pod](pod.UID))
//
// The conditions work on typed objects, generated ones and *unstructured.Unstructured alike.
package wait
