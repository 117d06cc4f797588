// Package fastjson decodes JSON into Kubernetes' objects, typed and untyped, several times faster than
// sigs.k8s.io/json, with the same result: names are case-sensitive, integers of untyped data are int64, and custom
// UnmarshalJSON methods are called.
//
//	content, err := fastjson.Object(body)       // map[string]any, as in unstructured objects
//	err = fastjson.Unmarshal(body, &widget)     // any Go type
//
// It is what custom resources are read with, which have no protobuf. Text is scanned once, strings are packed into
// blocks, the names of untyped objects are shared, and maps and slices are made as large as they will be. For a struct
// type a plan is compiled the first time it is seen: at which offset in the struct each name lies and how it is decoded.
//
// sigs.k8s.io/json stays the authority. Types that the plan does not cover are left to it as values, and a body with
// anything odd, an error above all, is decoded again by it as a whole: its result and its error count. What is left to
// prove is that this package, where it succeeds, gives the same objects; fuzz tests do that.
package fastjson
