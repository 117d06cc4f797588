package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/fieldpath"
)

// Operations is a JSON patch (RFC 6902) being written for objects of type T, one operation after the other. It is a [Patch], and
// immutable: each method returns a longer one, so that several may go on from one.
//
// A path into another type than T does not compile. A value is checked against the path's type when the method is called (Go has no
// type parameters on methods), and one that does not fit is the error of Data. Numbers, named types and pointers are converted where
// nothing is lost, so that 3 does for an *int32. Values are marshaled at once.
type Operations[T any] struct {
	text string // the operations, each with a comma
	err  error
}

// JSON begins a JSON patch for objects of type T:
//
//	p := patch.JSON[appsv1.Deployment]().
//		Test(replicas, 2).
//		Replace(replicas, 3).
//		Add(fieldpath.Key(labels, "team"), "a")
//
// The operations act on the object as the ones before have left it, and either all are done or none.
func JSON[T any]() Operations[T] { return Operations[T]{} }

// Add puts value at path: a member is set, whether it was there or not, and an element is inserted before the one that is there, or
// after the last with [fieldpath.End]. The parent must exist.
func (o Operations[T]) Add(path fieldpath.In[T], value any) Operations[T] {
	return o.with("add", path, &value)
}

// Replace puts value in the place of what is at path, which must exist.
func (o Operations[T]) Replace(path fieldpath.In[T], value any) Operations[T] {
	return o.with("replace", path, &value)
}

// Remove takes away what is at path, which must exist.
func (o Operations[T]) Remove(path fieldpath.In[T]) Operations[T] { return o.with("remove", path, nil) }

// Test makes the whole patch fail unless value is at path. To the API server a member that is not there equals null, so a nil value
// tests that a field is not set.
func (o Operations[T]) Test(path fieldpath.In[T], value any) Operations[T] {
	return o.with("test", path, &value)
}

// Type is [types.JSONPatchType].
func (o Operations[T]) Type() types.PatchType { return types.JSONPatchType }

// Data is the patch, or what was wrong with the first operation that cannot be.
func (o Operations[T]) Data() ([]byte, error) {
	if o.err != nil {
		return nil, o.err
	}
	return []byte("[" + strings.TrimSuffix(o.text, ",") + "]"), nil
}

// String is the patch, for people.
func (o Operations[T]) String() string {
	data, err := o.Data()
	return (&body{data: data, err: err}).String()
}

// with is o and one more operation.
func (o Operations[T]) with(name string, path fieldpath.In[T], value *any) Operations[T] {
	if o.err != nil {
		return o
	}
	text, err := operation(name, path, value)
	if err != nil {
		return Operations[T]{err: fmt.Errorf("patch: %s %s: %w", name, path, err)}
	}
	o.text += text
	return o
}

func operation(name string, path fieldpath.Any, value *any) (string, error) {
	if path == nil {
		return "", errors.New("the path is nil")
	}
	pointer, err := path.Pointer()
	if err != nil {
		return "", err
	}
	if name != "add" && strings.HasSuffix(pointer, "/-") {
		return "", errors.New("the place after the last element can only be added to")
	}
	e := &editor{writer: writer{path: []byte(pointer)}}
	if value == nil {
		e.remove()
		return string(e.buf), nil
	}
	converted, err := path.Convert(*value)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(converted)
	if err != nil {
		return "", err
	}
	e.operation(name, func() { e.text(string(data)) })
	return string(e.buf), nil
}
