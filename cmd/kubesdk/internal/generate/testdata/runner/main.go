// Command runner decodes documents into generated types and encodes them again. The corpus test builds it
// beside the packages that it has generated; one JSON line in gives one JSON line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"example.com/corpus/apis"
)

type request struct {
	Group, Version, Kind string
	Doc                  json.RawMessage
}

type response struct {
	// Doc is the document after decoding and encoding, Copy the same of a deep copy, and Dynamic what
	// client-go's converter makes of the object.
	Doc, Copy, Dynamic json.RawMessage
	// Typed is the GroupVersionKind and plural that the type itself tells.
	Typed string
	Error string
}

type kubeTyped interface {
	KubeType() (gvk schema.GroupVersionKind, plural string, namespaced bool)
}

func main() {
	scheme := runtime.NewScheme()
	if err := apis.AddToScheme(scheme); err != nil {
		panic(err)
	}
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var req request
		if err := dec.Decode(&req); err != nil {
			return
		}
		res, err := roundTrip(scheme, req)
		if err != nil {
			res.Error = err.Error()
		}
		if err := enc.Encode(res); err != nil {
			panic(err)
		}
		if err := out.Flush(); err != nil {
			panic(err)
		}
	}
}

func roundTrip(scheme *runtime.Scheme, req request) (res response, err error) {
	gvk := schema.GroupVersionKind{Group: req.Group, Version: req.Version, Kind: req.Kind}
	obj, err := scheme.New(gvk)
	if err != nil {
		return res, err
	}
	if _, err := scheme.New(gvk.GroupVersion().WithKind(req.Kind + "List")); err != nil {
		return res, err
	}
	told, plural, namespaced := obj.(kubeTyped).KubeType()
	res.Typed = fmt.Sprintf("%s %s %t", told, plural, namespaced)
	if err := utiljson.Unmarshal(req.Doc, obj); err != nil {
		return res, err
	}
	if res.Doc, err = json.Marshal(obj); err != nil {
		return res, err
	}
	dup := obj.DeepCopyObject()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return res, fmt.Errorf("to unstructured: %w", err)
	}
	back, err := scheme.New(gvk)
	if err != nil {
		return res, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, back); err != nil {
		return res, fmt.Errorf("from unstructured: %w", err)
	}
	if res.Dynamic, err = json.Marshal(back); err != nil {
		return res, err
	}
	res.Copy, err = json.Marshal(dup)
	return res, err
}
