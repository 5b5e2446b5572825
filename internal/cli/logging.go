package cli

import (
	"io"
	"log/slog"

	"orderwalk/internal/config"
)

// newLog writes to w, in the form and from the level that are configured.
func newLog(c *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
