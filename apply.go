package kubesdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubesdk/kubesdk/internal/request"
)

// Force has [Resource.Apply] take over fields that other managers own, instead of failing with [ErrConflict].
func Force() ApplyOption {
	return applyOption{option: func(s *settings) { s.force = true }}
}

// Apply declares what the caller wants of an object (server-side apply): the server makes it if there is none, sets the
// fields that obj has, makes the caller their owner, and removes those that the caller owned and now leaves out. The owner's
// name is the [FieldManager]; the default is the program's name. It may be sent again without harm, and is.
//
// It returns [ErrConflict] if a field belongs to another manager and has another value; [Error.Conflicts] tells which and
// whose, and [Force] takes it. obj needs a name. Fields that Go's encoding writes even if nobody set them (structs that are
// no pointers) are sent too; they are empty and harmless. managedFields and the metadata that the server sets are not sent;
// a resourceVersion is, and must be the latest.
func (r Resource[T]) Apply(ctx context.Context, obj T, opts ...ApplyOption) (T, error) {
	into := newObject[T]()
	if err := apply(ctx, r.h, obj, withOptions(r.h.settings, opts), into); err != nil {
		var none T
		return none, err
	}
	return into, nil
}

func apply(ctx context.Context, h handle, obj Object, s *settings, into runtime.Object) error {
	c, err := h.call(ctx, request.Patch, s)
	if err != nil {
		return err
	}
	if isNil(obj) {
		return c.refuse(errors.New("the object is nil"))
	}
	if err := c.place(obj); err != nil {
		return err
	}
	doc, err := c.applied(obj)
	if err != nil {
		return c.refuse(err)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return c.refuse(fmt.Errorf("encode the object: %w", err))
	}
	c.spec.Query = s.query(request.Patch)
	if s.fieldManager == "" {
		c.spec.Query.Set("fieldManager", programName())
	}
	if s.force {
		c.spec.Query.Set("force", "true")
	}
	c.spec.Body, c.spec.ContentType = body, string(types.ApplyYAMLPatchType) // JSON is YAML
	return c.object(ctx, body, into)
}

// applied is obj as an apply sends it.
func (c *call) applied(obj Object) (map[string]any, error) {
	version := obj.GetResourceVersion()
	doc, err := ownFields(obj)
	if err != nil {
		return nil, err
	}
	if c.spec.Subresource != "" {
		full, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
		if err != nil {
			return nil, fmt.Errorf("encode the object: %w", err)
		}
		if status, ok := full["status"]; ok {
			doc["status"] = status
			prune(doc)
		}
	}
	doc["apiVersion"], doc["kind"] = c.body.ToAPIVersionAndKind()
	if metadata, ok := doc["metadata"].(map[string]any); ok && version != "" {
		metadata["resourceVersion"] = version
	}
	return doc, nil
}

func programName() string { return filepath.Base(os.Args[0]) }

// FieldConflict is one field that another manager owns.
type FieldConflict struct {
	Field   string // as in ".spec.replicas" or ".spec.template.spec.containers[name=\"web\"].image"
	Manager string // who owns it
	Message string // the server's words
}

// Conflicts tells which fields an [Resource.Apply] was refused for, and who owns them. It is empty for other errors.
func (e *Error) Conflicts() []FieldConflict {
	if e.status == nil || e.status.Details == nil {
		return nil
	}
	var conflicts []FieldConflict
	for _, cause := range e.status.Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		_, quoted, _ := strings.Cut(cause.Message, `conflict with "`)
		manager, _, _ := strings.Cut(quoted, `"`)
		conflicts = append(conflicts, FieldConflict{Field: cause.Field, Manager: manager, Message: cause.Message})
	}
	return conflicts
}

// Owned returns a copy of obj with nothing but its name and the fields that manager owns by [Resource.Apply]: what it would
// have to apply again to change nothing. It reads obj's managedFields; it returns an error if manager is not in them.
func Owned[T Object](obj T, manager string) (T, error) {
	var none T
	fields, err := appliedFields(obj, manager)
	if err != nil {
		return none, err
	}
	doc, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return none, fmt.Errorf("owned fields of %s: %w", obj.GetName(), err)
	}
	kept, _ := keep(doc, fields).(map[string]any)
	if kept == nil {
		kept = map[string]any{}
	}
	metadata, _ := kept["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		kept["metadata"] = metadata
	}
	kept["apiVersion"], kept["kind"] = doc["apiVersion"], doc["kind"]
	metadata["name"] = obj.GetName()
	if ns := obj.GetNamespace(); ns != "" {
		metadata["namespace"] = ns
	}
	into := newObject[T]()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(kept, into); err != nil {
		return none, fmt.Errorf("owned fields of %s: %w", obj.GetName(), err)
	}
	return into, nil
}

func appliedFields(obj Object, manager string) (map[string]any, error) {
	var managers []string
	for _, entry := range obj.GetManagedFields() {
		if entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" {
			continue
		}
		if entry.Manager != manager {
			managers = append(managers, entry.Manager)
			continue
		}
		var fields map[string]any
		if entry.FieldsV1 == nil {
			return map[string]any{}, nil
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			return nil, fmt.Errorf("managedFields of %s: entry of %q: %w", obj.GetName(), manager, err)
		}
		return fields, nil
	}
	return nil, fmt.Errorf("%s has no fields applied by the manager %q, only by %q", obj.GetName(), manager, managers)
}

// keep is the part of value that fields names, in the format of FieldsV1: f: members, k: list elements by their keys,
// v: elements of sets, i: elements by index, and "." for the value itself. It is nil if nothing is left.
func keep(value any, fields map[string]any) any {
	if len(fields) == 0 {
		return value // a leaf is owned whole
	}
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, inner := range v {
			if sub, ok := fields["f:"+name].(map[string]any); ok {
				kept[name] = keep(inner, sub)
			}
		}
		return kept
	case []any:
		kept := []any{}
		for i, item := range v {
			if sub, ok := element(fields, i, item); ok {
				kept = append(kept, keep(item, sub))
			}
		}
		return kept
	}
	return value
}

// element finds the entry for a list's element.
func element(fields map[string]any, index int, item any) (map[string]any, bool) {
	for name, sub := range fields {
		kind, key, _ := strings.Cut(name, ":")
		inner, _ := sub.(map[string]any)
		switch kind {
		case "i":
			if key == fmt.Sprint(index) {
				return inner, true
			}
		case "v":
			if text, err := json.Marshal(item); err == nil && bytes.Equal(text, []byte(key)) {
				return inner, true
			}
		case "k":
			var keys map[string]any
			if err := utiljson.Unmarshal([]byte(key), &keys); err == nil && hasKeys(item, keys) {
				return inner, true
			}
		}
	}
	return nil, false
}

func hasKeys(item any, keys map[string]any) bool {
	object, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for name, want := range keys {
		if fmt.Sprint(object[name]) != fmt.Sprint(want) {
			return false
		}
	}
	return true
}
