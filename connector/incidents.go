package connector

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/incident"
	"orderwalk/internal/txn"
	"orderwalk/internal/wechat"
)

// kafkaWait is what a lane, or something else that needs Kafka, waits for.
var kafkaWait = incident.Kind{Who: "waiter", Begins: "waiting for Kafka; the walk resumes when it answers",
	Lasts: "still waiting for Kafka", Ends: "no longer waiting for Kafka"}

// waitFor is the kind of a shop's wait for an act at the vendor's side.
func waitFor(err error) incident.Kind {
	return incident.Kind{Who: "shop", Cause: wechat.Result(err), Begins: "shop waits", Lasts: "shops still wait", Ends: "wait is over; the walk resumes", Long: true}
}

// shopFailed is the failure of a shop.
func shopFailed(err error) incident.Event {
	return incident.Event{Level: slog.LevelError, Who: "shop", Cause: causeOf(err), Message: "shop failed"}
}

// topicRefused is the failure of a shop of a refused orders topic.
func topicRefused(topic string, err error) incident.Event {
	return incident.Event{Level: slog.LevelError, Who: "shop", Cause: topic + ": " + causeOf(err), Message: "shop failed"}
}

// laneRestarts is the end of one life of a lane by a fault.
func laneRestarts(level slog.Level, err error) incident.Event {
	return incident.Event{Level: level, Who: "lane", Cause: causeOf(err), Message: "lane starts again from what is committed"}
}

// causeOf names the cause of an error by a word from a small set: what the API or Kafka
// answered, or else the kind of error.
func causeOf(err error) string {
	var refused *txn.Error
	var code kafka.Error
	switch result := wechat.Result(err); {
	case result != "error":
		return result
	case errors.As(err, &refused) && refused.Code != 0:
		return refused.Code.Title()
	case errors.As(err, &code):
		return code.Title()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner
	}
}

// waiting is a shop's wait for an act at the vendor's side, as the log has it. The zero
// kind means no wait.
type waiting struct {
	report *incident.Source

	mu   sync.Mutex
	kind incident.Kind
}

// begin notes that the shop waits, and why: for another reason it is another wait.
func (w *waiting) begin(err error, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kind := waitFor(err)
	if w.kind != kind {
		w.end(false)
	}
	w.kind = kind
	w.report.Begin(kind, "reason", err, "again_in", pause)
}

// over notes that the shop does not wait; recovered reports that a page arrived.
func (w *waiting) over(recovered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(recovered)
}

// end ends the wait, if any. The caller holds mu.
func (w *waiting) end(recovered bool) {
	if w.kind != (incident.Kind{}) {
		w.report.End(w.kind, recovered)
		w.kind = incident.Kind{}
	}
}
