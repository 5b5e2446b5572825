package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"orderwalk/internal/config"
)

// lookEvery is the interval at which the shops file is checked for changes.
const lookEvery = 2 * time.Second

// fileError is a shops file with faults. They are the file's: another attempt changes
// nothing.
type fileError struct{ error }

func (e *fileError) Unwrap() error { return e.error }

// watch calls load when the shops file is another than it was when it was read, until ctx
// ends. The start may be long ago if Kafka was unreachable. A file with faults changes
// nothing and is reported once.
//
// A file that changes from look to look is still being written. What is there so far may be
// valid without the last shops: they would stop, and a bounded run would end without them.
func watch(ctx context.Context, file string, seen config.FileState, log *slog.Logger, load func() error) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	logged, before := "", seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		latest := config.Look(file)
		written := latest == before
		before = latest
		if !written || latest == seen && logged == "" {
			continue
		}
		// Log an error again only if the file or its faults change. Errors of
		// Kafka differ at every attempt, so they all count as the same.
		err := load()
		message, text := "cannot apply the changed shops file yet; the running shops stay unchanged, retrying", "topics"
		if faults := (*fileError)(nil); errors.As(err, &faults) {
			message, text = "the changed shops file has faults; the running shops stay unchanged", fmt.Sprint(err)
		}
		fresh := latest != seen || text != logged
		seen = latest
		if err == nil {
			if logged != "" {
				log.Info("the shops file is in use again", "file", file)
			}
			logged = ""
			continue
		}
		if fresh && ctx.Err() == nil {
			logged = text
			log.Error(message, "file", file, "reason", err)
		}
	}
}
