package txn

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Config says for which transactional ID a Writer works, and how.
type Config struct {
	Addr               net.Addr          // bootstrap brokers, kafka.TCP(...)
	Transport          *kafka.Transport  // shared by all writers and readers of the process
	TransactionalID    string            // who holds it is the only one to commit
	TransactionTimeout time.Duration     // the broker aborts a transaction open for longer; 0 means 30s
	Compression        kafka.Compression // 0 means none
	MaxBatchBytes      int               // a batch stays under it before compression; 0 means 900 KiB (topics take 1 MiB by default)
	// AnchorTopic and AnchorPartition are written to by every transaction, Topics
	// by some: that is where the Writer looks for what Kafka has left open, when it
	// is opened and after trouble. No AnchorTopic: it does not look.
	AnchorTopic     string
	AnchorPartition int32
	Topics          []string
	// TopicPatience, if any, bounds how long one of Topics may be without a leader,
	// or without enough replicas, before Commit fails over it with an *Error that is
	// Retriable and names it; 0 = it is waited for.
	TopicPatience func(topic string) time.Duration
	// Memory, if any, is that of the Writers before in this process.
	Memory *CommitLog
	Log    *slog.Logger // nil discards
	// OnRetry, if any, hears of every answer that made a request go out again:
	// the request's name in Kafka and the reason, both from small sets, and why
	// there was no answer, if there was none. It is called by the goroutine that
	// opens or commits. Without it the log tells, every few seconds.
	OnRetry func(request, reason string, err error)
}

const (
	defaultTransactionTimeout = 30 * time.Second
	defaultMaxBatchBytes      = LargestBatch
)

// Writer commits transactions for one transactional ID. Begin, ProducerID and
// Epoch may be called while another goroutine commits.
type Writer struct {
	cfg     Config
	cluster cluster

	committing  sync.Mutex // one transaction at a time; guards all up to mu
	coordinator int32      // the broker that keeps our transactional ID; −1 when it has to be asked for
	sequences   map[topicPartition]int32
	ends        map[topicPartition]int64 // of the logs, behind our last batch
	rewound     map[topicPartition]bool  // see Rewound
	// stale means that a request of this epoch went unanswered and may still be
	// on its way. The next transaction needs another epoch.
	stale bool
	// unsure means that a broker may have gone since the last look at what is left
	// open, and markers with it.
	unsure   bool
	produced bool      // the attempt has sent records
	ended    bool      // by a commit, the attempt before was
	begun    time.Time // when the last attempt was
	failed   error     // why the Writer is of no more use

	mu         sync.Mutex
	producerID int64
	epoch      int16
	free       []*Transaction
}

type topicPartition struct {
	topic     string
	partition int32
}

// Open fences every older holder of the transactional ID: whatever it has open
// is aborted, what it had decided to commit is committed, and it commits
// nothing more. When Open returns, both stand on the topics.
//
// It asks until Kafka's answer is definite or ctx ends. A refusal that an
// operator has to act on is an [*Error].
func Open(ctx context.Context, cfg Config) (*Writer, error) {
	if cfg.TransactionTimeout <= 0 {
		cfg.TransactionTimeout = defaultTransactionTimeout
	}
	if cfg.MaxBatchBytes <= 0 {
		cfg.MaxBatchBytes = defaultMaxBatchBytes
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Memory == nil {
		cfg.Memory = &CommitLog{}
	}
	w := &Writer{
		cfg:         cfg,
		cluster:     clusterAt(cfg.Addr, cfg.Transport),
		coordinator: -1,
		sequences:   map[topicPartition]int32{},
		ends:        map[topicPartition]int64{},
		rewound:     map[topicPartition]bool{},
		producerID:  -1,
		epoch:       -1,
	}
	o := w.retry(ctx, callInit, time.Time{}, w.initProducerID)
	if o.action == done {
		o = w.finishDangling(ctx, nil)
	}
	if o.action != done {
		return nil, fmt.Errorf("open transactional ID %q: %w", cfg.TransactionalID, w.failure(ctx, o))
	}
	return w, nil
}

// Cover adds a topic to Config.Topics: the next commit looks what Kafka has left open
// there, too.
func (w *Writer) Cover(topic string) {
	w.committing.Lock()
	defer w.committing.Unlock()
	if !slices.Contains(w.cfg.Topics, topic) {
		w.cfg.Topics = append(slices.Clone(w.cfg.Topics), topic)
		w.unsure = true
	}
}

// ProducerID is the number Kafka gave to the transactional ID, the same for the
// Writer's life.
func (w *Writer) ProducerID() int64 {
	id, _ := w.identity()
	return id
}

// Epoch grows with every owner, and by itself after trouble.
func (w *Writer) Epoch() int16 {
	_, epoch := w.identity()
	return epoch
}

func (w *Writer) identity() (int64, int16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.producerID, w.epoch
}

// adopt takes the identity Kafka gave; every partition's sequence starts again.
func (w *Writer) adopt(producerID int64, epoch int16) {
	before, _ := w.identity()
	w.cfg.Memory.adopt(producerID, epoch, before >= 0)
	w.mu.Lock()
	w.producerID, w.epoch = producerID, epoch
	w.mu.Unlock()
	clear(w.sequences)
	w.stale = false
}

// Begin returns an empty transaction. Kafka hears nothing of it before Commit;
// one that is not to be committed can just be dropped.
func (w *Writer) Begin() *Transaction {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.free); n > 0 {
		t := w.free[n-1]
		w.free = w.free[:n-1]
		return t
	}
	return &Transaction{limit: w.cfg.MaxBatchBytes, open: map[string][]int{}}
}

func (w *Writer) recycle(t *Transaction) {
	t.reset()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = append(w.free, t)
}
