// Package jsontype says how a Go type looks in JSON, so that a value can be compared, addressed and patched in place instead
// of being marshaled first: which members a struct has and when they are left out, what is a map, a list or a scalar, and what
// is opaque because it marshals itself (a quantity, a time, raw JSON).
//
// The rules are those of encoding/json, embedded structs, omitempty and omitzero included. A type is examined once; everything
// here is safe for concurrent use.
package jsontype
