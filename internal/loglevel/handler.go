package loglevel

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
)

// Handler returns a handler that passes on the records that the levels let through. The
// given handler must let all of them through.
func (l *Levels) Handler(to slog.Handler) slog.Handler { return handler{to, l} }

type handler struct {
	to     slog.Handler
	levels *Levels
}

// Enabled implements slog.Handler. It does not know who logs, so it is true if any logger
// has the level.
func (h handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.levels.now.Load().lowest
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	t := h.levels.now.Load()
	if r.Level < t.highest && r.Level < t.of(logger(r.PC)) {
		return nil
	}
	return h.to.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.to.WithAttrs(attrs), h.levels}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.to.WithGroup(name), h.levels} }

// Always returns a logger that writes what the given one does, whatever the levels are.
func Always(log *slog.Logger) *slog.Logger {
	if h, ok := log.Handler().(handler); ok {
		return slog.New(h.to)
	}
	return log
}

// logger returns the name of the logger of a place in the code; Program if it is not
// known.
func logger(pc uintptr) string {
	if pc == 0 {
		return Program
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return nameOf(frame.Function)
}

// nameOf returns the logger of a function: orderwalk.txn of
// orderwalk/internal/txn.(*Writer).Commit.
func nameOf(function string) string {
	path := function
	slash := strings.LastIndexByte(path, '/')
	if dot := strings.IndexByte(path[slash+1:], '.'); dot >= 0 {
		path = path[:slash+1+dot]
	}
	if path == "" || path == "main" {
		return Program
	}
	return NameOfPackage(path)
}

// NameOfPackage returns the logger of a package's path: orderwalk.txn of
// orderwalk/internal/txn.
func NameOfPackage(path string) string {
	return strings.ReplaceAll(strings.Replace(path, "/internal/", "/", 1), "/", ".")
}
