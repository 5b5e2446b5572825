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
		return slog.New(hinting{slog.NewTextHandler(w, options)})
	}
	return slog.New(hinting{slog.NewJSONHandler(w, options)})
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

// loggedError is an error whose line is in the log already.
type loggedError struct{ error }

// logEnd writes the error that ends a worker as the last line of a log that
// programs read, with what to try.
func logEnd(c *config.Config, log *slog.Logger, err error) error {
	if err == nil || c.LogFormat != "json" {
		return err
	}
	log.Error("orderwalk ends", "error", err)
	return &loggedError{err}
}
