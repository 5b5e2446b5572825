package txn

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The coordinator or the leaders move between and within transactions.
func TestCommitFollowsBrokers(t *testing.T) {
	for name, move := range map[string]func(w *fixture){
		"coordinator": func(w *fixture) { w.RehashCoordinators() },
		"leaders": func(w *fixture) {
			for p := range int32(6) {
				w.MoveTopicPartition(orders, p, (w.LeaderFor(orders, p)+1)%3)
			}
		},
		"all to one": func(w *fixture) {
			for p := range int32(6) {
				w.MoveTopicPartition(orders, p, 0)
			}
			w.MoveTopicPartition(offsets, 0, 0)
		},
	} {
		for _, before := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn} {
			t.Run(name+" before "+before.Name(), func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *fixture) {
					writer := w.open()
					w.mustPublish(writer, 1, 100)
					moved := make(chan struct{})
					var first sync.Once
					w.ControlKey(int16(before), func(kmsg.Request) (kmsg.Response, error, bool) {
						w.DropControl()
						first.Do(func() { go func() { move(w); close(moved) }() })
						w.SleepControl(func() { <-moved })
						return nil, nil, false
					})
					w.mustPublish(writer, 101, 200)
					<-moved
					w.mustPublish(writer, 201, 300)
					w.expect(300)
				})
			})
		}
	}
}

func TestCommitFollowsNewBroker(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		node, _, err := w.AddNode(7, 9099)
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(6) {
			w.MoveTopicPartition(orders, p, node)
		}
		for page := 1; page < 20; page++ { // at some point the coordinator lands on that broker too
			w.RehashCoordinators()
			w.mustPublish(writer, page*100+1, page*100+100)
		}
		w.expect(2000)
	})
}

// No broker answers any more. Commit reports it when the transaction timeout has
// passed, and a Writer opened after Kafka's return continues.
func TestCommitWhileKafkaIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		from  kmsg.Key // the first request that is lost
		limit time.Duration
		want  func(error) bool
	}{
		"before the records": {kmsg.AddPartitionsToTxn, time.Hour, func(err error) bool {
			var refused *Error
			return errors.As(err, &refused) && refused.Retriable && !errors.Is(err, ErrInDoubt)
		}},
		"before the records, with less patience": {kmsg.Produce, 20 * time.Second, func(err error) bool {
			return errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrInDoubt)
		}},
		"before the commit": {kmsg.EndTxn, time.Hour, func(err error) bool {
			return errors.Is(err, ErrInDoubt) && !errors.Is(err, ErrFenced)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				away, ready := false, false
				n := w.disturb(func(key kmsg.Key, _ int) fate {
					w.mu.Lock()
					defer w.mu.Unlock()
					if away = away || ready && key == c.from; away {
						return fate{do: lose}
					}
					return fate{}
				})
				writer := w.open()
				w.mustPublish(writer, 1, 100)
				w.mu.Lock()
				ready = true
				w.mu.Unlock()
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				tx := writer.Begin()
				fill(t, tx, 101, 200)
				if err := writer.Commit(ctx, tx); !c.want(err) {
					t.Errorf("Commit = %#v", err)
				}
				n.quiet.Store(true)
				w.mustPublish(w.open(), 101, 200)
				w.expect(200)
			})
		})
	}
}
