package loglevel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// logAs reports whether a function at this place in the code logs at a level.
func logAs(t *testing.T, l *Levels, function string, level slog.Level) bool {
	t.Helper()
	table := l.now.Load()
	return level >= table.lowest && level >= table.of(nameOf(function))
}

func TestNamesOfLoggers(t *testing.T) {
	for function, want := range map[string]string{
		"orderwalk/internal/txn.(*Writer).Commit":       "orderwalk.txn",
		"orderwalk/connector.(*walker).run.func1":       "orderwalk.connector",
		"orderwalk/connector/window.Next":               "orderwalk.connector.window",
		"orderwalk/internal/kafkaconn.keep[go.shape.1]": "orderwalk.kafkaconn",
		"github.com/segmentio/kafka-go.(*Conn).Read":    "github.com.segmentio.kafka-go",
		"main.main": "orderwalk", "": "orderwalk",
	} {
		if got := nameOf(function); got != want {
			t.Errorf("%q is of %q, want %q", function, got, want)
		}
	}
}

// A level applies to a name and those below it, until one of those is set.
func TestLevelsAreOfNames(t *testing.T) {
	l := New(slog.LevelInfo, "orderwalk.txn", "orderwalk.connector", "orderwalk.connector.window")
	const txn, walker, window = "orderwalk/internal/txn.Commit", "orderwalk/connector.(*walker).run", "orderwalk/connector/window.Next"
	check := func(when, function string, lowest slog.Level) {
		t.Helper()
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			if got := logAs(t, l, function, level); got != (level >= lowest) {
				t.Errorf("%s: %s at %s is %v", when, function, level, got)
			}
		}
	}
	set := func(name, word string, want ...string) {
		t.Helper()
		got, err := l.Set(name, word)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s to %s sets %q, %v, want %q", name, word, got, err, want)
		}
	}
	check("at first", txn, slog.LevelInfo)
	set("orderwalk.connector", "debug", "orderwalk.connector", "orderwalk.connector.window")
	check("connector at DEBUG", walker, slog.LevelDebug)
	check("connector at DEBUG", window, slog.LevelDebug)
	check("connector at DEBUG", txn, slog.LevelInfo)
	set("orderwalk.connector.window", "ERROR", "orderwalk.connector.window")
	check("window at ERROR", window, slog.LevelError)
	check("window at ERROR", walker, slog.LevelDebug)
	set("ROOT", "WARN", "orderwalk", "orderwalk.connector", "orderwalk.connector.window", "orderwalk.txn", "root")
	check("root at WARN", walker, slog.LevelWarn)
	check("root at WARN", txn, slog.LevelWarn)
	set("orderwalk.tx", "DEBUG", "orderwalk.tx") // no part of orderwalk.txn
	check("another name at DEBUG", txn, slog.LevelWarn)
	set("orderwalk", "OFF", "orderwalk", "orderwalk.connector", "orderwalk.connector.window", "orderwalk.tx", "orderwalk.txn")
	check("off", txn, slog.LevelError+1)
	set("orderwalk", "TRACE", "orderwalk", "orderwalk.connector", "orderwalk.connector.window", "orderwalk.tx", "orderwalk.txn")
	check("at TRACE", txn, slog.LevelDebug)
	check("at TRACE", "", slog.LevelDebug)
	if got, ok := l.Get("Root"); !ok || got.Word != "WARN" || time.Since(got.Modified) > time.Minute {
		t.Errorf("root is %v, %v", got, ok)
	}
}

func TestWhatCannotBeSet(t *testing.T) {
	l := New(slog.LevelInfo)
	for _, c := range []struct {
		name, word string
		want       error
	}{
		{"root", "LOUD", ErrLevel}, {"root", "", ErrLevel}, {"root", "INFO ", ErrLevel},
		{"", "INFO", ErrName}, {"a b", "INFO", ErrName}, {"a\nb", "INFO", ErrName}, {"名", "INFO", ErrName},
		{strings.Repeat("a", longest+1), "INFO", ErrName},
	} {
		if _, err := l.Set(c.name, c.word); !errors.Is(err, c.want) {
			t.Errorf("%q to %q: %v, want %v", c.name, c.word, err, c.want)
		}
	}
	for i := range 2 * maxNames {
		_, err := l.Set(fmt.Sprintf("org.example.n%d", i), "DEBUG")
		if full := len(l.All()) == maxNames; err != nil && (!full || !errors.Is(err, ErrTooMany)) {
			t.Fatalf("name %d: %v", i, err)
		}
	}
	if n := len(l.All()); n != maxNames {
		t.Errorf("%d names, want %d", n, maxNames)
	}
	if _, err := l.Set("org.example.n0", "INFO"); err != nil {
		t.Errorf("a known name among many: %v", err)
	}
}

// The levels judge what this package logs, through attributes and groups too.
func TestHandler(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.LevelInfo, "orderwalk.loglevel")
	log := slog.New(l.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).With("a", 1).WithGroup("g")
	says := func(want string) {
		t.Helper()
		log.Debug("debug")
		log.Info("info")
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, line[strings.Index(line, "msg=")+4:len(line)-1])
		}
		if strings.Join(got, "|") != want {
			t.Errorf("got %q, want %q", got, want)
		}
		out.Reset()
	}
	set := func(name, word string) {
		t.Helper()
		if _, err := l.Set(name, word); err != nil {
			t.Fatal(err)
		}
	}
	says("info a=1")
	set("orderwalk.txn", "DEBUG") // of another
	says("info a=1")
	set("orderwalk.loglevel", "DEBUG")
	says("debug a=1|info a=1")
	set("orderwalk", "WARN")
	says("")
	if log.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("DEBUG is enabled, and no logger has it")
	}
	Always(log).Info("always")
	if !strings.HasSuffix(out.String(), "msg=always a=1\n") {
		t.Errorf("got %q", out.String())
	}
	if plain := slog.New(slog.DiscardHandler); Always(plain) != plain {
		t.Error("a logger without levels is not itself")
	}
	if _, ok := l.Get("no.such"); ok {
		t.Error("a logger exists that was never set")
	}
}
