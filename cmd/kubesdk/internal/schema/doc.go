// Package schema holds what every source of API schemas comes down to: kinds, each with one structural
// OpenAPI v3 schema, whether they came from a CustomResourceDefinition file, a saved OpenAPI document or a
// live cluster. Nothing here does I/O, and nothing here knows Go code.
//
//	set := schema.Set{}
//	set.Add(schema.Kind{Group: "example.com", Version: "v1", Kind: "Widget", Plural: "widgets", Schema: props})
//	if err := set.Kinds[0].Validate(); err != nil { ... }
package schema
