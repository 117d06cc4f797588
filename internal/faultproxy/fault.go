package faultproxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault handles a request in the place of the server, which is next.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Match chooses requests. Nil chooses all.
type Match func(r *http.Request) bool

// Method chooses by HTTP method.
func Method(method string) Match {
	return func(r *http.Request) bool { return r.Method == method }
}

// Watches chooses watch requests.
func Watches(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }

// Lists chooses GETs of a collection, by what is last in the path: "pods".
func Lists(plural string) Match {
	return func(r *http.Request) bool {
		return r.Method == http.MethodGet && !Watches(r) && strings.HasSuffix(r.URL.Path, "/"+plural)
	}
}

// Answer answers with status and a metav1.Status that says so, as the API server does. The request goes nowhere.
func Answer(status int) Fault {
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(status), //nolint:gosec // HTTP statuses have three digits
		Message: "the fault proxy says " + strconv.Itoa(status),
	})
	if err != nil {
		panic(err)
	}
	return AnswerWith(status, http.Header{"Content-Type": {"application/json"}}, string(body))
}

// RetryAfter is Answer with the header Retry-After, in seconds.
func RetryAfter(status, seconds int) Fault {
	return WithHeader("Retry-After", strconv.Itoa(seconds), Answer(status))
}

// AnswerWith answers with anything at all. The request goes nowhere.
func AnswerWith(status int, header http.Header, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may be gone
	}
}

// WithHeader adds a header to what f answers.
func WithHeader(key, value string, f Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		w.Header().Set(key, value)
		f(w, r, next)
	}
}

// Delay holds the request back for d; then the server has it.
func Delay(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(d):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// Hang never answers. The request goes nowhere.
func Hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// Drop resets the connection. The request goes nowhere.
func Drop(_ http.ResponseWriter, r *http.Request, _ http.Handler) { reset(r) }

// Abort ends only this request: HTTP/2 has a reset of the stream for it, HTTP/1.1 the end of the connection. The request
// goes nowhere.
func Abort(_ http.ResponseWriter, _ *http.Request, _ http.Handler) { panic(http.ErrAbortHandler) }

// Lose lets the server act, and resets the connection in the place of its answer.
func Lose(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(&discard{header: http.Header{}}, r)
	reset(r)
}

// CutAfter closes the connection after n bytes of the answer's body. It does not reset it: a reset takes the bytes along
// that the client has not read yet.
func CutAfter(n int) Fault {
	return limited(n, func(r *http.Request) { hangUp(r) })
}

// EndAfter ends the answer after n bytes of its body as if that were all of it.
func EndAfter(n int) Fault {
	return limited(n, func(*http.Request) {})
}

// StallAfter sends n bytes of the answer's body and then nothing more, until the client gives up.
func StallAfter(n int) Fault {
	return limited(n, func(r *http.Request) { <-r.Context().Done() })
}

// limited passes n bytes of the body on, takes leave of the server, and then ends the request its own way.
func limited(n int, then func(*http.Request)) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		lw := &limitedWriter{ResponseWriter: w, left: n}
		func() {
			defer func() {
				if p := recover(); p != nil && !lw.full { // the reverse proxy panics when it cannot write
					panic(p)
				}
			}()
			next.ServeHTTP(lw, r)
		}()
		if lw.full {
			then(r)
		}
	}
}

var errFull = errors.New("the fault proxy passes no more of this answer on")

type limitedWriter struct {
	http.ResponseWriter
	left int
	full bool
}

func (w *limitedWriter) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(status)
	w.flush() // so that the client has the header, whatever happens to the body
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), w.left)])
	w.left -= n
	if err == nil && n < len(p) {
		w.flush()
		w.full, err = true, errFull
	}
	return n, err
}

func (w *limitedWriter) flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // fails only when the client is gone
}

// Unwrap lets http.ResponseController find the writer that can flush.
func (w *limitedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard is where a lost answer goes.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
