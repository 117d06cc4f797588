package customresource

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"

	"github.com/kubesdk/kubesdk"
)

// TimeoutError says that a context ended before the status was as wanted.
type TimeoutError struct {
	Kind, Namespace, Name string

	Want string // the wanted status, as JSON
	Last string // the last status seen, as JSON
	Err  error  // the context's
}

// Error names the object, what was waited for and what was there.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("wait for %s %s/%s: its status never had %s, and was last %s: %v", e.Kind, e.Namespace, e.Name, e.Want, e.Last, e.Err)
}

// Unwrap is the context's error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// WaitForStatus streams the object's events until its status contains want, a map or a struct that is compared as JSON:
// what want has must be there and equal, objects by their members, all else exactly. The event with the wanted status is
// the last one; if it is there already, it comes at once. Each event brings the object that this is called on up to date.
//
// The wait ends with an error, yielded last: a [*TimeoutError] when ctx ends, [kubesdk.ErrNotFound] when the object is
// deleted or was replaced by another one, or what a watch cannot heal. To wait without looking at the events use
// [Object.WaitUntilStatus].
func (o *Object[Spec, Status]) WaitForStatus(ctx context.Context, want any) iter.Seq2[kubesdk.Event[*Object[Spec, Status]], error] {
	return func(yield func(kubesdk.Event[*Object[Spec, Status]], error) bool) {
		var none kubesdk.Event[*Object[Spec, Status]]
		wanted, err := asJSON(want)
		if err != nil {
			yield(none, fmt.Errorf("wait for %s %s: the wanted status: %w", o.Kind, o.Name, err))
			return
		}
		r, err := o.resource("wait for")
		if err != nil {
			yield(none, err)
			return
		}
		var failure error
		seen := false
		for e, err := range r.Watch(ctx, kubesdk.Name(o.Name)) {
			if failure = err; err != nil {
				continue // the watch goes on if it can, and ends after this error if not
			}
			switch {
			case e.Type == kubesdk.Bookmark && (!e.Synced || seen):
				continue
			case e.Type == kubesdk.Bookmark, e.Type == kubesdk.Deleted, o.UID != "" && e.Object.UID != o.UID:
				yield(none, fmt.Errorf("wait for %s %s: it was deleted: %w", o.home.kind.Kind, o.Name, kubesdk.ErrNotFound))
				return
			}
			seen = true
			o.become(e.Object)
			e.Object = o
			status, err := asJSON(o.Status)
			if err != nil {
				yield(none, fmt.Errorf("wait for %s %s: its status: %w", o.Kind, o.Name, err))
				return
			}
			if !yield(e, nil) || contains(status, wanted) {
				return
			}
		}
		yield(none, o.notReached(ctx, wanted, failure))
	}
}

// WaitUntilStatus is [Object.WaitForStatus] without the events.
func (o *Object[Spec, Status]) WaitUntilStatus(ctx context.Context, want any) error {
	for _, err := range o.WaitForStatus(ctx, want) {
		if err != nil {
			return err
		}
	}
	return nil
}

// notReached is the error of a watch that ended before the status was as wanted.
func (o *Object[Spec, Status]) notReached(ctx context.Context, wanted any, failure error) error {
	if ctx.Err() == nil {
		return o.home.explain(failure)
	}
	e := &TimeoutError{Kind: o.home.kind.Kind, Namespace: o.ObjectMeta.Namespace, Name: o.Name, Err: context.Cause(ctx)}
	e.Want, e.Last = text(wanted), text(o.Status)
	return e
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// asJSON is v as JSON values.
func asJSON(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		return nil, err
	}
	return plain, nil
}

// contains says whether have has everything that want has.
func contains(have, want any) bool {
	members, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(have, want)
	}
	object, ok := have.(map[string]any)
	if !ok {
		return false
	}
	for name, wanted := range members {
		value, there := object[name]
		if !there || !contains(value, wanted) {
			return false
		}
	}
	return true
}
