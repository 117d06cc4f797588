package kubesdk

import (
	"context"
	"net/url"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubesdk/kubesdk/internal/request"
	"github.com/kubesdk/kubesdk/internal/transport"
)

const (
	defaultTimeout     = 30 * time.Second
	defaultIdleTimeout = 90 * time.Second
	defaultAttempts    = 5
)

// settings is what the options of a client, a handle and a call add up to. It is copied for each call.
type settings struct {
	timeout        time.Duration
	attemptTimeout time.Duration
	idleTimeout    time.Duration
	retry          RetryPolicy
	log            LogPolicy
	limiter        Limiter

	name                 string // of the only object that a list or a watch is about
	labelSelector        string
	fieldSelector        string
	limit                int64
	continueToken        string
	resourceVersion      string
	resourceVersionMatch metav1.ResourceVersionMatch

	dryRun          bool
	fieldManager    string
	fieldValidation string
	force           bool

	changes changes

	propagation   *metav1.DeletionPropagation
	gracePeriod   *int64
	preconditions *metav1.Preconditions

	err error // of an option that was given something wrong; the call fails with it before anything is sent
}

func defaultSettings() settings {
	return settings{
		timeout:     defaultTimeout,
		idleTimeout: defaultIdleTimeout,
		retry:       RetryPolicy{Attempts: defaultAttempts, Backoff: defaultBackoff},
	}
}

func (s *settings) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// withOptions is a copy of s with opts on top.
func withOptions[O Option](s *settings, opts []O) *settings {
	c := *s
	for _, o := range opts {
		o.apply(&c)
	}
	return &c
}

// policy is how the transport sends a call with these settings.
func (s *settings) policy() transport.Policy {
	p := transport.Policy{
		Attempts:       s.retry.Attempts,
		Backoff:        s.retry.Backoff,
		Statuses:       s.retry.Statuses,
		AttemptTimeout: s.attemptTimeout,
	}
	if p.Backoff == nil {
		p.Backoff = defaultBackoff
	}
	if s.limiter != nil {
		p.Limiter = s.limiter
	}
	return p
}

// query holds the parameters that verb takes of these settings.
func (s *settings) query(verb request.Verb) url.Values {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	switch verb {
	case request.Get:
		set("resourceVersion", s.resourceVersion)
	case request.List, request.Watch, request.DeleteCollection:
		set("labelSelector", s.labelSelector)
		set("fieldSelector", s.fields(verb))
		if verb == request.DeleteCollection {
			break
		}
		set("resourceVersion", s.resourceVersion)
		set("resourceVersionMatch", string(s.resourceVersionMatch))
		if verb == request.List {
			if s.limit > 0 {
				q.Set("limit", strconv.FormatInt(s.limit, 10))
			}
			set("continue", s.continueToken)
		}
	case request.Create, request.Update, request.Patch:
		if s.dryRun {
			q.Set("dryRun", metav1.DryRunAll)
		}
		set("fieldManager", s.fieldManager)
		set("fieldValidation", s.fieldValidation)
	case request.Delete: // its options travel in the body
	}
	return q
}

// fields is the field selector, with what [Name] adds to it.
func (s *settings) fields(verb request.Verb) string {
	if s.name == "" || verb == request.DeleteCollection {
		return s.fieldSelector
	}
	named := fields.OneTermEqualSelector(metav1.ObjectNameField, s.name).String()
	if s.fieldSelector == "" {
		return named
	}
	return s.fieldSelector + "," + named
}

// deadline bounds a call by its timeout.
func (s *settings) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, s.timeout, &timeoutError{s.timeout})
}

// timeoutError tells the call's own deadline from one of the caller's context.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string {
	return "no answer within the call's timeout of " + e.limit.String() + " (see kubesdk.Timeout)"
}
func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
func (e *timeoutError) Timeout() bool        { return true }
