package cli

import (
	"io"
	"log/slog"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

// newLog returns a log to w with the configured format and level.
func newLog(c *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: spelledOut}
	if c.LogFormat == "text" {
		return slog.New(hinting{slog.NewTextHandler(w, options)})
	}
	return slog.New(hinting{slog.NewJSONHandler(w, options)})
}

// spelledOut writes durations as 1.6s (JSON would have nanoseconds) and
// kafka-go's errors in Kafka's terms.
func spelledOut(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.AnyValue(kafkaconn.Worded(err))
	}
	return a
}

// loggedError is an error that has been logged already.
type loggedError struct{ error }

// logEnd logs the error that ends a worker, with its hint, as the last line of
// a log read by programs.
func logEnd(c *config.Config, log *slog.Logger, err error) error {
	if err == nil || c.LogFormat != "json" {
		return err
	}
	log.Error("orderwalk ends", "error", err)
	return &loggedError{err}
}
