package cli

import (
	"io"
	"log/slog"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

// newLog writes to w, in the form and from the level that are configured.
func newLog(c *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: spelledOut}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// spelledOut writes durations as 1.6s, in JSON too, which has nanoseconds
// otherwise, and errors of kafka-go in Kafka's words.
func spelledOut(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.AnyValue(kafkaconn.Worded(err))
	}
	return a
}
