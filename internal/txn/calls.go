package txn

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/addpartitionstotxn"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/produce"

	"orderwalk/internal/kafkawire"
)

// How long a request may take before it counts as unanswered. A Produce whose
// followers are slow is answered by the leader (replicationLimit) before we give up.
const (
	coordinatorLimit = 5 * time.Second
	produceLimit     = 10 * time.Second
	replicationLimit = 8 * time.Second
)

// answer is the result of one request.
type answer struct {
	code      kafka.Error
	err       error // why no answer came, if code is noAnswer
	sent      bool  // it may have reached a broker
	base      int64 // offset of a batch that is in the log; −1 = unknown
	topic     string
	partition int32 // that the code is about; valid with topic
}

// unanswered returns the answer for a request that failed. Only one whose code is
// noAnswer may have been sent.
func unanswered(err error) answer {
	code := codeOf(err)
	return answer{code: code, err: err, sent: code == noAnswer}
}

// toCoordinator sends a request to the coordinator, which it looks up first if
// necessary. The message is nil if the request failed; the answer has the reason.
func (w *Writer) toCoordinator(ctx context.Context, until time.Time, m protocol.Message) (protocol.Message, answer) {
	limit := remaining(until, coordinatorLimit)
	if a := w.findCoordinator(ctx, limit); a.code != 0 {
		return nil, a
	}
	res, err := w.cluster.exchange(ctx, w.coordinator, limit, m)
	if err != nil {
		a := unanswered(err)
		if a.code == kafka.BrokerNotAvailable { // the transport does not know the broker yet
			a.err = errors.Join(err, w.cluster.Refresh(ctx))
		}
		return nil, a
	}
	return res, answer{sent: true}
}

// findCoordinator looks the coordinator up unless it is known.
func (w *Writer) findCoordinator(ctx context.Context, limit time.Duration) answer {
	if w.coordinator >= 0 {
		return answer{}
	}
	res, err := w.cluster.ask(ctx, limit, &findcoordinator.Request{
		Key:     w.cfg.TransactionalID,
		KeyType: int8(kafka.CoordinatorKeyTypeTransaction),
	})
	if err != nil {
		a := unanswered(err)
		a.sent = false // a lookup changes nothing
		return a
	}
	found := res.(*findcoordinator.Response)
	if found.ErrorCode == 0 {
		w.coordinator = found.NodeID
	}
	return answer{code: kafka.Error(found.ErrorCode)}
}

// remaining returns limit, or the time until a deadline if that is shorter, but at
// least 100 ms so that an answer can arrive.
func remaining(until time.Time, limit time.Duration) time.Duration {
	if until.IsZero() {
		return limit
	}
	return max(min(limit, time.Until(until)), 100*time.Millisecond)
}

// initProducerID requests the next epoch. From a Writer without an epoch it fences
// every other holder; later it names the current identity, and the broker rejects it
// if another owner has taken over.
func (w *Writer) initProducerID(ctx context.Context, until time.Time) answer {
	producerID, epoch := w.identity()
	res, a := w.toCoordinator(ctx, until, &initproducerid.Request{
		TransactionalID:      w.cfg.TransactionalID,
		TransactionTimeoutMs: int32(w.cfg.TransactionTimeout.Milliseconds()),
		ProducerID:           producerID,
		ProducerEpoch:        epoch,
	})
	if res == nil {
		return a
	}
	given := res.(*initproducerid.Response)
	switch a.code = kafka.Error(given.ErrorCode); {
	case a.code != 0:
	case producerID >= 0 && given.ProducerID != producerID:
		// A coordinator that has forgotten the ID does not reject us, and another
		// owner may have held it meanwhile. It also assigns another producer ID when
		// the epochs are used up; opening again is right in that case too.
		a.code = kafka.InvalidProducerIDMapping
	case producerID >= 0 && given.ProducerEpoch != epoch+1:
		// Another owner held the ID between our epoch and this one. Kafka rejects
		// that itself; not every server of its protocol does.
		a.code = kafka.ProducerFenced
	default:
		w.adopt(given.ProducerID, given.ProducerEpoch)
	}
	return a
}

// addPartitions opens the transaction over these partitions.
func (w *Writer) addPartitions(ctx context.Context, until time.Time, partitions []topicPartition) answer {
	producerID, epoch := w.identity()
	req := &addpartitionstotxn.Request{
		TransactionalID: w.cfg.TransactionalID,
		ProducerID:      producerID,
		ProducerEpoch:   epoch,
	}
	index := make(map[string]int)
	for _, p := range partitions {
		i, ok := index[p.topic]
		if !ok {
			i = len(req.Topics)
			index[p.topic] = i
			req.Topics = append(req.Topics, addpartitionstotxn.RequestTopic{Name: p.topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p.partition)
	}
	res, a := w.toCoordinator(ctx, until, req)
	if res == nil {
		return a
	}
	worst := done
	for _, t := range res.(*addpartitionstotxn.Response).Results {
		for _, p := range t.Results {
			code := kafka.Error(p.ErrorCode)
			if r := react(callAdd, code, false); r > worst || a.code == operationNotAttempted && r == worst {
				worst = r
				a.code, a.topic, a.partition = code, t.Name, p.PartitionIndex
			}
		}
	}
	return a
}

// endTxn sends EndTxn.
func (w *Writer) endTxn(ctx context.Context, until time.Time, commit bool) answer {
	producerID, epoch := w.identity()
	res, a := w.toCoordinator(ctx, until, &endtxn.Request{
		TransactionalID: w.cfg.TransactionalID,
		ProducerID:      producerID,
		ProducerEpoch:   epoch,
		Committed:       commit,
	})
	if res == nil {
		return a
	}
	a.code = kafka.Error(res.(*endtxn.Response).ErrorCode)
	return a
}

// produce sends every batch once, one request to each leader, and returns the
// answers in the order of the batches. At most one batch is of the same partition: a
// leader accepts one per request.
//
// The leaders are asked at the same time, but none gets two requests at once: a
// broker verifies with the coordinator that a partition belongs to the transaction,
// for one request of a transactional ID at a time, and rejects the others.
func (w *Writer) produce(ctx context.Context, until time.Time, batches []*batch) []answer {
	answers := make([]answer, len(batches))
	known, err := w.cluster.leaders(ctx, topicNames(batches))
	if err != nil {
		for i := range answers {
			answers[i] = answer{code: noAnswer, err: err}
		}
		return answers
	}
	byLeader := make(map[int32][]int)
	for i, b := range batches {
		node, code := known.of(b.topic, b.partition)
		if code != 0 {
			answers[i].code = code
			continue
		}
		byLeader[node] = append(byLeader[node], i)
	}
	limit := remaining(until, produceLimit)
	var wg sync.WaitGroup
	for node, indexes := range byLeader {
		if len(byLeader) == 1 {
			w.produceTo(ctx, node, limit, batches, indexes, answers)
			break
		}
		wg.Go(func() { w.produceTo(ctx, node, limit, batches, indexes, answers) })
	}
	wg.Wait()
	for i, b := range batches {
		answers[i].topic, answers[i].partition = b.topic, b.partition
	}
	return answers
}

// produceTo sends some of the batches to their leader and stores the answers.
func (w *Writer) produceTo(ctx context.Context, node int32, limit time.Duration, batches []*batch, indexes []int, answers []answer) {
	producerID, epoch := w.identity()
	req := &produceRequest{transactionalID: w.cfg.TransactionalID, timeout: min(limit, replicationLimit), index: make(map[string]int)}
	position := make(map[topicPartition]int, len(indexes))
	for _, i := range indexes {
		b := batches[i]
		key := topicPartition{b.topic, b.partition}
		position[key] = i
		req.add(key, b.seal(stamp{producerID, epoch, w.sequences[key]}))
		answers[i] = answer{code: noAnswer, sent: true}
	}
	res, err := w.cluster.ToBroker(ctx, node, kafkawire.Request{Message: req, Limit: limit, Write: req.write})
	if err != nil {
		for _, i := range indexes {
			answers[i] = unanswered(err)
		}
		return
	}
	for _, t := range res.Message.(*produce.Response).Topics {
		for _, p := range t.Partitions {
			if i, ok := position[topicPartition{t.Topic, p.Partition}]; ok {
				answers[i].code, answers[i].base = kafka.Error(p.ErrorCode), p.BaseOffset
			}
		}
	}
}

func topicNames(batches []*batch) []string {
	var names []string
	seen := make(map[string]bool)
	for _, b := range batches {
		if !seen[b.topic] {
			seen[b.topic] = true
			names = append(names, b.topic)
		}
	}
	return names
}
