package kubesdk

import (
	"context"
	"log/slog"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// warn passes on what the server warns of (RFC 7234 Warning headers: deprecated versions, unknown fields): to the
// rest.Config's handler if it has one, and to the log if the call has one.
func (c *call) warn(ctx context.Context, headers []string) {
	if len(headers) == 0 {
		return
	}
	warnings, _ := utilnet.ParseWarningHeaders(headers) // what is malformed warns of nothing
	for _, w := range warnings {
		if w.Code != 299 || w.Text == "" {
			continue
		}
		switch config := c.client.config; {
		case config.WarningHandlerWithContext != nil:
			config.WarningHandlerWithContext.HandleWarningHeaderWithContext(ctx, w.Code, w.Agent, w.Text)
		case config.WarningHandler != nil:
			config.WarningHandler.HandleWarningHeader(w.Code, w.Agent, w.Text)
		}
		if p := &c.settings.log; p.enabled() {
			p.logger().LogAttrs(ctx, slog.LevelWarn, "the server warns", append(c.attrs(), slog.String("warning", w.Text))...)
		}
	}
}
