package patch

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubesdk/kubesdk/fieldpath"
)

// Option sets how [Diff] and [Fields] make a patch. Options may be kept and shared.
type Option interface{ apply(*options) }

type options struct {
	kind            types.PatchType
	unguarded       bool
	only            []fieldpath.Any
	ignore          *ignored
	resourceVersion string
	uid             string
}

type option func(*options)

func (set option) apply(o *options) { set(o) }

func collect(opts []Option) options {
	var o options
	for _, each := range opts {
		each.apply(&o)
	}
	return o
}

// As asks for a kind of patch: [types.StrategicMergePatchType], [types.MergePatchType] or [types.JSONPatchType]. Without it the
// kind is chosen from the type and the difference; see [Diff].
func As(kind types.PatchType) Option { return option(func(o *options) { o.kind = kind }) }

// Unguarded leaves out the test operations by which a JSON patch notices that a list has changed since the old object was read.
func Unguarded() Option { return option(func(o *options) { o.unguarded = true }) }

// Only restricts a difference to the fields at the given paths, of which there may be several: whole objects, single fields, single
// keys of a map, elements of a list and fields inside them. Paths given by several Only add up. A path into another type is an error
// of [Diff].
func Only(paths ...fieldpath.Any) Option {
	return option(func(o *options) { o.only = append(o.only[:len(o.only):len(o.only)], paths...) })
}

// ServerOwned are the JSON Pointers of the metadata that the API server sets: a difference in them is no wish of the caller's.
//
//	patch.Diff(old, new, patch.Ignore(patch.ServerOwned...))
var ServerOwned = []string{
	"/metadata/creationTimestamp",
	"/metadata/deletionGracePeriodSeconds",
	"/metadata/deletionTimestamp",
	"/metadata/generation",
	"/metadata/managedFields",
	"/metadata/resourceVersion",
	"/metadata/selfLink",
	"/metadata/uid",
}

// Ignore leaves what the given JSON Pointers name out of the difference. They lead through members of objects only, not into
// lists, and need not exist.
func Ignore(pointers ...string) Option {
	return option(func(o *options) {
		for _, pointer := range pointers {
			o.ignore = o.ignore.with(pointer)
		}
	})
}

// ResourceVersion makes the patch conditional: the API server refuses it with a conflict unless the object still has this version.
// The tests of a JSON patch are then left out: nothing can have changed. An empty difference stays empty, and an empty version
// changes nothing.
func ResourceVersion(version string) Option {
	return option(func(o *options) { o.resourceVersion = version })
}

// UID makes the patch conditional: the API server refuses it as invalid, since a UID cannot change, unless the object is the one
// with this UID and not another one of its name. An empty difference stays empty, and an empty UID changes nothing.
func UID(uid types.UID) Option { return option(func(o *options) { o.uid = string(uid) }) }

// precondition is a member of the metadata that the object must have.
type precondition struct{ name, value string }

// preconditions are what the patch demands.
func (o *options) preconditions() []precondition {
	var demanded []precondition
	if o.resourceVersion != "" {
		demanded = append(demanded, precondition{"resourceVersion", o.resourceVersion})
	}
	if o.uid != "" {
		demanded = append(demanded, precondition{"uid", o.uid})
	}
	return demanded
}

// guarded says whether a JSON patch tests the elements of lists.
func (o *options) guarded() bool { return !o.unguarded && o.resourceVersion == "" }

// ignoring is what is left out of the difference: what the options say, and what is a precondition.
func (o *options) ignoring() *ignored {
	left := o.ignore
	for _, p := range o.preconditions() {
		left = left.with("/metadata/" + p.name)
	}
	return left
}

// ignored is a tree of member names. A nil one ignores nothing.
type ignored struct {
	all bool
	sub map[string]*ignored
}

// with is a copy of ig that ignores pointer too.
func (ig *ignored) with(pointer string) *ignored {
	made := &ignored{sub: map[string]*ignored{}}
	if ig != nil {
		made.all = ig.all
		for name, sub := range ig.sub {
			made.sub[name] = sub
		}
	}
	token, rest, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	if pointer == "" {
		made.all = true
		return made
	}
	if rest != "" {
		rest = "/" + rest
	}
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	made.sub[name] = made.sub[name].with(rest)
	return made
}

// enter is what is ignored below the member called name, and whether that itself is.
func (ig *ignored) enter(name string) (*ignored, bool) {
	if ig == nil {
		return nil, false
	}
	sub := ig.sub[name]
	return sub, sub != nil && sub.all
}
