// Package source reads API schemas from wherever they are: CustomResourceDefinition files, saved OpenAPI v3
// documents, or a live cluster. Everything becomes a [schema.Set].
//
//	set, err := source.CRDs([]string{"config/crd", "-"}, os.Stdin)
//	set, err := source.Directory("openapi/")
//	set, err := source.Cluster(ctx, restConfig, source.Selection{})
package source
