package kubesdk

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The kinds of failure that callers tell apart, for use with [errors.Is]. Each stands for what the API conventions call
// a status reason, or for its HTTP status code where the server gave no reason.
var (
	ErrBadRequest       = errors.New("bad request")        // 400
	ErrUnauthorized     = errors.New("unauthorized")       // 401
	ErrForbidden        = errors.New("forbidden")          // 403
	ErrNotFound         = errors.New("not found")          // 404
	ErrMethodNotAllowed = errors.New("method not allowed") // 405
	ErrConflict         = errors.New("conflict")           // 409, the object changed meanwhile or fields are owned by another manager
	ErrAlreadyExists    = errors.New("already exists")     // 409, reason AlreadyExists
	ErrGone             = errors.New("gone")               // 410, a resourceVersion or continue token that is too old
	ErrUnsupportedMedia = errors.New("unsupported media")  // 415, a patch type or encoding that the resource does not take
	ErrInvalid          = errors.New("invalid")            // 422
	ErrTooManyRequests  = errors.New("too many requests")  // 429
	ErrInternal         = errors.New("internal error")     // 500
	ErrUnavailable      = errors.New("unavailable")        // 503
	ErrServerTimeout    = errors.New("server timeout")     // 504, or reason ServerTimeout
)

var byReason = map[metav1.StatusReason]error{
	metav1.StatusReasonBadRequest:            ErrBadRequest,
	metav1.StatusReasonUnauthorized:          ErrUnauthorized,
	metav1.StatusReasonForbidden:             ErrForbidden,
	metav1.StatusReasonNotFound:              ErrNotFound,
	metav1.StatusReasonMethodNotAllowed:      ErrMethodNotAllowed,
	metav1.StatusReasonConflict:              ErrConflict,
	metav1.StatusReasonAlreadyExists:         ErrAlreadyExists,
	metav1.StatusReasonGone:                  ErrGone,
	metav1.StatusReasonExpired:               ErrGone,
	metav1.StatusReasonUnsupportedMediaType:  ErrUnsupportedMedia,
	metav1.StatusReasonInvalid:               ErrInvalid,
	metav1.StatusReasonTooManyRequests:       ErrTooManyRequests,
	metav1.StatusReasonInternalError:         ErrInternal,
	metav1.StatusReasonServiceUnavailable:    ErrUnavailable,
	metav1.StatusReasonServerTimeout:         ErrServerTimeout,
	metav1.StatusReasonTimeout:               ErrServerTimeout,
	metav1.StatusReasonRequestEntityTooLarge: nil, // 413 and 406 have no name of their own: compare Code
	metav1.StatusReasonNotAcceptable:         nil,
}

var byCode = map[int]error{
	http.StatusBadRequest:           ErrBadRequest,
	http.StatusUnauthorized:         ErrUnauthorized,
	http.StatusForbidden:            ErrForbidden,
	http.StatusNotFound:             ErrNotFound,
	http.StatusMethodNotAllowed:     ErrMethodNotAllowed,
	http.StatusConflict:             ErrConflict,
	http.StatusGone:                 ErrGone,
	http.StatusUnsupportedMediaType: ErrUnsupportedMedia,
	http.StatusUnprocessableEntity:  ErrInvalid,
	http.StatusTooManyRequests:      ErrTooManyRequests,
	http.StatusInternalServerError:  ErrInternal,
	http.StatusServiceUnavailable:   ErrUnavailable,
	http.StatusGatewayTimeout:       ErrServerTimeout,
}

// Error is the one error type of this package. It tells what was attempted, what came of it, and whether the server or
// this machine said so. It is immutable, and safe for concurrent use.
//
// It matches the Err variables of this package with [errors.Is], what caused it (a context's error, a network error) with
// [errors.Is] and [errors.As], and works with the functions of k8s.io/apimachinery/pkg/api/errors (IsNotFound, ...).
type Error struct {
	Verb      string // RBAC's verb: get, list, watch, create, update, patch, delete, deletecollection
	Resource  string // "deployments.apps", with the subresource if there is one ("deployments.apps/status")
	Namespace string // empty for cluster-scoped resources and for all namespaces
	Name      string // empty for collections

	URL      string // what was asked, without credentials; empty if nothing was sent
	Attempts int    // how often it was sent; 0 if the call was refused on this machine
	Code     int    // HTTP status code; 0 if no answer came
	Reason   metav1.StatusReason
	Message  string

	RetryAfter time.Duration // how long the server wants to be left alone; 0 if it did not say

	status *metav1.Status // the server's own, nil if there is none
	cause  error
	unfit  bool // a patch made for another state of the object: ErrConflict, whatever the server calls it
}

// Error says what was attempted, on what, and what came of it, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Verb, e.Resource)
	switch {
	case e.Namespace != "" && e.Name != "":
		fmt.Fprintf(&b, " %s/%s", e.Namespace, e.Name)
	case e.Name != "":
		fmt.Fprintf(&b, " %s", e.Name)
	case e.Namespace != "":
		fmt.Fprintf(&b, " in %s", e.Namespace)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	b.WriteString(": ")
	switch {
	case e.Message != "":
		b.WriteString(e.Message)
	case e.cause != nil:
		b.WriteString(e.cause.Error())
	}
	switch {
	case e.Code != 0 && e.Reason != "":
		fmt.Fprintf(&b, " (%d %s)", e.Code, e.Reason)
	case e.Code != 0:
		fmt.Fprintf(&b, " (%d %s)", e.Code, http.StatusText(e.Code))
	}
	return b.String()
}

// Unwrap returns what caused the error on this machine, or nil if the server said it.
func (e *Error) Unwrap() error { return e.cause }

// Is matches the Err variables of this package.
func (e *Error) Is(target error) bool {
	if target == ErrConflict && e.unfit {
		return true
	}
	kind, known := byReason[e.Reason]
	if !known {
		kind = byCode[e.Code]
	}
	return kind != nil && kind == target
}

// FromServer reports whether the API server said it, as opposed to this machine: a broken connection, a deadline, a
// proxy's page, bad input.
func (e *Error) FromServer() bool { return e.status != nil }

// Answered returns a copy of the error that has the server's answer: its code, reason, message and the time it wants to be
// left alone. It is for packages that ask the API server by other means than this one's verbs, such as streams.
func (e *Error) Answered(status *metav1.Status) *Error {
	a := *e
	a.status, a.Reason, a.Message = status, status.Reason, status.Message
	if status.Code != 0 {
		a.Code = int(status.Code)
	}
	if status.Details != nil {
		a.RetryAfter = time.Duration(status.Details.RetryAfterSeconds) * time.Second
	}
	return &a
}

// Status is the server's answer, or one made up from what is known. It makes Error an apierrors.APIStatus.
func (e *Error) Status() metav1.Status {
	if e.status != nil {
		return *e.status
	}
	return metav1.Status{Status: metav1.StatusFailure, Code: int32(e.Code), Reason: e.Reason, Message: e.Error()}
}
