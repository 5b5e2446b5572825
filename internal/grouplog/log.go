package grouplog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/backoff"
	"orderwalk/internal/txn"
)

// Config locates a group's log.
type Config struct {
	Group string // as in the keys of checkpoints
	Topic string // the offsets topic
	// Worker is part of the transactional ID for this worker's posts; no other live
	// worker may use it.
	Worker             string
	Addr               net.Addr
	Transport          *kafka.Transport
	TransactionTimeout time.Duration
	Log                *slog.Logger // nil discards
}

// Record is a delivered record. A nil Value is a tombstone.
type Record struct {
	Name  Name
	Key   []byte
	Value []byte
}

// Log is one worker's access to the log. Several goroutines may call its methods, except
// On and OnWait, which must be called before the first record is read.
type Log struct {
	cfg      Config
	readers  map[Kind]func(Record)
	posting  chan posting
	retried  func(request, reason string, err error)
	answered func()

	found     chan struct{} // closed when the partition is known
	partition int32

	mu   sync.Mutex
	next int64          // offset to continue at
	seen map[Name]int64 // offset of the last record of each name
}

// ErrNotYet is returned by posts before Kafka has been reached.
var ErrNotYet = errors.New("not ready: Kafka has not been reached yet")

// New returns a log; it reads nothing before Follow or CatchUp.
func New(cfg Config) *Log {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Log{cfg: cfg, readers: make(map[Kind]func(Record)), posting: make(chan posting), found: make(chan struct{}), seen: make(map[Name]int64)}
}

// On sets the receiver of records of some kinds, which are delivered one at a time. The
// function must neither block nor call the log.
func (l *Log) On(deliver func(Record), kinds ...Kind) {
	for _, kind := range kinds {
		l.readers[kind] = deliver
	}
}

// OnWait sets what is called when a request to Kafka is retried, and when it is answered
// after that. Without it retries are logged.
func (l *Log) OnWait(retried func(request, reason string, err error), answered func()) {
	l.retried, l.answered = retried, answered
}

// Group returns the configured group.
func (l *Log) Group() string { return l.cfg.Group }

// At sets the log's partition, once, before Follow.
func (l *Log) At(partition int) {
	l.partition = int32(partition)
	close(l.found)
}

// Follow reads the log's partition and commits what Post is given, until ctx ends.
func (l *Log) Follow(ctx context.Context) {
	var posting sync.WaitGroup
	defer posting.Wait()
	posting.Go(func() { l.post(ctx) })
	for {
		err := l.reader().Follow(ctx, l.cfg.Topic, l.partition, l.position(), l.add)
		if errors.Is(err, txn.ErrBeyondEnd) {
			l.cfg.Log.Warn("the group's log has lost records; reading it from its beginning: was the topic deleted and created again, or did a replica that was behind become leader?",
				"topic", l.cfg.Topic, "partition", l.partition, "position", l.position())
			if err = l.rewind(ctx); err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		l.cfg.Log.Warn("cannot follow the group's log; trying again", "topic", l.cfg.Topic, "partition", l.partition, "reason", err)
		if backoff.Sleep(ctx, 5*time.Second) != nil {
			return
		}
	}
}

// CatchUp reads all records committed so far. It waits until the partition is known.
func (l *Log) CatchUp(ctx context.Context) error {
	select {
	case <-l.found:
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := l.reader().ReadToEnd(ctx, l.cfg.Topic, l.partition, l.position(), l.add)
	return err
}

// Latest is CatchUp without a wait: it returns ErrNotYet if the partition is not known.
func (l *Log) Latest(ctx context.Context) error {
	if err := l.Found(); err != nil {
		return err
	}
	return l.CatchUp(ctx)
}

// Found returns ErrNotYet until the partition is known.
func (l *Log) Found() error {
	select {
	case <-l.found:
		return nil
	default:
		return ErrNotYet
	}
}

func (l *Log) reader() *txn.Reader {
	return &txn.Reader{Addr: l.cfg.Addr, Transport: l.cfg.Transport, Log: l.cfg.Log, OnRetry: l.retried, OnAnswer: l.answered, Ahead: true, Wanted: func(key []byte) bool {
		n, ours := Parse(l.cfg.Group, key)
		return ours && l.readers[n.Kind] != nil
	}}
}

// add handles a committed record. A record may come several times, and an older one
// after a newer one; the latest of each name counts. A reader that continues from an
// offset may miss values that the cleaner has removed because a newer one exists, and
// tombstones, which no worker writes to the log.
func (l *Log) add(r txn.Record) error {
	n, ours := Parse(l.cfg.Group, r.Key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.Ahead {
		l.next = max(l.next, r.Offset+1)
	}
	last, known := l.seen[n]
	deliver := l.readers[n.Kind]
	if !ours || deliver == nil || known && r.Offset <= last {
		return nil
	}
	l.seen[n] = r.Offset
	deliver(Record{Name: n, Key: r.Key, Value: r.Value})
	return nil
}

func (l *Log) position() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// Owner writes records that only one worker at a time may write.
type Owner struct {
	log    *Log
	writer *txn.Writer
}

// Own opens the owner with that name. It fences the previous one in any worker, which
// then commits nothing any more.
func (l *Log) Own(ctx context.Context, name string) (*Owner, error) {
	w, err := l.open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &Owner{l, w}, nil
}

// Entry is a record to write.
type Entry struct {
	Name  Name
	Value []byte
}

// Commit writes entries in one transaction.
func (o *Owner) Commit(ctx context.Context, entries ...Entry) error {
	return o.log.write(ctx, o.writer, entries)
}

func (l *Log) open(ctx context.Context, id string) (*txn.Writer, error) {
	select {
	case <-l.found:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return txn.Open(ctx, txn.Config{
		Addr: l.cfg.Addr, Transport: l.cfg.Transport, TransactionalID: l.cfg.Group + "-" + id,
		AnchorTopic: l.cfg.Topic, AnchorPartition: l.partition,
		TransactionTimeout: l.cfg.TransactionTimeout, Log: l.cfg.Log,
	})
}

func (l *Log) write(ctx context.Context, w *txn.Writer, entries []Entry) error {
	tx := w.Begin()
	now := time.Now()
	for _, e := range entries {
		key := e.Name.Bytes(l.cfg.Group)
		if err := tx.Append(l.cfg.Topic, l.partition, now, key, e.Value, nil); err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
	}
	return w.Commit(ctx, tx)
}
