// Package kubesdk is a typed client for Kubernetes: one generic handle for built-in and custom resources alike, with
// timeouts, retries and logging per call, watches that heal, and updates that send only what changed.
//
//	c, err := kubesdk.Login(ctx)
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	configMaps := kubesdk.For[*corev1.ConfigMap](c).Namespace("default")
//	cm, err := configMaps.Get(ctx, "my-config")
//	if errors.Is(err, kubesdk.ErrNotFound) {
//		cm, err = configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "my-config"}})
//	}
//
// A [Client] talks to one API server; [For] gives a [Resource], the handle for the objects of one Go type. Handles are
// small values: make them where they are needed. Options are the same for a call, a handle ([Resource.With]) and a client
// ([New], [Login]); the closest one wins.
//
// Every error that a call returns is an [*Error], which says what was attempted and who said no; compare it with
// [errors.Is] and the Err variables of this package.
package kubesdk
