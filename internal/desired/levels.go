package desired

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/loglevel"
	"orderwalk/internal/txn"
)

// kindLevel is the kind of a logger's record; its key has the logger's name in "logger".
const kindLevel grouplog.Kind = "logger"

// levelWriter is the name of the transactional ID of all changes of levels.
const levelWriter = "levels"

// levelAttempts is how often SetAll tries because another worker sets a level at the same
// time.
const levelAttempts = 5

// Levels sets the levels of loggers in all workers of the group. As with Kafka Connect, a
// worker takes the levels that are set while it runs: one that starts later begins with
// its configured level, so a restart ends what an investigation has left behind.
//
// A worker that froze in the middle of a change must not undo what another worker has
// acknowledged since: each change opens the transactional ID of all changes, which fences
// the worker that had it, and commits only while its caller waits.
type Levels struct {
	log    *grouplog.Log
	levels *loglevel.Levels
	logger *slog.Logger
	begun  atomic.Bool

	changing sync.Mutex // serialises SetAll
}

// levelRecord is a level's value in the log.
type levelRecord struct {
	Level string `json:"level"`
	At    int64  `json:"at"` // unix seconds
}

// NewLevels returns the levels of a group, which it sets in this worker's levels too. Call
// it before the log is followed.
func NewLevels(log *grouplog.Log, levels *loglevel.Levels, logger *slog.Logger) *Levels {
	l := &Levels{log: log, levels: levels, logger: logger}
	log.On(l.deliver, kindLevel)
	return l
}

// Begin says that the log has been read to its end: levels that are read from now on were
// set while this worker runs.
func (l *Levels) Begin() { l.begun.Store(true) }

func (l *Levels) deliver(r grouplog.Record) {
	if !l.begun.Load() {
		return
	}
	var level levelRecord
	err := json.Unmarshal(r.Value, &level)
	if err == nil {
		_, err = l.levels.Set(r.Name.Logger, level.Level)
	}
	if err != nil {
		loglevel.Always(l.logger).Warn("cannot set a log level that was set for all workers", "logger", r.Name.Logger, "error", err)
		return
	}
	loglevel.Always(l.logger).Info("log level set", "logger", r.Name.Logger, "to", level.Level, "scope", "cluster")
}

// SetAll sets a level in all workers of the group. After nil it is set in this one, and
// will be in every worker within a moment. It returns grouplog.ErrNotYet before Begin, an
// error of loglevel.Levels.Room, ErrConflict, or an error after which the outcome is unknown.
func (l *Levels) SetAll(ctx context.Context, logger, level string) error {
	if !l.begun.Load() {
		return grouplog.ErrNotYet
	}
	if err := l.levels.Room(logger, level); err != nil {
		return err
	}
	entry := grouplog.Entry{Name: grouplog.Name{Logger: logger, Kind: kindLevel}, Value: grouplog.Encode(levelRecord{level, time.Now().Unix()})}
	l.changing.Lock()
	defer l.changing.Unlock()
	pause := backoff.New(10*time.Millisecond, 200*time.Millisecond)
	for range levelAttempts {
		owner, err := l.log.Own(ctx, levelWriter)
		if gone := ctx.Err(); gone != nil {
			return gone // the caller has gone: nothing may come after what it does next
		}
		if err == nil {
			err = txn.Detached(ctx, func(ctx context.Context) error { return owner.Commit(ctx, entry) })
		}
		switch {
		case err == nil:
			return l.log.CatchUp(ctx)
		case !errors.Is(err, txn.ErrFenced) || errors.Is(err, txn.ErrInDoubt):
			return fmt.Errorf("commit the log level: %w", err)
		}
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
	}
	return ErrConflict
}
