package kubesdk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/internal/request"
	"github.com/kubesdk/kubesdk/patch"
)

// changes is what the options of Update and Mutate add up to.
type changes struct {
	from        Object
	only        []fieldpath.Any
	ifUnchanged bool
	patchType   types.PatchType
	unguarded   bool
}

// From says what the object was when it was read: [Resource.Update] sends what is different from that.
func From(old Object) UpdateOption {
	return updateOption{option: func(s *settings) { s.changes.from = old }}
}

// Only restricts an update to the fields at these paths. With [From] it sends what is different in them; without, it sends
// them exactly as they are in the object, absence included, whatever is there now.
func Only(paths ...fieldpath.Any) MutateOption {
	return mutateOption{option: func(s *settings) {
		for _, p := range paths {
			if err := p.Err(); err != nil {
				s.fail(err)
			}
		}
		s.changes.only = append(s.changes.only[:len(s.changes.only):len(s.changes.only)], paths...)
	}}
}

// IfUnchanged has an update fail with [ErrConflict] if anybody has changed the object since the one given to [From] was
// read, or, without From, since the object itself was.
func IfUnchanged() UpdateOption {
	return updateOption{option: func(s *settings) { s.changes.ifUnchanged = true }}
}

// PatchType has the difference sent as a kind of patch: types.StrategicMergePatchType, types.MergePatchType or
// types.JSONPatchType. The default suits the kind and the difference: see [patch.Diff].
func PatchType(t types.PatchType) MutateOption {
	return mutateOption{option: func(s *settings) {
		switch t {
		case types.StrategicMergePatchType, types.MergePatchType, types.JSONPatchType:
		default:
			s.fail(fmt.Errorf("patch type is %q, but must be one of %s, %s, %s", t, types.StrategicMergePatchType, types.MergePatchType, types.JSONPatchType))
		}
		s.changes.patchType = t
	}}
}

// Unguarded leaves the test operations out of JSON patches, by which an update notices that a list has changed since the
// object was read: the elements at its indexes are changed, whatever they are now.
func Unguarded() UpdateOption {
	return updateOption{option: func(s *settings) { s.changes.unguarded = true }}
}

// Update sends what changed in the object, and returns what the server made of it. What changed is its difference from the
// object given to [From], or the fields given to [Only]; one of the two is needed ([Resource.Replace] sends the whole). So
// nothing is overwritten of what others change at the same time, unless it is the same field. If nothing changed, nothing
// is sent, and the object comes back as it is.
//
// Kubernetes' own kinds get a strategic merge patch, others a JSON patch or a merge patch: see [patch.Diff]. It returns
// [ErrConflict] if the object is another one by now (its UID), if [IfUnchanged] does not hold, or if a list of a custom
// resource has changed at a place that the update is about; [ErrNotFound] if it is gone.
func (r Resource[T]) Update(ctx context.Context, obj T, opts ...UpdateOption) (T, error) {
	into := newObject[T]()
	sent, err := update(ctx, r.h, obj, withOptions(r.h.settings, opts), into, diffOf[T])
	switch {
	case err != nil:
		var none T
		return none, err
	case !sent:
		return obj.DeepCopyObject().(T), nil //nolint:forcetypeassert // a deep copy has the type of what it copies
	}
	return into, nil
}

// differ makes the patch of an update; from is nil if there is none.
type differ func(from, to Object, only []fieldpath.Any, opts []patch.Option) (patch.Patch, error)

func diffOf[T Object](from, to Object, only []fieldpath.Any, opts []patch.Option) (patch.Patch, error) {
	target := to.(T) //nolint:forcetypeassert // to is what Update[T] was given
	if from == nil {
		return patch.Fields(target, only, opts...)
	}
	return patch.Diff(from.(T), target, append(opts, patch.Only(only...))...) //nolint:forcetypeassert // the types were compared before
}

// update sends the patch from the settings' old object to obj. sent is false if there was nothing to send.
func update(ctx context.Context, h handle, obj Object, s *settings, into runtime.Object, diff differ) (sent bool, err error) {
	c, err := h.call(ctx, request.Patch, s)
	if err != nil {
		return false, err
	}
	if isNil(obj) {
		return false, c.refuse(errors.New("the object is nil"))
	}
	if err := c.place(obj); err != nil {
		return false, err
	}
	p, err := c.difference(obj, diff)
	if err != nil {
		return false, c.refuse(err)
	}
	if patch.Empty(p) {
		return false, nil
	}
	return true, c.patch(ctx, p, into)
}

// difference is the patch that an update to obj sends.
func (c *call) difference(obj Object, diff differ) (patch.Patch, error) {
	ch := c.settings.changes
	switch {
	case ch.from == nil && len(ch.only) == 0:
		return nil, errors.New("what to update is not known: give kubesdk.From the object as it was read, or kubesdk.Only the fields to send; Replace sends the whole object")
	case ch.from != nil && (isNil(ch.from) || reflect.TypeOf(ch.from) != reflect.TypeOf(obj)):
		return nil, fmt.Errorf("the object given to kubesdk.From is a %T and the one to update a %T: they must be of one type, and not nil", ch.from, obj)
	case ch.from != nil && ch.from.GetName() != obj.GetName():
		return nil, fmt.Errorf("the object given to kubesdk.From is %q and the one to update %q: they must be the same object", ch.from.GetName(), obj.GetName())
	case ch.from != nil && ch.from.GetUID() != "" && obj.GetUID() != "" && ch.from.GetUID() != obj.GetUID():
		return nil, errors.New("the object given to kubesdk.From has another UID than the one to update: they must be the same object")
	}
	opts := []patch.Option{fixed, patch.UID(cmp.Or(uidOf(ch.from), obj.GetUID()))}
	if c.spec.Subresource == "status" {
		opts = append(opts, patch.Ignore("/spec")) // the server ignores it too, but tests of its lists could fail
	}
	if ch.patchType != "" {
		opts = append(opts, patch.As(ch.patchType))
	}
	if ch.unguarded {
		opts = append(opts, patch.Unguarded())
	}
	if ch.ifUnchanged {
		version := obj.GetResourceVersion()
		if ch.from != nil {
			version = ch.from.GetResourceVersion()
		}
		if version == "" {
			return nil, errors.New("kubesdk.IfUnchanged needs the resourceVersion of the object as it was read, and it has none")
		}
		opts = append(opts, patch.ResourceVersion(version))
	}
	return diff(ch.from, obj, ch.only, opts)
}

// fixed leaves out of a difference what no update can change, and what objects made by hand may lack.
var fixed = patch.Ignore(append([]string{"/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"}, patch.ServerOwned...)...)

func uidOf(obj Object) types.UID {
	if obj == nil {
		return ""
	}
	return obj.GetUID()
}

// Patch sends a patch and returns what the server made of the object. An empty patch is sent too.
func (r Resource[T]) Patch(ctx context.Context, name string, p patch.Patch, opts ...PatchOption) (T, error) {
	into := newObject[T]()
	c, err := r.h.call(ctx, request.Patch, withOptions(r.h.settings, opts))
	if err == nil {
		c.spec.Name = name
		err = c.patch(ctx, p, into)
	}
	if err != nil {
		var none T
		return none, err
	}
	return into, nil
}

// patch sends p.
func (c *call) patch(ctx context.Context, p patch.Patch, into runtime.Object) error {
	if p == nil {
		return c.refuse(errors.New("the patch is nil"))
	}
	data, err := p.Data()
	if err != nil {
		return c.refuse(err)
	}
	c.spec.Query = c.settings.query(request.Patch)
	c.spec.Body, c.spec.ContentType = data, string(p.Type())
	return unfit(p, c.object(ctx, data, into))
}

// unfit tells of a patch that the server refused for being made for another state of the object, or for another object. To the
// server that is an invalid request, of which it says no more when an operation of a JSON patch fails.
func unfit(p patch.Patch, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Code != http.StatusUnprocessableEntity || e.status == nil {
		return err
	}
	var causes []metav1.StatusCause
	if e.status.Details != nil {
		causes = e.status.Details.Causes
	}
	told := *e
	switch {
	case p.Type() == types.JSONPatchType && len(causes) == 0:
		told.Message = "the JSON patch does not fit the object as it is now: a test failed, or a path is not there (the server does not tell which)"
	case slices.ContainsFunc(causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" }):
		told.Message = "the object is another one of the same name by now: " + e.Message
	default:
		return err
	}
	told.unfit = true
	return &told
}

const (
	maxMutations     = 100
	mutationBackoff  = 5 * time.Millisecond
	maxMutationDelay = 500 * time.Millisecond
)

// Mutate reads the object, has fn change it, and sends the difference, under the condition that nobody else has changed the
// object meanwhile; if somebody has, it begins again, with a short wait, until it succeeds, fn returns an error (which Mutate
// returns as it is), or the call's [Timeout] is over. fn may be called several times, each time with the latest object.
//
// It returns [ErrConflict] if the object changed under it a hundred times, and [ErrNotFound] if there is none.
func (r Resource[T]) Mutate(ctx context.Context, name string, fn func(obj T) error, opts ...MutateOption) (T, error) {
	var none T
	s := withOptions(r.h.settings, opts)
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		old := newObject[T]()
		if err := get(ctx, r.h, name, s, old); err != nil {
			return none, err
		}
		changed := old.DeepCopyObject().(T) //nolint:forcetypeassert // a deep copy has the type of what it copies
		if err := fn(changed); err != nil {
			return none, err
		}
		one := *s
		one.changes.from, one.changes.ifUnchanged = old, true
		into := newObject[T]()
		sent, err := update(ctx, r.h, changed, &one, into, diffOf[T])
		switch {
		case err == nil && !sent:
			return changed, nil
		case err == nil:
			return into, nil
		case !errors.Is(err, ErrConflict) || attempt == maxMutations || !pause(ctx, attempt):
			return none, err
		}
	}
}

// pause waits before a mutation is tried again: longer and more at random the more writers there seem to be.
func pause(ctx context.Context, attempt int) bool {
	limit := min(maxMutationDelay, mutationBackoff<<min(attempt-1, 10))
	select {
	case <-time.After(limit/2 + rand.N(limit/2)):
		return true
	case <-ctx.Done():
		return false
	}
}

// CreateOrUpdate makes the object, or, if there is one of its name, sets the fields that obj has on that: what obj leaves
// out stays as it is. To have the object exactly as given use [Resource.Replace]; to own fields, and have them removed when
// they are left out later, use [Resource.Apply].
//
// It works where a quota is used up (the server says 403 to a create, whether the name exists or not), and when the object
// comes or goes between its two steps.
func (r Resource[T]) CreateOrUpdate(ctx context.Context, obj T, opts ...WriteOption) (T, error) {
	s := withOptions(r.h.settings, opts)
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		created, refused := sendObject(ctx, r.h, request.Create, obj, s)
		if refused == nil {
			return created, nil
		}
		if !errors.Is(refused, ErrAlreadyExists) && !errors.Is(refused, ErrForbidden) || obj.GetName() == "" {
			return created, refused
		}
		into := newObject[T]()
		err := overwrite(ctx, r.h, obj, s, into)
		switch {
		case err == nil:
			return into, nil
		case !errors.Is(err, ErrNotFound):
			return created, err
		case errors.Is(refused, ErrForbidden): // it is the create that is forbidden, and there is nothing to update
			return created, refused
		case attempt == maxMutations || !pause(ctx, attempt):
			return created, err
		}
	}
}

// overwrite sets the fields that obj has.
func overwrite(ctx context.Context, h handle, obj Object, s *settings, into runtime.Object) error {
	c, err := h.call(ctx, request.Patch, s)
	if err != nil {
		return err
	}
	if err := c.place(obj); err != nil {
		return err
	}
	kind := types.MergePatchType
	if patch.BuiltIn(reflect.TypeOf(obj)) {
		kind = types.StrategicMergePatchType
	}
	doc, err := ownFields(obj)
	if err != nil {
		return c.refuse(err)
	}
	if kind == types.MergePatchType {
		return c.patch(ctx, patch.Merge(doc), into)
	}
	return c.patch(ctx, patch.Strategic(doc), into)
}

// ownFields is the object as JSON without nulls and without what belongs to the server.
func ownFields(obj Object) (map[string]any, error) {
	doc, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("encode the object: %w", err)
	}
	doc = runtime.DeepCopyJSON(doc) // an unstructured object's content is not copied by the converter
	for _, pointer := range append([]string{"/status", "/apiVersion", "/kind"}, patch.ServerOwned...) {
		remove(doc, strings.Split(pointer[1:], "/"))
	}
	prune(doc)
	return doc, nil
}

func remove(doc map[string]any, path []string) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := doc[path[0]].(map[string]any)
		if !ok {
			return
		}
		doc = inner
	}
	delete(doc, path[0])
}

// prune drops nulls, which Go's encoding writes for some fields that nobody set, and which would mean removal in a patch.
// What is empty stays: it changes nothing there, and may be a choice, as in emptyDir: {}.
func prune(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
			}
			prune(inner)
		}
	case []any:
		for _, item := range v {
			prune(item)
		}
	}
}
