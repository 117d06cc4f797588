// Package names turns the names of an API into Go names: idiomatic, unique, and the same in every run.
//
//	names.Exported("ambassador_id") // AmbassadorID
//	names.Exported("$ref")          // DollarRef, since the symbol is part of the name
//
// A [Lock] keeps the type names of an earlier run, so that a package grows without its users' code breaking.
package names
