// Package codec turns Kubernetes objects into request bodies and response bodies, lists and watches into objects, in
// JSON and in Kubernetes' protobuf envelope. It does no I/O but reading from an io.Reader, so that everything between
// a byte and an object can be tested, fuzzed and measured without a server.
//
//	body, err := codec.Encode(deployment, gvk, codec.Protobuf)
//	err = codec.Decode(answer, contentType, deployment, gvk)
//	meta, err := codec.DecodeList(r, contentType, newPod, gvk, func(o runtime.Object) bool { ... })
//
// JSON has Kubernetes' semantics: names are case-sensitive, integers of untyped data stay int64, and unknown fields are
// ignored. Lists and watches are decoded as they arrive, one item at a time.
//
// No function keeps or changes the bytes it was given: buffers may be used again as soon as it returns.
package codec
