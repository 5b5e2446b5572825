package txn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCommitPublishesOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		writer := w.open()
		for page := range 10 {
			w.mustPublish(writer, page*100+1, page*100+100)
		}
		if err := writer.Commit(t.Context(), writer.Begin()); err != nil {
			t.Errorf("commit of nothing: %v", err)
		}
		w.expect(1000)
	})
}

func TestCommitAsksNoMoreThanItMust(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		counts := w.requests()
		w.mustPublish(writer, 101, 200)
		delete(counts, kmsg.ApiVersions)
		want := map[kmsg.Key]int{kmsg.AddPartitionsToTxn: 1, kmsg.Produce: 3, kmsg.EndTxn: 1}
		for key, n := range want {
			if counts[key] != n {
				t.Errorf("%d requests of %s, want %d (one Produce for each of 3 leaders)", counts[key], key.Name(), n)
			}
		}
		if len(counts) != len(want) {
			t.Errorf("requests = %v, want %v", counts, want)
		}
	})
}

// Several batches of a partition in one transaction, in every codec.
func TestCommitManyBatches(t *testing.T) {
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		t.Run(codec.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				cfg := w.config()
				cfg.MaxBatchBytes, cfg.Compression = 2000, codec
				writer, err := Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				for page := range 3 {
					w.mustPublish(writer, page*2000+1, page*2000+2000)
				}
				w.expect(6000)
			})
		})
	}
}

// One transaction is filled while another is being committed.
func TestBeginWhileCommitting(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		writer := w.open()
		tx := writer.Begin()
		fill(t, tx, 1, 100)
		for page := 1; page <= 20; page++ {
			failed := make(chan error, 1)
			go func(tx *Transaction) { failed <- writer.Commit(t.Context(), tx) }(tx)
			tx = writer.Begin()
			fill(t, tx, page*100+1, page*100+100)
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		w.expect(2000)
		if n := len(writer.free); n != 1 {
			t.Errorf("%d transactions are kept, want the one not in use", n)
		}
	})
}

// One request of the second of four transactions fails in some way: every order is
// published once and the Writer continues.
func TestCommitOutlastsTheNetwork(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn} {
		for name, f := range map[string]fate{
			"lost":      {do: lose},
			"swallowed": {do: swallow},
			"cut":       {do: cut},
			"late":      {do: late, delay: 11 * time.Second},
			"very late": {do: late, delay: time.Hour},
		} {
			t.Run(key.Name()+" "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *fixture) {
					nth := 1
					if key == kmsg.Produce {
						nth = 4 // there are three leaders
					}
					n := w.once(key, nth, f)
					writer := w.open()
					for page := range 4 {
						w.mustPublish(writer, page*100+1, page*100+100)
						time.Sleep(3 * time.Second)
					}
					w.expect(400)
					w.late.Wait()
					w.mustPublish(writer, 401, 500)
					w.expect(500)
					if writer.Epoch() == 0 {
						t.Error("a request went unanswered and the epoch is still the first")
					}
					if got := n.count(kmsg.InitProducerID); got != 2 {
						t.Errorf("%d InitProducerID, want one at first and one to leave the epoch", got)
					}
				})
			})
		}
	}
}

// Proof step 3: the answer to a commit is lost and the commit itself is delayed. It
// must not commit a later transaction half-filled.
func TestLateCommitEndsNoLaterTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		half := make(chan struct{})
		w.disturb(func(key kmsg.Key, nth int) fate {
			switch {
			case key == kmsg.EndTxn && nth == 0: // arrives 7 s later, its repetition after 5 s
				return fate{late, 7 * time.Second}
			case key == kmsg.Produce && nth == 3: // the second transaction is half-way then
				close(half)
				return fate{late, 9 * time.Second}
			}
			return fate{}
		})
		writer := w.open()
		w.mustPublish(writer, 1, 100)
		tx := writer.Begin()
		fill(t, tx, 101, 200)
		failed := make(chan error, 1)
		go func() { failed <- writer.Commit(t.Context(), tx) }()
		<-half
		time.Sleep(4 * time.Second) // the late commit has arrived, the other requests have not
		synctest.Wait()
		w.expectNow(100)
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		w.expect(200)
	})
}

func TestCommitOutlastsAnswers(t *testing.T) {
	add, produce, end := []kmsg.Key{kmsg.AddPartitionsToTxn}, []kmsg.Key{kmsg.Produce}, []kmsg.Key{kmsg.EndTxn}
	for _, c := range []struct {
		keys []kmsg.Key
		err  *kerr.Error
		n    int
	}{
		{add, kerr.ConcurrentTransactions, 30},
		{add, kerr.NotCoordinator, 3},
		{add, kerr.CoordinatorLoadInProgress, 5},
		{add, kerr.CoordinatorNotAvailable, 5},
		{add, kerr.UnknownTopicOrPartition, 7},
		{add, kerr.TransactionAbortable, 1},
		{add, kerr.InvalidTxnState, 8},
		{add, kerr.UnknownServerError, 20},
		{produce, kerr.NotLeaderForPartition, 7},
		{produce, kerr.LeaderNotAvailable, 2},
		{produce, kerr.NotEnoughReplicas, 20},
		{produce, kerr.NotEnoughReplicasAfterAppend, 5},
		{produce, kerr.RequestTimedOut, 3},
		{produce, kerr.KafkaStorageError, 2},
		{produce, kerr.UnknownTopicOrPartition, 3},
		{produce, kerr.OutOfOrderSequenceNumber, 8},
		{produce, kerr.UnknownServerError, 8},
		{produce, kerr.InvalidTxnState, 8},
		{produce, kerr.InvalidProducerEpoch, 1},
		{produce, kerr.TransactionAbortable, 1},
		{produce, kerr.CorruptMessage, 1},
		{end, kerr.ConcurrentTransactions, 30},
		{end, kerr.NotCoordinator, 3},
		{end, kerr.CoordinatorNotAvailable, 5},
		{end, kerr.TransactionAbortable, 1},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.keys[0].Name(), c.err.Message, c.n), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				writer := w.open()
				w.mustPublish(writer, 1, 100)
				fault := w.Fault(kfake.Fault{Keys: c.keys, Err: c.err, Count: c.n})
				w.mustPublish(writer, 101, 200)
				if fault.Hits() < c.n {
					t.Errorf("hit %d times, want %d", fault.Hits(), c.n)
				}
				w.mustPublish(writer, 201, 300)
				w.expect(300)
			})
		})
	}
}

// An outcome is final, and none of these cases fails silently for ever.
func TestCommitGivesUpOnARefusal(t *testing.T) {
	for _, c := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.AddPartitionsToTxn, kerr.TopicAuthorizationFailed},
		{kmsg.AddPartitionsToTxn, kerr.TransactionalIDAuthorizationFailed},
		{kmsg.AddPartitionsToTxn, kerr.UnknownTopicOrPartition},
		{kmsg.AddPartitionsToTxn, kerr.InvalidTxnState},
		{kmsg.Produce, kerr.TopicAuthorizationFailed},
		{kmsg.Produce, kerr.MessageTooLarge},
		{kmsg.Produce, kerr.InvalidRecord},
		{kmsg.Produce, kerr.UnknownTopicOrPartition},
		{kmsg.Produce, kerr.CorruptMessage},
		{kmsg.Produce, kerr.OutOfOrderSequenceNumber},
		{kmsg.EndTxn, kerr.TransactionalIDAuthorizationFailed},
	} {
		t.Run(c.key.Name()+" "+c.err.Message, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				writer := w.open()
				w.mustPublish(writer, 1, 100)
				fault := w.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: -1})
				err := w.publish(writer, 101, 200)
				var refused *Error
				if !errors.As(err, &refused) || refused.Retriable || !errors.Is(err, kafka.Error(c.err.Code)) {
					t.Fatalf("Commit = %#v", err)
				}
				if refused.TransactionalID != "g-0" {
					t.Errorf("%v is about the transactional ID %q", err, refused.TransactionalID)
				}
				fault.Remove()
				if err := w.publish(writer, 101, 200); err == nil {
					t.Error("a Writer that failed took another transaction")
				}
				w.mustPublish(w.open(), 101, 200)
				w.expect(200)
			})
		})
	}
}

func TestOpenGivesUpOnARefusal(t *testing.T) {
	for _, c := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed},
		{kmsg.InitProducerID, kerr.InvalidTransactionTimeout},
		{kmsg.InitProducerID, kerr.ClusterAuthorizationFailed},
		{kmsg.FindCoordinator, kerr.TransactionalIDAuthorizationFailed},
	} {
		t.Run(c.key.Name()+" "+c.err.Message, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				w.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: -1})
				_, err := Open(t.Context(), w.config())
				var refused *Error
				if !errors.As(err, &refused) || refused.TransactionalID != "g-0" || refused.Code != kafka.Error(c.err.Code) {
					t.Errorf("Open = %#v", err)
				}
			})
		})
	}
}

func TestOpenOutlastsTheNetwork(t *testing.T) {
	for name, f := range map[string]fate{
		"lost": {do: lose}, "swallowed": {do: swallow}, "cut": {do: cut}, "late": {late, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				w.once(kmsg.InitProducerID, 0, f)
				writer := w.open()
				w.mustPublish(writer, 1, 100)
				w.expect(100)
			})
		})
	}
	for _, err := range []*kerr.Error{kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress} {
		t.Run(err.Message, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: err, Count: 12},
					kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: 2})
				w.mustPublish(w.open(), 1, 100)
				w.expect(100)
			})
		})
	}
}

func TestOpenEndsWithContext(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		w.disturb(func(kmsg.Key, int) fate { return fate{do: lose} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cfg := w.config()
		cfg.OnRetry = nil
		if _, err := Open(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open = %v", err)
		}
		if !strings.Contains(w.logged.String(), "Kafka delays a transaction; trying again") {
			t.Errorf("the log does not say what is waited for: %s", w.logged.String())
		}
	})
}
