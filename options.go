package kubesdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// Option is anything that changes how calls are made. A client ([New], [Login]) and a handle ([Resource.With]) take any
// Option as a default for the verbs that it fits; a call takes those that fit its verb, and they win.
type Option interface {
	ClientOption
	apply(*settings)
}

// The options of each verb are sealed: only this package makes them, so an option that a verb does not know does not compile.
type (
	// GetOption is an option of Get and Lookup.
	GetOption interface {
		Option
		forGet()
	}
	// ListOption is an option of List and All.
	ListOption interface {
		Option
		forList()
	}
	// WatchOption is an option of Watch and WatchOnce.
	WatchOption interface {
		Option
		forWatch()
	}
	// CreateOption is an option of Create.
	CreateOption interface {
		Option
		forCreate()
	}
	// ReplaceOption is an option of Replace.
	ReplaceOption interface {
		Option
		forReplace()
	}
	// UpdateOption is an option of Update.
	UpdateOption interface {
		Option
		forUpdate()
	}
	// MutateOption is an option of Mutate, and of Update.
	MutateOption interface {
		UpdateOption
		forMutate()
	}
	// PatchOption is an option of Patch and Scale.
	PatchOption interface {
		Option
		forPatch()
	}
	// ApplyOption is an option of Apply.
	ApplyOption interface {
		Option
		forApply()
	}
	// DeleteOption is an option of Delete.
	DeleteOption interface {
		Option
		forDelete()
	}
	// DeleteAllOption is an option of DeleteAll.
	DeleteAllOption interface {
		Option
		forDeleteAll()
	}
)

// Options that fit several verbs.
type (
	// CallOption fits every verb.
	CallOption interface {
		ReadOption
		ChangeOption
	}
	// ReadOption fits Get, List and Watch.
	ReadOption interface {
		GetOption
		ListOption
		WatchOption
	}
	// SelectOption fits the verbs on collections.
	SelectOption interface {
		ListOption
		WatchOption
		DeleteAllOption
	}
	// WriteOption fits the verbs that send an object or a part of one.
	WriteOption interface {
		CreateOption
		ReplaceOption
		MutateOption
		PatchOption
		ApplyOption
	}
	// RemoveOption fits Delete and DeleteAll.
	RemoveOption interface {
		DeleteOption
		DeleteAllOption
	}
	// ChangeOption fits every verb that changes something.
	ChangeOption interface {
		WriteOption
		RemoveOption
	}
)

type option func(*settings)

func (o option) apply(s *settings)           { o(s) }
func (o option) applyClient(c *clientConfig) { o(&c.defaults) }
func (o option) applyLogin(l *loginConfig)   { o(&l.client.defaults) }

// Marks, embedded by the option types below.
type (
	onGet       struct{}
	onList      struct{}
	onWatch     struct{}
	onCreate    struct{}
	onReplace   struct{}
	onUpdate    struct{}
	onMutate    struct{}
	onPatch     struct{}
	onApply     struct{}
	onDelete    struct{}
	onDeleteAll struct{}

	onRead struct {
		onGet
		onList
		onWatch
	}
	onWrite struct {
		onCreate
		onReplace
		onUpdate
		onMutate
		onPatch
		onApply
	}
	onRemove struct {
		onDelete
		onDeleteAll
	}
)

func (onGet) forGet()             {}
func (onList) forList()           {}
func (onWatch) forWatch()         {}
func (onCreate) forCreate()       {}
func (onReplace) forReplace()     {}
func (onUpdate) forUpdate()       {}
func (onMutate) forMutate()       {}
func (onPatch) forPatch()         {}
func (onApply) forApply()         {}
func (onDelete) forDelete()       {}
func (onDeleteAll) forDeleteAll() {}

type callOption struct {
	option
	onRead
	onWrite
	onRemove
}

type readOption struct {
	option
	onRead
}

type selectOption struct {
	option
	onList
	onWatch
	onDeleteAll
}

type listOption struct {
	option
	onList
}

type streamOption struct {
	option
	onList
	onWatch
}

type writeOption struct {
	option
	onWrite
}

type updateOption struct {
	option
	onUpdate
}

type mutateOption struct {
	option
	onUpdate
	onMutate
}

type applyOption struct {
	option
	onApply
}

type removeOption struct {
	option
	onRemove
}

type deleteOption struct {
	option
	onDelete
}

type changeOption struct {
	option
	onWrite
	onRemove
}

// Timeout bounds a whole call: its attempts, the waits between them, and reading the answer. The default is 30 s; 0 means
// none but the context's own deadline. It does not bound [Resource.All] and the watches: see [IdleTimeout].
func Timeout(d time.Duration) CallOption {
	return callOption{option: func(s *settings) { s.timeout = d }}
}

// AttemptTimeout bounds each attempt of a call, its answer included. The default is none but [Timeout]. It does not bound
// [Resource.All] and the watches either.
func AttemptTimeout(d time.Duration) CallOption {
	return callOption{option: func(s *settings) { s.attemptTimeout = d }}
}

// IdleTimeout is how long the server may be silent before or in the middle of a streamed list or a watch until the
// connection is taken for dead. The default is 90 s; 0 means for ever. The API server sends a bookmark about once a minute
// to most watches, and a watch that is cut without need goes on unnoticed.
func IdleTimeout(d time.Duration) interface {
	ListOption
	WatchOption
} {
	return streamOption{option: func(s *settings) { s.idleTimeout = d }}
}

// Retry says how often and when a call is sent again. The default is RetryPolicy{Attempts: 5}.
func Retry(p RetryPolicy) CallOption {
	return callOption{option: func(s *settings) {
		if p.Attempts < 0 {
			s.fail(fmt.Errorf("retry policy: Attempts is %d, but must be 0 or more", p.Attempts))
		}
		p.Statuses = slices.Clone(p.Statuses)
		s.retry = p
	}}
}

// Log says what of a call is logged and where. The default is nothing.
func Log(p LogPolicy) CallOption {
	return callOption{option: func(s *settings) {
		p.NotErrors = slices.Clone(p.NotErrors)
		s.log = p
	}}
}

// Limiter bounds the rate of attempts. *rate.Limiter of golang.org/x/time/rate is one.
type Limiter interface {
	// Wait returns when the next attempt may be sent, or with ctx's error.
	Wait(ctx context.Context) error
}

// RateLimit asks l before each attempt. The default is no limit on this side: the API server has its own (priority and
// fairness), and says 429 when it wants less.
func RateLimit(l Limiter) CallOption {
	return callOption{option: func(s *settings) { s.limiter = l }}
}

// Labels selects objects by a label selector in Kubernetes' syntax: "team=backend", "env in (dev, test)",
// "env notin (prod)", "canary", "!canary", joined with commas.
func Labels(selector string) SelectOption {
	return selectOption{option: func(s *settings) {
		if _, err := labels.Parse(selector); err != nil {
			s.fail(fmt.Errorf("label selector %q: %w", selector, err))
		}
		s.labelSelector = selector
	}}
}

// LabelSelector selects objects by matchLabels and matchExpressions. An empty selector selects everything.
func LabelSelector(selector metav1.LabelSelector) SelectOption {
	return selectOption{option: func(s *settings) {
		sel, err := metav1.LabelSelectorAsSelector(&selector)
		if err != nil {
			s.fail(fmt.Errorf("label selector: %w", err))
			return
		}
		s.labelSelector = sel.String()
	}}
}

// Fields selects objects by a field selector: "metadata.name=web", "status.phase!=Running", joined with commas. Which
// fields there are depends on the resource; the server refuses others with [ErrBadRequest].
func Fields(selector string) SelectOption {
	return selectOption{option: func(s *settings) {
		if _, err := fields.ParseSelector(selector); err != nil {
			s.fail(fmt.Errorf("field selector %q: %w", selector, err))
		}
		s.fieldSelector = selector
	}}
}

// Name narrows a list or a watch to the object of this name, whether there is one or not. A namespaced kind needs a
// namespace then.
func Name(name string) interface {
	ListOption
	WatchOption
} {
	return streamOption{option: func(s *settings) {
		if name == "" {
			s.fail(errors.New("kubesdk.Name: the name is empty"))
		}
		s.name = name
	}}
}

// Limit asks for at most n objects at once. [Resource.List] returns one such page and a token for the next
// ([List].Continue); [Resource.All] goes on until there are no more.
func Limit(n int64) ListOption {
	return listOption{option: func(s *settings) {
		if n < 0 {
			s.fail(fmt.Errorf("limit is %d, but must be 0 or more", n))
		}
		s.limit = n
	}}
}

// Continue begins a list where the page that gave token ended. The other options must be those of that page.
func Continue(token string) ListOption {
	return listOption{option: func(s *settings) { s.continueToken = token }}
}

// ResourceVersion says how old an answer may be. What it means for each verb is in the API concepts of Kubernetes,
// "Resource versions"; the default is the most recent.
func ResourceVersion(version string) ReadOption {
	return readOption{option: func(s *settings) { s.resourceVersion = version }}
}

// ResourceVersionMatch says how a list applies [ResourceVersion].
func ResourceVersionMatch(m metav1.ResourceVersionMatch) ListOption {
	return listOption{option: func(s *settings) { s.resourceVersionMatch = m }}
}

// DryRun has the server do everything but keep the change.
func DryRun() ChangeOption {
	return changeOption{option: func(s *settings) { s.dryRun = true }}
}

// FieldManager is the name under which the server records who owns the fields that are written. The default is the name
// that the server makes from the program's.
func FieldManager(name string) WriteOption {
	return writeOption{option: func(s *settings) {
		if len(name) > 128 {
			s.fail(fmt.Errorf("field manager %q has %d characters, but at most 128 are allowed", name, len(name)))
		}
		s.fieldManager = name
	}}
}

// FieldValidation says what the server does with fields that the kind does not have: metav1.FieldValidationStrict,
// metav1.FieldValidationWarn (the server's default) or metav1.FieldValidationIgnore.
func FieldValidation(directive string) WriteOption {
	allowed := []string{metav1.FieldValidationStrict, metav1.FieldValidationWarn, metav1.FieldValidationIgnore}
	return writeOption{option: func(s *settings) {
		if !slices.Contains(allowed, directive) {
			s.fail(fmt.Errorf("field validation is %q, but must be one of %s", directive, strings.Join(allowed, ", ")))
		}
		s.fieldValidation = directive
	}}
}

// Propagation says what happens to the objects that a deleted one owns. The default is the resource's, mostly background.
func Propagation(p metav1.DeletionPropagation) RemoveOption {
	return removeOption{option: func(s *settings) { s.propagation = &p }}
}

// GracePeriod is how long the object has to end; it is sent in whole seconds, rounded up. 0 means at once. The default is
// the object's.
func GracePeriod(d time.Duration) RemoveOption {
	return removeOption{option: func(s *settings) {
		if d < 0 {
			s.fail(fmt.Errorf("grace period is %s, but must be 0 or more", d))
		}
		seconds := int64((d + time.Second - 1) / time.Second)
		s.gracePeriod = &seconds
	}}
}

// Preconditions deletes the object only if it still has this UID or resourceVersion; otherwise the call fails with
// [ErrConflict]. With a UID a delete is safe to retry, and is.
func Preconditions(p metav1.Preconditions) DeleteOption {
	return deleteOption{option: func(s *settings) { s.preconditions = &p }}
}
