// Package v1 holds the custom resources of devserver.io/v1: development servers, the flavors that they come in, and the
// users who may have them. The CustomResourceDefinitions in devserver/deploy are made from these types.
//
// +kubebuilder:object:generate=true
// +groupName=devserver.io
//
//go:generate go tool controller-gen object crd paths=. output:crd:dir=../../deploy/crds
package v1
