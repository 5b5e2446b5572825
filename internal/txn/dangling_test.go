package txn

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// danglingKafka makes a Kafka report that transactions of a producer ID are open in
// partitions, and records the requests that follow, as "add orders/1", "commit" and
// "abort". Each entry of left is reported once.
type danglingKafka struct {
	id    int64
	state string            // of the last transaction, if not the true one
	left  []map[string]sent // by topic/partition
	done  []string
}

func (h *danglingKafka) in(w *fixture) {
	w.ControlKey(int16(kmsg.DescribeProducers), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(h.left) == 0 {
			return nil, nil, false
		}
		req := r.(*kmsg.DescribeProducersRequest)
		res := req.ResponseKind().(*kmsg.DescribeProducersResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewDescribeProducersResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				partition := kmsg.NewDescribeProducersResponseTopicPartition()
				partition.Partition = p
				for _, id := range []int64{h.id - 1, h.id, h.id + 1} { // others have transactions too
					active := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
					s, open := h.left[0][fmt.Sprintf("%s/%d", t.Topic, p)]
					active.ProducerID, active.ProducerEpoch, active.LastSequence = id, int32(s.epoch), s.sequence
					active.CurrentTxnStartOffset = -1
					if open || id != h.id {
						active.CurrentTxnStartOffset = 7
					}
					partition.ActiveProducers = append(partition.ActiveProducers, active)
				}
				topic.Partitions = append(topic.Partitions, partition)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
	w.ControlKey(int16(kmsg.DescribeTransactions), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		req := r.(*kmsg.DescribeTransactionsRequest)
		res := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.TransactionalID, state.State = req.TransactionalIDs[0], h.state
		res.TransactionStates = append(res.TransactionStates, state)
		return res, nil, h.state != ""
	})
	w.ControlKey(int16(kmsg.AddPartitionsToTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		var names []string
		for _, t := range r.(*kmsg.AddPartitionsToTxnRequest).Topics {
			for _, p := range t.Partitions {
				names = append(names, fmt.Sprintf("%s/%d", t.Topic, p))
			}
		}
		slices.Sort(names)
		h.note(w, "add "+strings.Join(names, " "))
		return nil, nil, false
	})
	w.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.KeepControl()
		h.note(w, map[bool]string{true: "commit", false: "abort"}[r.(*kmsg.EndTxnRequest).Commit])
		return nil, nil, false
	})
}

func (h *danglingKafka) note(w *fixture, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.done = append(h.done, what)
}

// took returns the requests since its last call; the listing is over then.
func (h *danglingKafka) took(w *fixture) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := h.done
	h.done, h.left = nil, nil
	return done
}

// An owner that opens ends an older owner's dangling transaction, all partitions in one
// transaction, so that no reader sees a part of it.
func TestOpenEndsWhatKafkaHasLeftOpen(t *testing.T) {
	for what, c := range map[string]struct {
		left map[string]sent
		want []string
	}{
		"nothing":                              {nil, nil},
		"a checkpoint and its orders":          {map[string]sent{"offsets/0": {0, 3}, "orders/1": {0, 9}}, []string{"add offsets/0 orders/1", "abort"}},
		"orders whose checkpoint is committed": {map[string]sent{"orders/1": {0, 9}, "orders/4": {0, 8}}, []string{"add orders/1 orders/4", "commit"}},
		"a checkpoint of another lane":         {map[string]sent{"offsets/1": {0, 3}}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				older := w.open()
				w.mustPublish(older, 1, 60)
				h := &danglingKafka{id: older.ProducerID(), left: []map[string]sent{c.left}}
				h.in(w)
				writer := w.open()
				if got := h.took(w); !reflect.DeepEqual(got, c.want) {
					t.Errorf("done: %q, want %q", got, c.want)
				}
				w.mustPublish(writer, 61, 120)
				w.expect(120)
			})
		})
	}
}

// A later transaction that was aborted has taken along what was open in the anchor. Then
// the rest of that commit is aborted too: the partitions that lost their markers with the
// anchor's leader. Orders 1 and 4 are led by another broker.
func TestAnAbortedCheckpointTakesItsOrdersAlong(t *testing.T) {
	for _, own := range []bool{false, true} {
		for state, want := range map[string][]string{
			"Ongoing":        {"add orders/1", "commit", "add orders/3", "abort"},
			"CompleteAbort":  {"add orders/1", "commit", "add orders/3", "abort"},
			"CompleteCommit": {"add orders/1 orders/3", "commit"},
			"Empty":          {"add orders/1 orders/3", "commit"},
		} {
			t.Run(fmt.Sprint(state, " own ", own), func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *fixture) {
					cfg := w.config()
					cfg.Memory = &CommitLog{}
					older, err := Open(t.Context(), cfg)
					if err != nil {
						t.Fatal(err)
					}
					w.mustPublish(older, 1, 60)
					if !own {
						cfg.Memory = nil
					}
					h := &danglingKafka{id: older.ProducerID(), state: state, left: []map[string]sent{{"orders/1": {0, 9}, "orders/3": {0, 9}}}}
					h.in(w)
					writer, err := Open(t.Context(), cfg)
					if err != nil {
						t.Fatal(err)
					}
					if got := h.took(w); !reflect.DeepEqual(got, want) {
						t.Errorf("done: %q, want %q", got, want)
					}
					w.mustPublish(writer, 61, 120)
					w.expect(120)
				})
			})
		}
	}
}

// The process knows its own commits, though the Writer that made them is gone.
func TestOpenKnowsItsOwnCommits(t *testing.T) {
	for what, c := range map[string]struct {
		left map[string]sent
		want []string
	}{
		"its last commit":      {map[string]sent{"offsets/0": {0, 0}, "orders/1": {0, 9}}, []string{"add offsets/0 orders/1", "commit"}},
		"more than it":         {map[string]sent{"offsets/0": {0, 1}, "orders/1": {0, 9}}, []string{"add orders/1", "commit", "add offsets/0", "abort"}},
		"of an owner since":    {map[string]sent{"offsets/0": {1, 0}, "orders/1": {1, 9}}, []string{"add offsets/0 orders/1", "abort"}},
		"of another, of old":   {map[string]sent{"orders/1": {1, 9}}, []string{"add orders/1", "commit"}},
		"what it was to abort": {map[string]sent{"orders/1": {0, 19}}, []string{"add orders/1", "abort"}},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *fixture) {
				cfg := w.config()
				cfg.Memory = &CommitLog{}
				first, err := Open(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				w.mustPublish(first, 1, 60)
				w.open() // another owner
				h := &danglingKafka{id: first.ProducerID(), left: []map[string]sent{c.left}}
				h.in(w)
				if _, err := Open(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
				if got := h.took(w); !reflect.DeepEqual(got, c.want) {
					t.Errorf("done: %q, want %q", got, c.want)
				}
				w.expect(60)
			})
		})
	}
}

// After trouble, and before it writes anything else, an owner ends its own dangling
// transactions as they were meant: it completes a commit that Kafka has not carried out
// everywhere, and aborts the rest of an attempt.
func TestTroubleIsFollowedByALook(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		h := &danglingKafka{}
		h.in(w)
		writer := w.open()
		w.mustPublish(writer, 1, 60)
		h.took(w)
		h.id = writer.ProducerID()
		h.left = []map[string]sent{{"orders/1": {writer.Epoch(), 9}, "orders/2": {writer.Epoch(), 19}}}
		w.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.NotCoordinator, Count: 1})
		w.mustPublish(writer, 61, 120)
		all := "add offsets/0 orders/0 orders/1 orders/2 orders/3 orders/4 orders/5"
		// The second one: if the first request has arrived after all, it ends like
		// the transaction before.
		want := []string{all, "commit", "add orders/1", "commit", "add orders/2", "abort", all, "commit"}
		if got := h.took(w); !reflect.DeepEqual(got, want) {
			t.Errorf("done: %q\nwant: %q", got, want)
		}
		w.expect(120)

		// Without trouble the Writer does not look.
		h.left = []map[string]sent{{"orders/1": {writer.Epoch(), 9}}}
		w.mustPublish(writer, 121, 180)
		if got := h.took(w); !reflect.DeepEqual(got, []string{all, "commit"}) {
			t.Errorf("done: %q", got)
		}
		w.expect(180)
	})
}

// Brokers before Kafka 2.8 lack one of the requests, those before 3.0 the other. They are
// not asked.
func TestABrokerThatCannotTell(t *testing.T) {
	inBubble(t, func(t *testing.T, w *fixture) {
		asked := false
		for _, key := range []kmsg.Key{kmsg.DescribeProducers, kmsg.DescribeTransactions} {
			w.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
				asked = true
				return nil, nil, false
			})
		}
		w.mustPublish(w.open(), 1, 60)
		w.expect(60)
		if asked {
			t.Error("asked all the same")
		}
	}, kfake.MaxVersions(kversion.V2_7_0()))
}

// Every answer of a broker is decoded or rejected.
func FuzzProducersAnswer(f *testing.F) {
	res := kmsg.NewPtrDescribeProducersResponse()
	topic := kmsg.NewDescribeProducersResponseTopic()
	topic.Topic = "orders"
	partition := kmsg.NewDescribeProducersResponseTopicPartition()
	partition.Partition, partition.ErrorMessage = 3, kmsg.StringPtr("words")
	active := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
	active.ProducerID, active.ProducerEpoch, active.LastSequence, active.CurrentTxnStartOffset = 5, 2, 11, 40
	partition.ActiveProducers = append(partition.ActiveProducers, active)
	topic.Partitions = append(topic.Partitions, partition)
	res.Topics = append(res.Topics, topic)
	answer := res.AppendTo([]byte{0, 0, 0, 1, 0})
	want := producersAnswer{{"orders", 3}: {epoch: 2, sequence: 11, open: true, start: 40}}
	if got, err := parseProducers(answer, 5); err != nil || !reflect.DeepEqual(got, want) {
		f.Errorf("%+v, %v", got, err)
	}
	for i := range answer {
		if _, err := parseProducers(answer[:i], 5); err == nil {
			f.Errorf("the first %d bytes of %d are taken for a whole answer", i, len(answer))
		}
	}
	f.Add(answer)
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _ = parseProducers(answer, 5)
	})
}

func FuzzTransactionAnswer(f *testing.F) {
	res := kmsg.NewPtrDescribeTransactionsResponse()
	state := kmsg.NewDescribeTransactionsResponseTransactionState()
	state.ErrorCode, state.TransactionalID, state.State = 105, "g-0", "CompleteAbort"
	res.TransactionStates = append(res.TransactionStates, state)
	answer := res.AppendTo([]byte{0, 0, 0, 1, 0})
	if got, err := parseTransaction(answer); err != nil || got != (transactionAnswer{105, "CompleteAbort"}) {
		f.Errorf("%+v, %v", got, err)
	}
	f.Add(answer)
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _ = parseTransaction(answer)
	})
}
