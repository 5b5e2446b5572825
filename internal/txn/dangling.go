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

// dangling is a partition in which Kafka has left a transaction of ours open
// that its coordinator has ended.
type dangling struct {
	topicPartition
	producing
}

// CommitLog is what a process knows of its commits under a transactional ID. The
// next Writer of the process goes by it when Kafka has left one of them open, so
// it outlives a Writer. It serves one at a time; the zero value knows nothing.
type CommitLog struct {
	producerID int64
	owned      []epochs // of epochs, the last ones of this process
	committed  ends
	doubtful   ends // a commit of them was sent, and not answered yet
}

// ends are where transactions end, in each of their partitions.
type ends map[topicPartition]sent

func (e ends) has(p topicPartition, s sent) bool {
	known, ok := e[p]
	return ok && known == s
}

type epochs struct{ from, to int16 }

// mostSpans is far more than an open transaction is behind.
const mostSpans = 16

// adopt notes an epoch that is ours; one that is renewed follows its predecessor.
func (m *CommitLog) adopt(producerID int64, epoch int16, renewed bool) {
	if producerID != m.producerID || m.committed == nil {
		*m = CommitLog{producerID: producerID, committed: ends{}}
	}
	if n := len(m.owned); renewed && n > 0 {
		m.owned[n-1].to = epoch
		return
	}
	m.owned = append(m.owned[max(0, len(m.owned)-mostSpans+1):], epochs{epoch, epoch})
}

func (m *CommitLog) owns(epoch int16) bool {
	return slices.ContainsFunc(m.owned, func(s epochs) bool { return s.from <= epoch && epoch <= s.to })
}

// sent is the last record of a transaction in a partition.
type sent struct {
	epoch    int16
	sequence int32
}

// finishDangling ends what Kafka has left open of ours, as "Where Kafka falls short" has
// it. Nothing may be open at the coordinator. It waits for a leader of each of
// the partitions that are to be written to: what comes there next would end what
// is open.
func (w *Writer) finishDangling(ctx context.Context, next []topicPartition) outcome {
	if w.cfg.AnchorTopic == "" {
		return outcome{}
	}
	var left []dangling
	var whole bool
	o := w.retry(ctx, callDescribe, w.leaderPatience(next), func(ctx context.Context, until time.Time) (a answer) {
		left, whole, a = w.leftOpen(ctx, next)
		return a
	})
	if o.action != done {
		return o
	}
	until := w.settled()
	toCommit, toAbort := w.outcomeOf(left)
	for _, end := range []struct {
		partitions []topicPartition
		commit     bool
	}{{toCommit, true}, {toAbort, false}} {
		if len(end.partitions) == 0 {
			continue
		}
		o := w.retry(ctx, callReopen, until, func(ctx context.Context, until time.Time) answer {
			return w.addPartitions(ctx, until, end.partitions)
		})
		if o.action == done {
			o = w.end(ctx, until, end.commit)
		}
		if o.action != done {
			return o
		}
		w.cfg.Log.Warn("ended a transaction that Kafka had left open", "transactional_id", w.cfg.TransactionalID,
			"committed", end.commit, "partitions", fmt.Sprint(end.partitions))
	}
	w.unsure = !whole
	return outcome{}
}

func (w *Writer) anchor() topicPartition {
	return topicPartition{w.cfg.AnchorTopic, w.cfg.AnchorPartition}
}

// outcomeOf tells how the remains of transactions have to end, as a pure function
// of what is left and of what this process knows to be committed.
func (w *Writer) outcomeOf(left []dangling) (toCommit, toAbort []topicPartition) {
	anchored := slices.ContainsFunc(left, func(r dangling) bool { return r.topicPartition == w.anchor() })
	for _, r := range left {
		commit := !anchored // nobody here knows
		last := sent{r.epoch, r.sequence}
		if m := w.cfg.Memory; m.owns(r.epoch) && !m.doubtful.has(r.topicPartition, last) {
			commit = m.committed.has(r.topicPartition, last)
		}
		if commit {
			toCommit = append(toCommit, r.topicPartition)
		} else {
			toAbort = append(toAbort, r.topicPartition)
		}
	}
	return toCommit, toAbort
}

// leftOpen asks every leader what is open of ours. Not looked at is a partition
// that we may not read, or whose broker cannot tell; nor one that has no leader
// now, but then it is not the whole, and not enough if it is written to next.
func (w *Writer) leftOpen(ctx context.Context, next []topicPartition) (left []dangling, whole bool, a answer) {
	if w.unsure {
		_ = w.cluster.Refresh(ctx) // without it the next request fails, and is made again
	}
	known, err := w.cluster.leaders(ctx, append(slices.Clone(w.cfg.Topics), w.cfg.AnchorTopic))
	if err != nil {
		return nil, false, unanswered(err)
	}
	byLeader := map[int32][]topicPartition{}
	look := func(p topicPartition) kafka.Error {
		node, code := known.of(p.topic, p.partition)
		if code == 0 {
			byLeader[node] = append(byLeader[node], p)
		}
		return code
	}
	all := []topicPartition{w.anchor()}
	for _, topic := range w.cfg.Topics {
		for _, p := range known[topic].Partitions {
			all = append(all, topicPartition{topic, p.PartitionIndex})
		}
	}
	whole = true
	for _, p := range all {
		if code := look(p); code != 0 {
			whole = false
			if p == w.anchor() || slices.Contains(next, p) {
				return nil, false, answer{code: code, topic: p.topic, partition: p.partition}
			}
		}
	}
	id, _ := w.identity()
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
				left = append(left, dangling{p, s})
			case reactToRead(s.code) == again && s.code != 0:
				return nil, false, answer{code: s.code, topic: p.topic, partition: p.partition}
			case s.code != 0:
				w.cfg.Log.Log(ctx, slog.LevelDebug, "cannot see what is open in a partition", "topic", p.topic, "partition", p.partition, "reason", reason(s.code))
			}
		}
	}
	slices.SortFunc(left, func(a, b dangling) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	return left, whole, answer{}
}

// trouble says whether an answer may mean that a broker has gone, and markers
// with it.
func trouble(code kafka.Error) bool {
	switch code {
	case 0, kafka.ConcurrentTransactions, kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.ThrottlingQuotaExceeded:
		return false
	}
	return true
}
