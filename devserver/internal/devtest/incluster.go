package devtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubesdk/kubesdk"
	v1 "github.com/kubesdk/kubesdk/devserver/api/v1"
	"github.com/kubesdk/kubesdk/devserver/deploy"
	"github.com/kubesdk/kubesdk/internal/busybox"
	"github.com/kubesdk/kubesdk/kubetest"
	"github.com/kubesdk/kubesdk/wait"
)

// Images are the BusyBox images that the cluster of InCluster has.
var Images = []string{"busybox:1.36", "busybox:1.37"}

// Flavor is a small flavor that the cluster of InCluster has.
const Flavor = "cpu-small"

// Namespace is where the operator of InCluster runs.
const Namespace = "devserver-system"

// inClusterName is a cluster of its own, since an operator runs there.
const inClusterName = "kubetest-devserver"

var inCluster struct {
	sync.Once
	err error
}

// InCluster returns a cluster with a node on which the operator runs as it is shipped: from the manifest, with the image,
// and with the roles of the manifest and nothing more. Only servers that name no image get BusyBox. Where that is impossible
// the test is skipped as kubetest.Node does.
func InCluster(t testing.TB) *kubetest.Cluster {
	t.Helper()
	c := kubetest.NodeNamed(t, inClusterName)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // the first build takes its time
	defer cancel()
	localkube := kubetest.Localkube(t)
	inCluster.Do(func() { inCluster.err = installOperator(ctx, c.Client, localkube) })
	switch err := inCluster.err; {
	case errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return c
}

func installOperator(ctx context.Context, c *kubesdk.Client, localkube string) error {
	dir, err := os.MkdirTemp("", "devserver-test-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the temporary folder
	root := filepath.Join(dir, "busybox")
	if err := busybox.Root(ctx, root); err != nil {
		return err
	}
	for _, image := range Images {
		if err := command(ctx, localkube, "image", "build", "--rootfs", root, "--name", image, "--cluster", inClusterName, "--cmd", "sh"); err != nil {
			return err
		}
	}
	archive := filepath.Join(dir, "devserver.tar")
	if err := command(ctx, "go", "run", "github.com/kubesdk/kubesdk/devserver/deploy/image", "-o", archive); err != nil {
		return err
	}
	if err := command(ctx, localkube, "image", "load", archive, "--name", inClusterName); err != nil {
		return err
	}
	content, err := hashOf(archive, deploy.Manifest)
	if err != nil {
		return err
	}
	// The cluster may run what an earlier test installed: the image has the same name, and the operator acts on its roles
	// when it starts.
	manifest := insertBefore(deploy.Manifest, "        checksum/settings:", "        devtest/image: \""+content+"\"")
	manifest = insertBefore(manifest, "    staticDependenciesImage:", "    defaultDevserverImage: "+Images[0])
	if err := Apply(ctx, c, manifest); err != nil {
		return err
	}
	deployments := kubesdk.For[*appsv1.Deployment](c).Namespace(Namespace)
	if _, err := wait.For(ctx, deployments, "devserver-operator", wait.DeploymentRolledOut, wait.Timeout(3*time.Minute)); err != nil {
		return err
	}
	flavor := &v1.DevServerFlavor{}
	flavor.Name = Flavor
	_, err = kubesdk.For[*v1.DevServerFlavor](c).CreateOrUpdate(ctx, flavor)
	return err
}

func insertBefore(manifest []byte, line, inserted string) []byte {
	return bytes.Replace(manifest, []byte(line), []byte(inserted+"\n"+line), 1)
}

func hashOf(path string, more []byte) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	h.Write(more)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

// Apply is kubectl apply for a manifest: objects whose kind comes with it are tried again until it is served.
func Apply(ctx context.Context, c *kubesdk.Client, manifest []byte) error {
	objects, err := deploy.Parse(manifest)
	if err != nil {
		return err
	}
	for _, obj := range objects {
		gvk := obj.GroupVersionKind()
		handle := kubesdk.For[*unstructured.Unstructured](c, kubesdk.Type(kubesdk.TypeInfo{GroupVersionKind: gvk}))
		if ns := obj.GetNamespace(); ns != "" {
			handle = handle.Namespace(ns)
		}
		if _, err := handle.Apply(ctx, obj, kubesdk.FieldManager("devtest"), kubesdk.Force()); err != nil {
			return fmt.Errorf("apply %s %s: %w", gvk.Kind, obj.GetName(), err)
		}
	}
	return nil
}

func command(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}
