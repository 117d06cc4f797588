// Package plan decides which Go types an API group-version becomes: which schema nodes are structs, enums,
// maps or raw JSON, what they are called, which fields are pointers, which markers carry the validation, and
// what cannot be carried. It is pure: kinds in, a [Package] out, no I/O and no Go source text.
//
//	pkg := plan.New(kinds, lock.Packages["example.com/v1"], plan.Options{})
//
// The rule behind every choice is that a document which the schema allows must survive decoding and encoding
// unchanged. Where Go cannot type a node under that rule it becomes raw JSON, and the plan says so in
// [Package.Losses].
package plan
