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

// Config configures a Writer for one transactional ID.
type Config struct {
	Addr               net.Addr          // bootstrap brokers, kafka.TCP(...)
	Transport          *kafka.Transport  // shared by all writers and readers of the process
	TransactionalID    string            // its holder is the only one that can commit
	TransactionTimeout time.Duration     // the broker aborts a transaction open for longer; 0 means 30s
	Compression        kafka.Compression // 0 means none
	MaxBatchBytes      int               // limit of a batch before compression; 0 means 900 KiB (topics accept 1 MiB by default)
	// AnchorTopic and AnchorPartition are in every transaction, Topics in some. The
	// Writer looks there for dangling transactions when it opens and after trouble;
	// without an AnchorTopic it does not look.
	AnchorTopic     string
	AnchorPartition int32
	Topics          []string
	// TopicPatience, if any, bounds how long one of Topics may be without a leader or
	// without enough replicas before Commit fails with a Retriable *Error that names
	// the topic; 0 = no limit.
	TopicPatience func(topic string) time.Duration
	// Memory, if any, is the commit log of the earlier Writers of this process.
	Memory *CommitLog
	Log    *slog.Logger // nil discards
	// OnRetry, if any, is called for every answer that makes the Writer repeat a
	// request: with Kafka's name of the request, the reason (both from small sets), and
	// the error if no answer came. The goroutine that opens or commits calls it.
	// Without OnRetry the Writer logs a retry every few seconds.
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

	committing  sync.Mutex // one transaction at a time; guards all fields up to mu
	coordinator int32      // broker ID of the coordinator; −1 = unknown
	sequences   map[topicPartition]int32
	ends        map[topicPartition]int64 // log end offset after our last batch
	rewound     map[topicPartition]bool  // see Rewound
	confirmed   map[topicPartition]int64 // as ends, of our last committed batch; see mustResume
	relied      *relied                  // nil once it is verified
	// stale reports that a request of this epoch went unanswered and may still arrive.
	// The next transaction needs another epoch.
	stale bool
	// mayDangle reports that a broker may have gone since the last look for dangling
	// transactions, and that markers may be missing.
	mayDangle bool
	produced  bool // the current attempt may have records in a log
	ended     bool // the attempt before was committed
	// lastAborted reports that the last transaction of the owner before was aborted.
	lastAborted bool
	begun       time.Time // when the last attempt began
	failed      error     // why the Writer refuses further commits

	mu         sync.Mutex
	producerID int64
	epoch      int16
	free       []*Transaction
}

type topicPartition struct {
	topic     string
	partition int32
}

// Open fences every older holder of the transactional ID: the broker aborts their
// open transaction, finishes one that they had decided to commit, and rejects
// everything they send later. When Open returns, the topics show the result.
//
// It repeats the request until Kafka's answer is definite or ctx ends. A refusal that
// an operator has to act on is an [*Error].
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
		confirmed:   map[topicPartition]int64{},
		producerID:  -1,
		epoch:       -1,
	}
	if cfg.AnchorTopic != "" {
		// Without an answer the ID is opened all the same.
		_ = w.retry(ctx, callInspect, w.outcomeDeadline(), w.findLastAborted)
	}
	o := w.retry(ctx, callInit, time.Time{}, w.initProducerID)
	if o.action == done {
		o = w.finishDangling(ctx, nil)
		w.lastAborted = false
	}
	if o.action != done {
		return nil, fmt.Errorf("open transactional ID %q: %w", cfg.TransactionalID, w.failure(ctx, o))
	}
	return w, nil
}

// Cover adds a topic to Config.Topics: the next commit looks for dangling transactions
// there, too.
func (w *Writer) Cover(topic string) {
	w.committing.Lock()
	defer w.committing.Unlock()
	if !slices.Contains(w.cfg.Topics, topic) {
		w.cfg.Topics = append(slices.Clone(w.cfg.Topics), topic)
		w.mayDangle = true
	}
}

// ProducerID returns the number that Kafka assigned to the transactional ID; it stays
// the same for the Writer's life.
func (w *Writer) ProducerID() int64 {
	id, _ := w.identity()
	return id
}

// Epoch returns the producer epoch. It grows with every owner, and after trouble.
func (w *Writer) Epoch() int16 {
	_, epoch := w.identity()
	return epoch
}

func (w *Writer) identity() (int64, int16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.producerID, w.epoch
}

// adopt stores the identity that Kafka assigned and restarts all sequences.
func (w *Writer) adopt(producerID int64, epoch int16) {
	before, _ := w.identity()
	w.cfg.Memory.adopt(producerID, epoch, before >= 0)
	w.mu.Lock()
	w.producerID, w.epoch = producerID, epoch
	w.mu.Unlock()
	clear(w.sequences)
	w.stale = false
}

// Begin returns an empty transaction. Kafka does not know of it before Commit, so the
// caller may just drop one that it does not commit.
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
