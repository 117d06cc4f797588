// Package fastproto decodes the protobuf messages of Kubernetes' built-in types several times faster than their
// generated Unmarshal methods, with the same result.
//
//	err := fastproto.Unmarshal(message, pod)
//
// The first time a type is seen, its plan is compiled from the protobuf tags of its fields: at which offset in the
// struct each field lies and how it is decoded. Decoding then runs over the bytes once. It packs strings into blocks
// instead of allocating each, makes slices as long as they will be, and never goes through reflection for what is
// common.
//
// The generated method stays the authority. A type of which the plan does not understand every field is left to it, and
// so is a message in which anything is odd: then the object is decoded again by the generated method, whose result and
// error count. What is left to prove is that the plan, where it succeeds, gives the same object; a fuzz test does that
// for every type of k8s.io/api.
package fastproto
