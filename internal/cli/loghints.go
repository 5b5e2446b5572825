package cli

import (
	"context"
	"log/slog"
)

// hinting adds the attribute "hint" to log records with an error: what an
// operator can do about it. So the packages below only log their errors.
type hinting struct{ slog.Handler }

// Handle implements slog.Handler.
func (h hinting) Handle(ctx context.Context, r slog.Record) error {
	hint := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "hint" {
			hint = ""
			return false
		}
		if err, ok := a.Value.Any().(error); ok && hint == "" {
			hint = hintFor(err)
		}
		return true
	})
	if hint != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("hint", hint))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h hinting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hinting{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h hinting) WithGroup(name string) slog.Handler { return hinting{h.Handler.WithGroup(name)} }
