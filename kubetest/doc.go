// Package kubetest gives tests a real Kubernetes API server, so that nobody has to believe a fake one.
//
//	func TestSomething(t *testing.T) {
//		cluster := kubetest.Start(t)
//		ns := kubetest.Namespace(t, cluster.Client)
//		pods := kubesdk.For[*corev1.Pod](cluster.Client).Namespace(ns)
//		...
//	}
//
// The server is that of the kubeconfig in $KUBESDK_TEST_KUBECONFIG, if it is set. Otherwise it is localkube's, which is
// found in $LOCALKUBE or on the PATH, or built from its module: once, which compiles Kubernetes and takes some ten minutes
// on two cores, so run the first test with a -timeout that allows for it, or install localkube before:
//
//	go install github.com/kubesdk/kubesdk/cluster/cmd/localkube@latest
//
// One cluster serves all tests of all packages of this user, also those that run at the same time, so tests keep to a
// [Namespace] of their own and to names of their own for what is cluster-scoped. It stays for the next run, and stops by
// itself five minutes after the last test program that used it has ended.
package kubetest
