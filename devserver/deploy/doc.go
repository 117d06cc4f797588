// Package deploy holds what is installed in a cluster, for programs and tests that bring it along: the definitions of the
// custom resources, and the whole manifest. The Helm chart is the source of the manifest; the rules of the operator's roles
// come from the markers beside its code.
//
//go:generate go tool controller-gen rbac:roleName=devserver-operator paths=../operator/... output:rbac:dir=chart/files
//go:generate env GOWORK=off go -C render run . -o ../devserver.yaml -header "Made from the chart by go generate: do not edit."
package deploy

import (
	"bytes"
	"embed"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

//go:embed crds/*.yaml
var files embed.FS

// Manifest is what kubectl apply takes: the custom resources, and the operator with all that it needs.
//
//go:embed devserver.yaml
var Manifest []byte

// CRDs is the CustomResourceDefinitions of devserver.io, sorted by name.
func CRDs() ([]*unstructured.Unstructured, error) {
	entries, err := files.ReadDir("crds")
	if err != nil {
		return nil, err
	}
	var crds []*unstructured.Unstructured
	for _, e := range entries {
		text, err := files.ReadFile("crds/" + e.Name())
		if err != nil {
			return nil, err
		}
		objects, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		crds = append(crds, objects...)
	}
	return crds, nil
}

// Parse reads the objects of a manifest: YAML documents with a line of three dashes between them.
func Parse(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, document := range bytes.Split(append([]byte("\n"), manifest...), []byte("\n---")) {
		var obj unstructured.Unstructured
		if err := yaml.Unmarshal(document, &obj.Object); err != nil {
			return nil, err
		}
		if len(obj.Object) > 0 {
			objects = append(objects, &obj)
		}
	}
	return objects, nil
}
