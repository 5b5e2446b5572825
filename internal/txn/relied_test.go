package txn

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a caller relies on is checked before its first commit: whether a wanted record was
// committed behind what it has read. Other records, and what is aborted, do not count.
func TestAnOutdatedReadingIsFoundOutBeforeTheFirstCommit(t *testing.T) {
	wanted := func(key []byte) bool { return string(key) == "checkpoint" }
	end := func(w *fixture) int64 {
		end, err := w.reader().HighWatermark(w.t.Context(), offsets, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		return end
	}
	inBubble(t, func(t *testing.T, w *fixture) {
		older := w.open()
		w.mustPublish(older, 1, 60)
		outdated := end(w)
		w.mustPublish(older, 61, 120)
		writer := w.open()
		writer.Relies(offsets, 0, outdated, wanted)
		if err := w.publish(writer, 61, 120); !errors.Is(err, ErrOutdated) {
			t.Fatalf("publish = %v", err)
		}
		w.expect(120)

		writer = w.open()
		writer.Relies(offsets, 0, end(w), wanted)
		client := w.franz(kgo.TransactionalID("foreign"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer client.Close()
		w.begin(client) // of another program, and open
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: offsets, Key: []byte("other")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		// The first attempt is aborted, with its records behind what was read.
		w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.TransactionAbortable, Count: 1})
		w.mustPublish(writer, 121, 180)
		w.end(client, kgo.TryAbort)
		w.expect(180)
		if writer.relied != nil {
			t.Error("it would look again before the next commit")
		}
	})
}

// Without an answer to the look nothing is committed.
func TestAnUnfinishedLookCommitsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		older := w.open()
		w.mustPublish(older, 1, 60)
		writer := w.open()
		writer.Relies(offsets, 0, 0, func([]byte) bool { return false })
		unled := w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		tx := writer.Begin()
		fill(t, tx, 61, 120)
		if err := writer.Commit(ctx, tx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrInDoubt) {
			t.Errorf("Commit = %v", err)
		}
		unled.Remove()
		w.expect(60)
	})
}
