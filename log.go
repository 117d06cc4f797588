package kubesdk

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// LevelCritical is above slog.LevelError: what [LogPolicy].ErrorsAsCritical logs at.
const LevelCritical = slog.LevelError + 4

// LogPolicy says what of a call is logged. The zero value logs nothing. With OnSuccess, OnError or ErrorsAsCritical, what
// the server warns of (deprecated versions, unknown fields) is logged too, at level Warn.
//
// Neither headers nor credentials are ever logged, nor the content of Secrets and of token requests and reviews: their
// bodies are replaced by a note.
type LogPolicy struct {
	Logger           *slog.Logger // nil means slog.Default(), once something is to be logged
	OnSuccess        bool         // successful calls, at level Info
	OnError          bool         // failed calls, at level Error; retries at level Warn
	ErrorsAsCritical bool         // failed calls at LevelCritical; implies OnError
	NotErrors        []int        // HTTP statuses that are logged as successes are
	RequestBody      bool         // with what is sent, as JSON
	ResponseBody     bool         // with the object that came back, as JSON
	// ResponseBodyIf, if set, logs the object that came back where it returns true, whatever ResponseBody says.
	ResponseBodyIf func(obj runtime.Object) bool
}

func (p *LogPolicy) enabled() bool { return p.OnSuccess || p.OnError || p.ErrorsAsCritical }

func (p *LogPolicy) logger() *slog.Logger {
	if p.Logger != nil {
		return p.Logger
	}
	return slog.Default()
}

// done logs the end of a call. sent is what the caller gave (an object, a patch's bytes), got what came back; both may be nil.
func (p *LogPolicy) done(ctx context.Context, c *call, sent any, got runtime.Object, err error, took time.Duration) {
	if !p.enabled() {
		return
	}
	level, message := slog.LevelInfo, "kubernetes call"
	failure, failed := err.(*Error) //nolint:errorlint // errors of calls are never wrapped before they are logged
	expected := failed && slices.Contains(p.NotErrors, failure.Code)
	switch {
	case failed && !expected && p.ErrorsAsCritical:
		level = LevelCritical
	case failed && !expected && p.OnError:
		level = slog.LevelError
	case failed && !expected, !p.OnSuccess:
		return
	}
	attrs := append(c.attrs(), slog.Duration("took", took))
	if failed {
		attrs = append(attrs, slog.Int("status", failure.Code), slog.Int("attempts", failure.Attempts), slog.String("error", failure.Error()))
	}
	if p.RequestBody && sent != nil {
		attrs = append(attrs, slog.String("request", c.printable(sent)))
	}
	if got != nil && (p.ResponseBody || p.ResponseBodyIf != nil && p.ResponseBodyIf(got)) {
		attrs = append(attrs, slog.String("response", c.printable(got)))
	}
	p.logger().LogAttrs(ctx, level, message, attrs...)
}

// retried logs that a call will be sent again.
func (p *LogPolicy) retried(ctx context.Context, c *call, attempt int, delay time.Duration, status int, err error) {
	if !p.OnError && !p.ErrorsAsCritical {
		return
	}
	attrs := append(c.attrs(), slog.Int("attempt", attempt), slog.Duration("again_in", delay))
	if status != 0 {
		attrs = append(attrs, slog.Int("status", status))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	p.logger().LogAttrs(ctx, slog.LevelWarn, "kubernetes call is tried again", attrs...)
}

// printable is a body as it may be logged.
func (c *call) printable(body any) string {
	if c.sensitive() {
		return "[not logged: " + c.kind.GroupKind().String() + " may hold credentials]"
	}
	if raw, ok := body.([]byte); ok {
		return string(raw)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "[not logged: " + err.Error() + "]"
	}
	return string(text)
}

func (c *call) sensitive() bool {
	return c.spec.Subresource == "token" || slices.Contains([]string{"Secret", "TokenReview", "TokenRequest"}, c.kind.Kind)
}
