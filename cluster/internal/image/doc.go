// Package image builds container images out of root file systems, without a container engine, a registry or a Dockerfile.
//
//	img, err := image.Open("rootfs/")
//	defer img.Close()
//	err = img.Write(w, "example.com/busybox:1", image.Config{Cmd: []string{"sleep", "infinity"}})
//
// What it writes is a docker-archive, which containerd, Docker and Podman load. The same root file system and configuration
// give the same bytes.
package image
