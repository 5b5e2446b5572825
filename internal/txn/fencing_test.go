package txn

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A newer owner opens just before each of the zombie's requests. The zombie commits
// nothing, returns ErrFenced and does not take the ID back.
func TestZombieCommitsNothing(t *testing.T) {
	for _, c := range []struct {
		key kmsg.Key
		nth int
	}{
		{kmsg.AddPartitionsToTxn, 0}, {kmsg.Produce, 0}, {kmsg.Produce, 1}, {kmsg.Produce, 2}, {kmsg.EndTxn, 0},
	} {
		t.Run(c.key.Name(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				heir := make(chan *Writer, 1)
				before := map[kmsg.Key]int{kmsg.AddPartitionsToTxn: 1, kmsg.Produce: 3, kmsg.EndTxn: 1}[c.key]
				w.disturb(func(key kmsg.Key, nth int) fate {
					if key == c.key && nth == before+c.nth {
						heir <- w.openElsewhere()
					}
					return fate{}
				})
				zombie := w.open()
				w.mustPublish(zombie, 1, 100)
				err := w.publish(zombie, 101, 200)
				if !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
					t.Errorf("the zombie's Commit = %v, want ErrFenced alone", err)
				}
				w.expect(100)
				owner := <-heir
				w.mustPublish(owner, 101, 250)
				if err := w.publish(zombie, 101, 200); !errors.Is(err, ErrFenced) {
					t.Errorf("the zombie's second Commit = %v", err)
				}
				w.expect(250)
			})
		})
	}
}

// openElsewhere opens the same transactional ID in another process.
func (w *fixture) openElsewhere() *Writer {
	w.t.Helper()
	cfg := w.config()
	cfg.Transport = w.newTransport()
	cfg.OnRetry = nil
	writer, err := Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Error(err)
	}
	w.t.Cleanup(cfg.Transport.CloseIdleConnections)
	return writer
}

// A zombie that froze before a transaction, and has to renew its epoch, does not take
// the ID back.
func TestZombieDoesNotRenewItself(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		w.once(kmsg.EndTxn, 0, fate{do: swallow})
		zombie := w.open()
		w.mustPublish(zombie, 1, 100) // leaves it with an epoch to renew
		owner := w.openElsewhere()
		if err := w.publish(zombie, 101, 200); !errors.Is(err, ErrFenced) {
			t.Errorf("the zombie's Commit = %v", err)
		}
		w.mustPublish(owner, 101, 300)
		w.expect(300)
	})
}

// The process freezes for two minutes within a transaction, and the broker aborts the
// transaction. The woken process commits nothing and returns ErrFenced.
func TestFrozenTransactionIsFenced(t *testing.T) {
	for _, c := range []struct {
		key  kmsg.Key
		err  *kerr.Error
		want error
	}{
		{kmsg.Produce, kerr.NotEnoughReplicas, ErrFenced},
		{kmsg.EndTxn, kerr.NotCoordinator, ErrInDoubt},
	} {
		t.Run(c.key.Name(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				cfg := w.config()
				cfg.OnRetry = func(string, string, error) { time.Sleep(2 * time.Minute) }
				writer, err := Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				w.mustPublish(writer, 1, 100)
				w.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err})
				err = w.publish(writer, 101, 200)
				if !errors.Is(err, c.want) {
					t.Errorf("Commit = %v, want %v", err, c.want)
				}
				if c.want == ErrFenced && !errors.Is(err, ErrTimedOut) {
					t.Errorf("%q does not name the likely cause", err)
				}
				w.expect(100)
				w.mustPublish(w.open(), 101, 200)
				w.expect(200)
			})
		})
	}
}

// The commit is not answered, and then another owner opens.
func TestUnansweredCommitThenFencedIsInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		fate fate
		last int // the last order on the topics
	}{
		"it arrived":            {fate{do: swallow}, 200},
		"it was lost":           {fate{do: lose}, 100},
		"it is still under way": {fate{late, time.Minute}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				heir := make(chan *Writer, 1)
				w.disturb(func(key kmsg.Key, nth int) fate {
					if key == kmsg.EndTxn && nth == 1 {
						return c.fate
					}
					if key == kmsg.EndTxn && nth == 2 {
						heir <- w.openElsewhere()
					}
					return fate{}
				})
				writer := w.open()
				w.mustPublish(writer, 1, 100)
				err := w.publish(writer, 101, 200)
				if !errors.Is(err, ErrInDoubt) || !errors.Is(err, ErrFenced) {
					t.Errorf("Commit = %v, want ErrInDoubt and ErrFenced", err)
				}
				w.expect(c.last)
				w.mustPublish(<-heir, c.last+1, 300)
				time.Sleep(2 * time.Minute)
				w.expect(300)
			})
		})
	}
}

func TestCommitNeverAnsweredIsInDoubt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		fault := w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.CoordinatorNotAvailable, Count: -1})
		if err := w.publish(writer, 101, 200); !errors.Is(err, ErrInDoubt) || errors.Is(err, ErrFenced) {
			t.Errorf("Commit = %v, want ErrInDoubt", err)
		}
		fault.Remove()
		w.mustPublish(w.open(), 101, 200)
		w.expect(200)
	})
}

// A context that ends before the commit is sent leaves no open transaction that
// readers would have to wait for.
func TestCommitEndsWithContext(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce} {
		t.Run(key.Name(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				writer := w.open()
				w.mustPublish(writer, 1, 100)
				ctx, cancel := context.WithCancel(t.Context())
				w.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
					w.DropControl()
					cancel()
					return nil, nil, false
				})
				tx := writer.Begin()
				fill(t, tx, 101, 200)
				err := writer.Commit(ctx, tx)
				if !errors.Is(err, context.Canceled) || errors.Is(err, ErrInDoubt) {
					t.Errorf("Commit = %v, want context.Canceled alone", err)
				}
				reader := &Reader{Addr: w.addr, Transport: w.transport}
				started := time.Now()
				if _, err := reader.ReadToEnd(t.Context(), offsets, 0, 0, func(Record) error { return nil }); err != nil {
					t.Error(err)
				}
				if waited := time.Since(started); waited > fetchWait {
					t.Errorf("a reader had to wait %v of virtual time for the dropped transaction", waited)
				}
				w.expect(100)
			})
		})
	}
}

func TestCommitCancelledAfterItWasSentIsInDoubt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		w.once(kmsg.EndTxn, 1, fate{do: swallow})
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		ctx, cancel := context.WithTimeout(t.Context(), coordinatorLimit/2)
		defer cancel()
		tx := writer.Begin()
		fill(t, tx, 101, 200)
		err := writer.Commit(ctx, tx)
		if !errors.Is(err, ErrInDoubt) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Commit = %v, want ErrInDoubt and the deadline", err)
		}
		w.expect(200)
	})
}
