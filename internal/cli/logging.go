package cli

import (
	"io"
	"log/slog"

	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/loglevel"
)

// loggers are the names of the loggers that GET /admin/loggers lists from the start,
// below loglevel.Program: those of the packages that log.
var loggers = []string{
	"orderwalk.budget", "orderwalk.cli", "orderwalk.connector", "orderwalk.control", "orderwalk.desired", "orderwalk.fleet", "orderwalk.group",
	"orderwalk.grouplog", "orderwalk.httpserve", "orderwalk.incident", "orderwalk.kafkaconn", "orderwalk.platform", "orderwalk.push", "orderwalk.roster",
	"orderwalk.txn", "orderwalk.wechat",
}

// newLog returns a log to w with the configured format, and its levels, which begin as
// configured.
func newLog(c *config.Config, w io.Writer) (*slog.Logger, *loglevel.Levels) {
	levels := loglevel.New(c.LogLevel, loggers...)
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: spelledOut} // levels decides
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if c.LogFormat == "text" {
		handler = slog.NewTextHandler(w, options)
	}
	return slog.New(levels.Handler(hinting{handler})), levels
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
