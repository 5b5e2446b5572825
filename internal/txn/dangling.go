package txn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// dangling is a partition in which Kafka has left one of our transactions open although
// its coordinator has ended it.
type dangling struct {
	topicPartition
	producing
	besideAnchor bool // has the leader that the anchor has
}

// CommitLog holds the commits of this process under a transactional ID. It outlives a
// Writer: the next one uses it to finish dangling transactions. One Writer at a time
// may use it; the zero value is empty.
type CommitLog struct {
	producerID int64
	owned      []epochRange // epochs of this process, the latest mostSpans ranges
	committed  ends
	doubtful   ends // of a commit that was sent and not answered yet
}

// ends holds the last record of transactions in each of their partitions.
type ends map[topicPartition]sent

func (e ends) has(p topicPartition, s sent) bool {
	known, ok := e[p]
	return ok && known == s
}

type epochRange struct{ from, to int16 }

// maxEpochRanges is far more owners than one of our open transactions can be behind.
const maxEpochRanges = 16

// adopt notes an epoch of ours; a renewed one extends the range of its predecessor.
func (m *CommitLog) adopt(producerID int64, epoch int16, renewed bool) {
	if producerID != m.producerID || m.committed == nil {
		*m = CommitLog{producerID: producerID, committed: ends{}}
	}
	if n := len(m.owned); renewed && n > 0 {
		m.owned[n-1].to = epoch
		return
	}
	m.owned = append(m.owned[max(0, len(m.owned)-maxEpochRanges+1):], epochRange{epoch, epoch})
}

func (m *CommitLog) owns(epoch int16) bool {
	return slices.ContainsFunc(m.owned, func(s epochRange) bool { return s.from <= epoch && epoch <= s.to })
}

// sent identifies the last record of a transaction in a partition.
type sent struct {
	epoch    int16
	sequence int32
}

// finishDangling ends our dangling transactions, as "Where Kafka falls short" explains.
// The coordinator must have no transaction of ours open. It waits for a leader of each
// partition in next, because the next write there would end what is open.
func (w *Writer) finishDangling(ctx context.Context, next []topicPartition) outcome {
	if w.cfg.AnchorTopic == "" {
		return outcome{}
	}
	for pause := newPause(); ; {
		var left []dangling
		var whole bool
		o := w.retry(ctx, callDescribe, w.leaderPatience(next), func(ctx context.Context, until time.Time) (a answer) {
			left, whole, a = w.findDangling(ctx, next)
			return a
		})
		if o.action != done {
			return o
		}
		w.mayDangle = !whole
		if len(left) == 0 {
			return outcome{}
		}
		toCommit, toAbort := w.outcomeOf(left)
		if o := w.finish(ctx, toCommit, true); o.action != done {
			return o
		}
		if o := w.finish(ctx, toAbort, false); o.action != done {
			return o
		}
		if !w.mayDangle {
			return outcome{}
		}
		wait(ctx, time.Time{}, pause) // brokers went meanwhile, perhaps before these markers
	}
}

// finish ends transactions that are open in partitions by one without records.
func (w *Writer) finish(ctx context.Context, partitions []topicPartition, commit bool) outcome {
	if len(partitions) == 0 {
		return outcome{}
	}
	until := w.outcomeDeadline()
	o := w.retry(ctx, callReopen, until, func(ctx context.Context, until time.Time) answer {
		return w.addPartitions(ctx, until, partitions)
	})
	if o.action == done {
		o = w.end(ctx, until, commit)
	}
	if o.action == done {
		w.cfg.Log.Warn("ended a dangling transaction: Kafka had left it open", "transactional_id", w.cfg.TransactionalID,
			"committed", commit, "partitions", fmt.Sprint(partitions))
	}
	return o
}

func (w *Writer) anchor() topicPartition {
	return topicPartition{w.cfg.AnchorTopic, w.cfg.AnchorPartition}
}

// outcomeOf decides which dangling transactions to commit and which to abort, as a pure
// function of them and of the commit log.
func (w *Writer) outcomeOf(left []dangling) (toCommit, toAbort []topicPartition) {
	anchored := slices.ContainsFunc(left, func(r dangling) bool { return r.topicPartition == w.anchor() })
	for _, r := range left {
		// The abort of a later transaction has taken the anchor's part along.
		undone := w.lastAborted && r.besideAnchor && !anchored
		commit := !anchored && !undone // the outcome is unknown here
		last := sent{r.epoch, r.sequence}
		if m := w.cfg.Memory; m.owns(r.epoch) && !m.doubtful.has(r.topicPartition, last) {
			commit = m.committed.has(r.topicPartition, last) && !undone
		}
		if commit {
			toCommit = append(toCommit, r.topicPartition)
		} else {
			toAbort = append(toAbort, r.topicPartition)
		}
	}
	return toCommit, toAbort
}

// findDangling asks every leader for our dangling transactions. It skips partitions
// without a leader and topics that are unknown, but then whole is false, and the answer is
// an error if the partition is the anchor or in next.
func (w *Writer) findDangling(ctx context.Context, next []topicPartition) (left []dangling, whole bool, a answer) {
	if w.mayDangle {
		_ = w.cluster.Refresh(ctx) // without it the next request fails and is repeated
	}
	known, err := w.cluster.leaders(ctx, append(slices.Clone(w.cfg.Topics), w.cfg.AnchorTopic))
	if err != nil {
		return nil, false, unanswered(err)
	}
	all := []topicPartition{w.anchor()}
	unknown := false // a broker that has just started may not know a topic yet
	for _, topic := range w.cfg.Topics {
		unknown = unknown || len(known[topic].Partitions) == 0
		for _, p := range known[topic].Partitions {
			all = append(all, topicPartition{topic, p.PartitionIndex})
		}
	}
	left, whole, a = w.describe(ctx, known, all, append(slices.Clone(next), w.anchor()))
	return left, whole && !unknown, a
}

// describe asks the leaders of partitions for our open transactions. It skips partitions
// that we may not describe or whose broker lacks the request. It skips partitions without
// a leader, and those their leader does not know, but then whole is false, and the answer
// is an error if the partition is one of those needed.
func (w *Writer) describe(ctx context.Context, known leaders, all, needed []topicPartition) (open []dangling, whole bool, a answer) {
	byLeader := map[int32][]topicPartition{}
	whole = true
	for _, p := range all {
		node, code := known.of(p.topic, p.partition)
		if code == 0 {
			byLeader[node] = append(byLeader[node], p)
			continue
		}
		whole = false
		if slices.Contains(needed, p) {
			return nil, false, answer{code: code, topic: p.topic, partition: p.partition}
		}
	}
	id, _ := w.identity()
	anchorLeader, _ := known.of(w.cfg.AnchorTopic, w.cfg.AnchorPartition)
	for node, partitions := range byLeader {
		said, err := w.cluster.producers(ctx, node, id, partitions)
		if errors.Is(err, kafka.UnsupportedVersion) {
			continue
		}
		if err != nil {
			return nil, false, unanswered(err)
		}
		for _, p := range partitions {
			switch s := said[p]; {
			case s.open:
				open = append(open, dangling{p, s, node == anchorLeader})
			case s.code != 0 && (reactToRead(s.code) == repeat || reactToRead(s.code) == missing && slices.Contains(needed, p)):
				return nil, false, answer{code: s.code, topic: p.topic, partition: p.partition}
			case s.code != 0 && reactToRead(s.code) == missing:
				whole = false
			case s.code != 0:
				w.cfg.Log.Log(ctx, slog.LevelDebug, "cannot look for dangling transactions in a partition", "topic", p.topic, "partition", p.partition, "reason", reason(s.code))
			}
		}
	}
	slices.SortFunc(open, func(a, b dangling) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	return open, whole, answer{}
}

// brokerTrouble reports whether an answer may mean that a broker has gone, and that markers
// are missing.
func brokerTrouble(code kafka.Error) bool {
	switch code {
	case 0, kafka.ConcurrentTransactions, kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.ThrottlingQuotaExceeded:
		return false
	}
	return true
}
