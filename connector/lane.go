package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"orderwalk/internal/backoff"
	"orderwalk/internal/record"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

const (
	// spacePages is how many pages of a lane may wait for a commit: those of a busy
	// transaction, and what is read while they are encoded.
	spacePages = 160
	// flushInterval is how long a checkpoint without orders may wait for a commit. It
	// is halved, down to leastFlush, each time Kafka has forgotten the transactional ID
	// in between: otherwise the progress of a quiet walk would never be committed.
	flushInterval = 5 * time.Second
	leastFlush    = 100 * time.Millisecond
	// drainTimeout bounds the last commit when the lane is given up.
	drainTimeout = 5 * time.Second
)

// errNotMine reports that the lane is assigned to another worker now.
var errNotMine = errors.New("the lane belongs to another worker")

// lane is one partition of the offsets topic and the shops that hash to it. It is
// owned, fenced, recovered and committed as one.
type lane struct {
	number    int
	cfg       *Config
	log       *slog.Logger
	outage    *outage
	extra     extraWindows // see walker.extra
	turns     *turns
	ids       *idBudget      // shared by the process
	commitLog *txn.CommitLog // kept across all lives of the lane in this process
	// partitions returns the current partition count of each topic. The map is
	// replaced, never changed.
	partitions func() map[string]int
	// tombstones is the offsets topic's delete.retention.ms; 0 = unknown.
	tombstones time.Duration
	// recheck reports whether a refused orders topic can be used again (nil).
	recheck func(ctx context.Context, topic string) error
	// mine reports whether the lane is assigned to this worker right now.
	mine func(context.Context) (bool, error)
	// misplaced returns those of the source partitions whose checkpoint is in another
	// lane.
	misplaced func(context.Context, []offsets.Partition) (map[offsets.Partition]int, error)

	flush time.Duration // current value; see flushInterval
	// changed is poked when members or refused have changed, rebarred when a topic was
	// barred.
	changed, rebarred chan struct{}

	mu      sync.Mutex
	members []*member                  // in the order of the configuration
	over    bool                       // the lane has ended; members no longer change
	walking map[offsets.Partition]bool // those with a walker that runs
	// refused holds the orders topics that Kafka has refused, by name.
	refused map[string]*refusal
}

// name identifies the lane to outage.
func (l *lane) name() string { return fmt.Sprintf("lane %d", l.number) }

// run keeps the lane open until ctx ends (nil), every shop has ended (nil), the lane is
// assigned to another worker (errNotMine), or Kafka refuses something that does not
// belong to one shop (any other error).
//
// A life of the lane ends at the first doubt about a transaction, also when one shop
// fails in the middle of a transaction. The next life begins with what is committed.
// Shops that are added, removed or changed do not end a life: see reconcile.go.
func (l *lane) run(ctx context.Context) error {
	defer l.outage.over(l.name())
	defer l.close()
	pause := backoff.New(100*time.Millisecond, 10*time.Second)
	for {
		opened := time.Now()
		if len(l.toWalk()) == 0 {
			l.readStored(ctx)
		}
		if l.finish() {
			return nil
		}
		err := l.once(ctx)
		var refusal *txn.Error
		var fault *shopFault
		now := false // start the next life without a pause
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errNotMine):
			return err
		case err == nil:
			now = true
		case errors.Is(err, txn.ErrFenced):
			l.cfg.Metrics.fenced.Inc()
			if errors.Is(err, kafka.InvalidProducerIDMapping) {
				l.flush = max(l.flush/2, leastFlush)
			}
		case errors.Is(err, txn.ErrInDoubt):
		case errors.As(err, &fault):
			l.fail(fault.shop, fault.err)
			now = true
		case errors.As(err, &refusal) && l.refuse(refusal):
			now = true
		case refusal != nil && !refusal.Retriable:
			return fmt.Errorf("lane %d: %w", l.number, l.explainDeleted(refusal, err))
		}
		if len(l.toWalk()) == 0 {
			continue
		}
		if time.Since(opened) > time.Minute {
			pause.Reset()
		}
		// Lanes move by fencing: a former owner that is fenced is no fault.
		if mine, asked := l.mine(ctx); asked == nil && !mine {
			return errNotMine
		}
		if now {
			continue
		}
		delay := pause.Next()
		level := slog.LevelWarn
		if refusal != nil && refusal.Retriable {
			level = slog.LevelDebug // Kafka is away; outage has logged it
		}
		l.cfg.Incidents.Of(strconv.Itoa(l.number)).Happened(laneRestarts(level, err), "reason", err, "in", delay.Round(time.Millisecond))
		if backoff.Sleep(ctx, delay) != nil {
			return nil
		}
	}
}

// once runs one life of the lane, or waits for a change if no shop can be walked now.
func (l *lane) once(ctx context.Context) (err error) {
	life, end := context.WithCancel(ctx)
	var watching sync.WaitGroup
	encoders := l.encoders(ctx, l.toWrite())
	watching.Go(func() { l.watchBarred(life) })
	if len(encoders) > 0 {
		err = l.live(life, encoders)
	} else {
		select {
		case <-life.Done():
		case <-l.changed:
		}
	}
	end()
	watching.Wait()
	return err
}

// known reads what is committed of a lane that was just opened, and meanwhile what is
// wanted of its shops, and whether the lane is still this worker's. A shop that is
// stopped and then altered was stopped before it was altered, and an alteration after
// the lane was opened fences its writer: so no reading that begins after that misses the
// stop but has the alteration.
func (l *lane) known(ctx context.Context) (loaded offsets.Lane, end int64, err error) {
	reading, ctx := errgroup.WithContext(ctx)
	reading.Go(func() error { return l.confirm(ctx) })
	if c := l.cfg.Sidecar; c != nil && c.CatchUp != nil {
		reading.Go(func() error {
			if err := c.CatchUp(ctx); err != nil {
				return fmt.Errorf("read what is wanted of the shops: %w", err)
			}
			return nil
		})
	}
	reading.Go(func() (err error) {
		loaded, end, err = l.load(ctx, nil)
		return err
	})
	err = reading.Wait()
	return loaded, end, err
}

// confirm waits until the group says whether the lane is still assigned to this worker.
// Opening a lane fences its owner, so confirm runs right after: an outdated worker
// gives up before it writes anything.
func (l *lane) confirm(ctx context.Context) error {
	for {
		mine, err := l.mine(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && mine:
			return nil
		case err == nil:
			return errNotMine
		}
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// live is one life of the lane, for the shops whose topics have encoders: fence older
// owners, confirm the assignment and read what is wanted and committed, then walk and
// commit until ctx ends, all shops have ended, or a transaction is in doubt.
func (l *lane) live(ctx context.Context, encoders map[string]record.Encoder) error {
	writer, err := txn.Open(ctx, txn.Config{
		Addr: l.cfg.Addr, Transport: l.cfg.Transport,
		TransactionalID:    l.cfg.transactionalID(l.number),
		AnchorTopic:        l.cfg.OffsetsTopic,
		AnchorPartition:    int32(l.number),
		Topics:             slices.Sorted(maps.Keys(encoders)),
		TopicPatience:      l.patience,
		Memory:             l.commitLog,
		TransactionTimeout: l.cfg.TransactionTimeout,
		Compression:        l.cfg.Compression,
		Log:                l.log,
		OnRetry:            l.outage.of(l.name()),
	})
	if err != nil {
		return fmt.Errorf("open lane %d: %w", l.number, err)
	}
	loaded, end, err := l.known(ctx)
	if err != nil {
		return err
	}
	writer.Relies(l.cfg.OffsetsTopic, int32(l.number), end, (&offsets.Loader{Group: l.cfg.Group}).Wants)
	l.showStored(loaded)
	members := l.toWalk()
	if err := l.failMisplaced(ctx, &loaded, members); err != nil {
		return err
	}
	l.outage.over(l.name())

	walking, stop := context.WithCancel(ctx)
	c := &committer{lane: l, writer: writer, encoders: encoders, space: make(chan struct{}, spacePages), now: make(chan struct{}, 1), soon: make(chan struct{}, 1),
		endings: make(chan walkerEnded), walking: walking, fetching: make(map[offsets.Partition]*member), arrivals: make(chan arrival)}
	defer func() {
		stop()
		c.stopAll()
		l.rest()
		for _, w := range c.walkers {
			w.uncount()
		}
	}()
	for _, m := range members {
		switch p := m.shop.partition(); {
		case encoders[m.shop.Topic] == nil: // added in the meantime: reconcile starts it
		case loaded.Faults[p] != nil:
			l.end(m, loaded.Faults[p])
		default:
			c.start(m, loaded.Shops[p])
		}
	}
	if c.running == 0 {
		return nil
	}
	l.log.Debug("lane opened", "producer_id", writer.ProducerID(), "epoch", writer.Epoch(), "shops", len(c.walkers))
	err = c.run(ctx)
	stop()
	c.stopAll()
	if err == nil && ctx.Err() != nil {
		// The walkers have stopped: commit what they have read.
		_, err = c.commit(ctx)
	}
	return err
}

// encoders opens the encoders of orders topics, before the lane is fenced or anything
// is read: a schema registry may be slow. If one cannot be opened, the shops of its
// topic fail.
func (l *lane) encoders(ctx context.Context, walked []string) map[string]record.Encoder {
	encoders := make(map[string]record.Encoder, len(walked))
	for _, topic := range walked {
		encoder, err := l.cfg.Format.Open(ctx, topic)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			l.refuseTopic(topic, fmt.Errorf("open format %s for topic %s: %w", l.cfg.Format.Name, topic, err))
		default:
			encoders[topic] = encoder
		}
	}
	return encoders
}

// transactionalID returns the transactional ID that fences owners of a lane.
func (c *Config) transactionalID(lane int) string { return fmt.Sprintf("%s-%d", c.Group, lane) }

// failMisplaced fails every member that has no checkpoint here but one in another lane:
// the partition count of the offsets topic has changed since the shop was walked.
// Starting over would publish everything again.
func (l *lane) failMisplaced(ctx context.Context, loaded *offsets.Lane, members []*member) error {
	var unknown []offsets.Partition
	for _, m := range members {
		p := m.shop.partition()
		if known := loaded.Shops[p]; (known == nil || known.Checkpoint == nil) && loaded.Faults[p] == nil {
			unknown = append(unknown, p)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if loaded.Unread != nil {
		// The unread records may be a checkpoint of one of these shops: starting over
		// would publish everything again.
		for _, p := range unknown {
			loaded.Faults[p] = loaded.Unread
		}
		return nil
	}
	elsewhere, err := l.misplaced(ctx, unknown)
	if err != nil {
		return err
	}
	for p, other := range elsewhere {
		loaded.Faults[p] = &MisplacedError{Partition: p, Topic: l.cfg.OffsetsTopic, Lane: l.number, Found: other}
	}
	return nil
}
