package txn

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// forgetfulCoordinator is a coordinator that has dropped the transactional ID, as Kafka does
// after transactional.id.expiration.ms: it refuses the producer IDs it gave
// before and answers InitProducerID from any client with a new one.
type forgetfulCoordinator struct {
	forgotten map[int64]bool
	successor string // the ID's name in kfake from now on
}

func (w *fixture) forget(producerID int64) {
	a := forgetfulCoordinator{map[int64]bool{producerID: true}, txnID + "-again"}
	rename := func(id *string) {
		if *id == txnID {
			*id = a.successor
		}
	}
	w.ControlKey(int16(kmsg.FindCoordinator), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		rename(&r.(*kmsg.FindCoordinatorRequest).CoordinatorKey)
		return nil, nil, false
	})
	w.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		req := r.(*kmsg.InitProducerIDRequest)
		rename(req.TransactionalID)
		if a.forgotten[req.ProducerID] {
			req.ProducerID, req.ProducerEpoch = -1, -1
		}
		return nil, nil, false
	})
	w.ControlKey(int16(kmsg.AddPartitionsToTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		req := r.(*kmsg.AddPartitionsToTxnRequest)
		rename(&req.TransactionalID)
		if !a.forgotten[req.ProducerID] {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewAddPartitionsToTxnResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				partition := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p, kerr.InvalidProducerIDMapping.Code
				topic.Partitions = append(topic.Partitions, partition)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
	w.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		req := r.(*kmsg.EndTxnRequest)
		rename(&req.TransactionalID)
		if !a.forgotten[req.ProducerID] {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.EndTxnResponse)
		res.ErrorCode = kerr.InvalidProducerIDMapping.Code
		return res, nil, true
	})
}

// While the owner is frozen before one of its requests another owner takes over,
// commits the same orders and more, and is gone for so long that Kafka forgets the
// transactional ID. The first owner wakes and commits nothing.
func TestForgottenOwnerCommitsNothing(t *testing.T) {
	for _, c := range []struct {
		what   string
		key    kmsg.Key
		before int  // requests of the key that come first
		stale  bool // the commit before went unanswered once
	}{
		{"AddPartitionsToTxn", kmsg.AddPartitionsToTxn, 1, false},
		{"Produce", kmsg.Produce, 3, false},
		{"Produce to the last leader", kmsg.Produce, 5, false},
		{"EndTxn", kmsg.EndTxn, 1, false},
		{"the abort of a renewal", kmsg.EndTxn, 2, true},
		{"the InitProducerID of a renewal", kmsg.InitProducerID, 1, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				var zombie *Writer
				w.disturb(func(key kmsg.Key, nth int) fate {
					if key == c.key && nth == c.before {
						heir := w.openElsewhere()
						w.mustPublish(heir, 101, 250)
						w.forget(zombie.ProducerID())
					}
					if c.stale && key == kmsg.EndTxn && nth == 0 {
						return fate{do: swallow}
					}
					return fate{}
				})
				zombie = w.open()
				w.mustPublish(zombie, 1, 100)
				err := w.publish(zombie, 101, 200)
				if !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
					t.Errorf("Commit of the forgotten owner = %v, want ErrFenced alone", err)
				}
				w.expect(250)
				w.mustPublish(w.open(), 251, 300)
				w.expect(300)
			})
		})
	}
}

// The commit was sent and not answered; then Kafka has forgotten the ID. Only the
// topics show the outcome.
func TestForgottenCommitIsInDoubt(t *testing.T) {
	for what, c := range map[string]struct {
		do   doing
		last int
	}{
		"it arrived": {swallow, 200}, "it was lost": {lose, 100},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				var writer *Writer
				w.disturb(func(key kmsg.Key, nth int) fate {
					if key == kmsg.EndTxn && nth == 1 {
						return fate{do: c.do}
					}
					if key == kmsg.EndTxn && nth == 2 {
						w.openElsewhere() // aborts what is open
						w.forget(writer.ProducerID())
					}
					return fate{}
				})
				writer = w.open()
				w.mustPublish(writer, 1, 100)
				if err := w.publish(writer, 101, 200); !errors.Is(err, ErrInDoubt) || !errors.Is(err, ErrFenced) {
					t.Errorf("Commit = %v, want ErrInDoubt and ErrFenced", err)
				}
				w.mustPublish(w.open(), c.last+1, 300)
				w.expect(300)
			})
		})
	}
}

// An owner that was idle for longer than Kafka keeps its ID gets ErrFenced at its next
// commit, and opens again. The process's commit log belongs to the old producer ID.
func TestForgottenWhileIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		cfg := w.config()
		cfg.Memory = &CommitLog{}
		writer, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.mustPublish(writer, 1, 100)
		before := writer.ProducerID()
		w.forget(before)
		err = w.publish(writer, 101, 200)
		if !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
			t.Errorf("Commit = %v, want ErrFenced alone", err)
		}
		if !errors.Is(err, ErrForgotten) {
			t.Errorf("%v does not name the likely cause", err)
		}
		w.expect(100)
		if writer, err = Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if writer.ProducerID() == before {
			t.Fatal("the producer ID is that of before")
		}
		if m := cfg.Memory; m.producerID != writer.ProducerID() || len(m.committed) != 0 || len(m.owned) != 1 {
			t.Errorf("memory of the producer ID before: %+v", m)
		}
		w.mustPublish(writer, 101, 200)
		w.expect(200)
	})
}

// A Writer keeps its producer ID: if a renewal returns another one, as for a forgotten
// ID or when the epochs are used up, its owner has to open again.
func TestRenewalWithAnotherProducerID(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		w.once(kmsg.EndTxn, 0, fate{do: swallow})
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		w.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
			res := r.ResponseKind().(*kmsg.InitProducerIDResponse)
			res.ProducerID = writer.ProducerID() + 1
			return res, nil, true
		})
		if err := w.publish(writer, 101, 200); !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
			t.Errorf("Commit = %v, want ErrFenced alone", err)
		}
		w.mustPublish(w.open(), 101, 200)
		w.expect(200)
	})
}

// A process that was frozen after it had begun a transaction does not send records
// that may no longer be in a transaction.
func TestNothingIsSentWhenItsTimeIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		writer := w.open()
		tx := writer.Begin()
		fill(t, tx, 1, 10)
		counts := w.requests()
		o := writer.send(t.Context(), time.Now(), tx, rounds(tx.batches)[0])
		if o.action != repeat || counts[kmsg.Produce] > 0 {
			t.Errorf("%+v after %d Produce requests, want none and another attempt", o, counts[kmsg.Produce])
		}
	})
}

// Each request may get each of the codes for a forgotten ID.
func TestUnknownProducerIsFenced(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn} {
		for _, code := range []*kerr.Error{kerr.InvalidProducerIDMapping, kerr.UnknownProducerID} {
			t.Run(key.Name()+" "+code.Message, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *fixture) {
					writer := w.open()
					w.mustPublish(writer, 1, 100)
					w.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 1})
					if err := w.publish(writer, 101, 200); !errors.Is(err, ErrFenced) || errors.Is(err, ErrInDoubt) {
						t.Errorf("Commit = %v, want ErrFenced alone", err)
					}
					w.mustPublish(w.open(), 101, 200)
					w.expect(200)
				})
			})
		}
	}
}
