package txn

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// mustResume reports whether the attempt that has failed has to be resumed, because
// records of the transaction before are open beneath its own: its coordinator has
// confirmed it and its markers are missing. An abort would end both. The answer needs a
// leader of each partition that both may be in.
func (w *Writer) mustResume(ctx context.Context, t *Transaction) (bool, outcome) {
	exposed := slices.DeleteFunc(t.partitions(), func(p topicPartition) bool {
		_, known := w.confirmed[p]
		return !known
	})
	if !w.mayDangle || !w.produced || w.cfg.AnchorTopic == "" || len(exposed) == 0 {
		return false, outcome{}
	}
	until := w.resumeDeadline()
	if patience := w.leaderPatience(exposed); !patience.IsZero() {
		until = patience
	}
	topics := topicNames(rounds(t.batches)[0]) // the anchor's is one of them
	var open []dangling
	o := w.retry(ctx, callDescribe, until, func(ctx context.Context, _ time.Time) (a answer) {
		_ = w.cluster.Refresh(ctx) // without it the next request fails and is repeated
		known, err := w.cluster.leaders(ctx, topics)
		if err != nil {
			return unanswered(err)
		}
		open, _, a = w.describe(ctx, known, exposed, exposed)
		return a
	})
	if o.action != done {
		return false, o
	}
	if !slices.ContainsFunc(open, func(d dangling) bool { return d.start < w.confirmed[d.topicPartition] }) {
		return false, outcome{}
	}
	if time.Now().After(w.resumeDeadline()) {
		return false, outcome{call: callProduce, action: repeat, answer: answer{code: kafka.RequestTimedOut}}
	}
	return true, outcome{}
}

// resumeDeadline returns when Kafka has certainly ended the current transaction.
func (w *Writer) resumeDeadline() time.Time {
	return w.begun.Add(w.cfg.TransactionTimeout + settleMargin)
}

// confirm notes where the records of a confirmed commit end.
func (w *Writer) confirm(partitions []topicPartition) {
	for _, p := range partitions {
		end, known := w.ends[p]
		if !known {
			end = math.MaxInt64
		}
		w.confirmed[p] = end
	}
}

// mayBeAppended reports whether a batch may be in the log after this answer to Produce. A
// leader that loses its office while it waits for replicas answers like a follower.
func mayBeAppended(a answer) bool {
	return a.sent && a.code != kafka.UnknownTopicOrPartition && a.code != kafka.NotEnoughReplicas
}
