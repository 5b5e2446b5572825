// Package loglevel has named loggers whose levels change while the program runs.
//
// The loggers are the program's packages, with dots: a record that internal/txn logs is
// of "orderwalk.txn", and "orderwalk" is above all of them. No logger is passed around
// for this: a record has the place in the code that it was logged at. A name that is
// set applies to itself and to the names below it, until one of those is set; "root" is
// above all names. The names and answers follow Kafka Connect's REST API.
//
// Logger levels are of this process only and end with it. internal/cli makes the log with
// it, internal/control changes the levels, and internal/desired those of all workers.
package loglevel

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Root is the name of the logger above all others.
const Root = "root"

// Program is the logger above all packages of the program.
const Program = "orderwalk"

// Errors of Set.
var (
	// ErrLevel is a word that is not a level.
	ErrLevel = errors.New("invalid log level")
	// ErrName is a name that a logger cannot have.
	ErrName = errors.New("invalid logger name")
	// ErrTooMany is a name beyond the bound on names.
	ErrTooMany = errors.New("too many logger names")
)

const (
	// maxNames bounds the names that callers add.
	maxNames = 256
	longest  = 200
)

// words are Connect's levels. TRACE is as DEBUG and FATAL as ERROR, since the program
// logs on four levels; OFF is above all of them.
var words = map[string]slog.Level{
	"ALL": slog.LevelDebug, "TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
	"WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": slog.LevelError, "OFF": slog.LevelError + 100,
}

// Level is the level of a logger.
type Level struct {
	// Word is its name, in capitals: "DEBUG".
	Word string
	// Modified is when it was set; zero = not since the start.
	Modified time.Time
}

// Levels are the levels of all loggers.
type Levels struct {
	mu     sync.Mutex
	levels map[string]Level
	now    atomic.Pointer[table]
}

// table is what a record is judged by; it never changes.
type table struct {
	lowest, highest slog.Level
	levels          map[string]slog.Level
}

// New returns levels that all begin as given. The names are those below "orderwalk" that
// the program has; Set adds more.
func New(level slog.Level, names ...string) *Levels {
	l := &Levels{levels: map[string]Level{}}
	for _, name := range append(names, Root, Program) {
		l.levels[name] = Level{Word: level.String()}
	}
	l.publish()
	return l
}

// All returns the level of every logger.
func (l *Levels) All() map[string]Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.levels)
}

// Get returns the level of a logger, and whether it exists.
func (l *Levels) Get(name string) (Level, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	level, ok := l.levels[canonical(name)]
	return level, ok
}

// Check returns the error that Set would return for a name and a word, apart from
// ErrTooMany.
func Check(name, word string) error {
	if _, ok := words[strings.ToUpper(word)]; !ok {
		return fmt.Errorf("%w %q", ErrLevel, shortened(word))
	}
	if name == "" || len(name) > longest || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: give up to %d letters, digits and dots", ErrName, longest)
	}
	return nil
}

// Room returns the error that Set would return for a name and a word now.
func (l *Levels) Room(name, word string) error {
	if err := Check(name, word); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.room(canonical(name))
}

func (l *Levels) room(name string) error {
	if _, known := l.levels[name]; !known && len(l.levels) >= maxNames {
		return fmt.Errorf("%w: %d exist", ErrTooMany, len(l.levels))
	}
	return nil
}

// Set sets the level of a logger and of all loggers below it, and returns their names in
// order. A name that no logger has is added, as Connect does: tools set the levels of
// loggers that exist only there. The word may be in small letters.
func (l *Levels) Set(name, word string) ([]string, error) {
	if err := Check(name, word); err != nil {
		return nil, err
	}
	name, word = canonical(name), strings.ToUpper(word)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.room(name); err != nil {
		return nil, err
	}
	set := []string{name}
	for other := range l.levels {
		if other != name && below(other, name) {
			set = append(set, other)
		}
	}
	slices.Sort(set)
	level := Level{Word: word, Modified: time.Now()}
	for _, n := range set {
		l.levels[n] = level
	}
	l.publish()
	return set, nil
}

// publish makes the table of the levels.
func (l *Levels) publish() {
	t := &table{levels: make(map[string]slog.Level, len(l.levels)), lowest: words[l.levels[Root].Word], highest: words[l.levels[Root].Word]}
	for name, level := range l.levels {
		n := words[level.Word]
		t.levels[name] = n
		t.lowest, t.highest = min(t.lowest, n), max(t.highest, n)
	}
	l.now.Store(t)
}

// of returns the level of a name: its own, or that of the nearest name above it.
func (t *table) of(name string) slog.Level {
	for {
		if level, ok := t.levels[name]; ok {
			return level
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return t.levels[Root]
		}
		name = name[:dot]
	}
}

func below(name, above string) bool { return above == Root || strings.HasPrefix(name, above+".") }

// canonical gives root its name; Connect accepts it in any case.
func canonical(name string) string {
	if strings.EqualFold(name, Root) {
		return Root
	}
	return name
}

// shortened bounds a word that is quoted.
func shortened(word string) string {
	if len(word) > 40 {
		return word[:40] + "…"
	}
	return word
}
