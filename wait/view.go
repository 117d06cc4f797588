package wait

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubesdk/kubesdk"
)

// view is an object of any Go type as its JSON says it, or a part of one. What is not there, or is of another type than
// expected, as in the status of some custom resources, reads as the zero value.
type view map[string]any

func viewOf(obj kubesdk.Object) (view, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("read the state of the object: %w", err)
	}
	var v view
	if err := utiljson.Unmarshal(raw, (*map[string]any)(&v)); err != nil {
		return nil, fmt.Errorf("read the state of the object: %w", err)
	}
	return v, nil
}

// viewOfKind refuses objects of another kind, for which a condition would never hold.
func viewOfKind(obj kubesdk.Object, kind string) (view, error) {
	if got := obj.GetObjectKind().GroupVersionKind().Kind; got != "" && got != kind {
		return nil, fmt.Errorf("the condition is for a %s, the object is a %s", kind, got)
	}
	return viewOf(obj)
}

func (v view) at(path string) any {
	value, _, err := unstructured.NestedFieldNoCopy(v, strings.Split(path, ".")...)
	if err != nil {
		return nil
	}
	return value
}

func (v view) text(path string) string {
	s, _ := v.at(path).(string)
	return s
}

func (v view) number(path string) int64 {
	n, _ := v.at(path).(int64)
	return n
}

// items are the objects of an array.
func (v view) items(path string) []view {
	array, _ := v.at(path).([]any)
	var items []view
	for _, a := range array {
		if m, ok := a.(map[string]any); ok {
			items = append(items, m)
		}
	}
	return items
}

// condition is the one of status.conditions with this type, nil if there is none.
func (v view) condition(conditionType string) view {
	for _, c := range v.items("status.conditions") {
		if strings.EqualFold(c.text("type"), conditionType) {
			return c
		}
	}
	return nil
}

// why tells the reason and the message of a condition or of a container's state.
func (v view) why() string {
	reason, message := v.text("reason"), strings.TrimSpace(v.text("message"))
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}

// summarize says in a line what state an object is in.
func summarize(obj kubesdk.Object) string {
	v, err := viewOf(obj)
	if err != nil {
		return err.Error()
	}
	said := []string{"resourceVersion " + obj.GetResourceVersion()}
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if at := v.text("metadata.deletionTimestamp"); at != "" {
		say("being deleted since %s", at)
		if held := obj.GetFinalizers(); len(held) > 0 {
			say("held by the finalizers %s", strings.Join(held, ", "))
		}
	}
	if phase := v.text("status.phase"); phase != "" {
		say("phase %s", phase)
	}
	if wanted, ok := v.at("spec.replicas").(int64); ok {
		say("replicas: %d wanted, %d there, %d updated, %d available", wanted,
			v.number("status.replicas"), v.number("status.updatedReplicas"), v.number("status.availableReplicas"))
	}
	if seen := v.number("status.observedGeneration"); seen != 0 && seen < obj.GetGeneration() {
		say("the status is of generation %d, the object of %d", seen, obj.GetGeneration())
	}
	for _, c := range v.items("status.conditions") {
		say("%s=%s%s", c.text("type"), c.text("status"), inParentheses(c.why()))
	}
	for _, c := range append(v.items("status.initContainerStatuses"), v.items("status.containerStatuses")...) {
		if waits, ok := c.at("state.waiting").(map[string]any); ok {
			say("container %s waits%s", c.text("name"), inParentheses(view(waits).why()))
		}
		if code := c.number("state.terminated.exitCode"); code != 0 {
			say("container %s exited with %d%s", c.text("name"), code, inParentheses(view(c.at("state.terminated").(map[string]any)).why())) //nolint:forcetypeassert // it has an exit code
		}
	}
	return strings.Join(said, ", ")
}

func inParentheses(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
