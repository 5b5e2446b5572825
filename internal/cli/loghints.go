package cli

import (
	"context"
	"log/slog"
)

// hinting adds to each line of a log what an operator can do about the error that
// the line is about, as "hint". So the packages below log their errors and need
// not know what to do about them.
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
