package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

const (
	// spacePages is how many pages of a lane may wait for a commit.
	spacePages = 80
	// flushInterval is how long a checkpoint without orders may wait.
	flushInterval = 5 * time.Second
	// drainTimeout bounds the last commit when a lane is given up.
	drainTimeout = 5 * time.Second
)

// errNotMine says that the lane belongs to another worker by now.
var errNotMine = errors.New("the lane belongs to another worker")

// lane is one partition of the offsets topic and the shops that hash to it:
// what is owned, fenced, recovered and committed as one.
type lane struct {
	number     int
	cfg        *Config
	partitions map[string]int // of each orders topic
	shops      []Shop
	sheets     []*sheet
	log        *slog.Logger
	outage     *outage
	spare      spares      // see walker.spare
	ids        *idBudget   // of the process
	memory     *txn.Memory // of all lives of the lane in this process
	// mine asks whether the lane is assigned to this worker right now.
	mine func(context.Context) (bool, error)
	// misplaced finds shops whose checkpoint stands in another lane.
	misplaced func(context.Context, []offsets.Partition) (map[offsets.Partition]int, error)

	ended map[offsets.Partition]bool // shops that are done or failed
}

// name is what the lane is called where it is waited for.
func (l *lane) name() string { return fmt.Sprintf("lane %d", l.number) }

// run keeps the lane open until ctx ends (nil), every shop has ended (nil), it
// belongs to another worker (errNotMine), or Kafka says no (any other error).
//
// Each life of the lane ends at the first doubt and the next begins with what
// is committed.
func (l *lane) run(ctx context.Context) error {
	defer l.outage.over(l.name())
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(10*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		opened := time.Now()
		err := l.live(ctx)
		var refusal *txn.Error
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.Is(err, errNotMine):
			return err
		case errors.Is(err, txn.ErrFenced):
			l.cfg.Metrics.fenced.Inc()
		case errors.Is(err, txn.ErrInDoubt):
		case errors.As(err, &refusal) && !refusal.Retriable:
			l.gone(refusal)
			return fmt.Errorf("lane %d: %w", l.number, err)
		}
		if time.Since(opened) > time.Minute {
			pause.Reset()
		}
		// A fenced owner that is not the owner any more has nothing to explain:
		// that is how lanes move.
		if mine, asked := l.mine(ctx); asked == nil && !mine {
			return errNotMine
		}
		delay := pause.NextBackOff()
		level := slog.LevelWarn
		if refusal != nil && refusal.Retriable {
			level = slog.LevelDebug // Kafka is away, which has been told
		}
		l.log.Log(ctx, level, "lane starts again from what is committed", "reason", err, "in", delay.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// confirm waits for an answer to whose lane it is. Opening a lane fences its
// owner, so it is asked right after, and an outdated worker gives up before it
// reads or writes anything.
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

// load reads the lane's partition to its end, read_committed.
func (l *lane) load(ctx context.Context) (offsets.Lane, error) {
	loader := offsets.Loader{Group: l.cfg.Group}
	reader := txn.Reader{Addr: l.cfg.Addr, Transport: l.cfg.Transport, Log: l.log, OnRetry: l.outage.of(l.name())}
	_, err := reader.ReadToEnd(ctx, l.cfg.OffsetsTopic, int32(l.number), 0, func(r txn.Record) error {
		loader.Add(r.Key, r.Value)
		return nil
	})
	if err != nil {
		return offsets.Lane{}, fmt.Errorf("read checkpoints of lane %d: %w", l.number, err)
	}
	return loader.Drain(), nil
}

// live is one life of the lane: fence older owners, ask whether it is still
// ours, read what is committed, walk and commit until ctx ends, all shops have
// ended, or something is in doubt.
func (l *lane) live(ctx context.Context) error {
	writer, err := txn.Open(ctx, txn.Config{
		Addr: l.cfg.Addr, Transport: l.cfg.Transport,
		TransactionalID:    l.cfg.transactionalID(l.number),
		AnchorTopic:        l.cfg.OffsetsTopic,
		AnchorPartition:    int32(l.number),
		Topics:             l.topics(),
		Memory:             l.memory,
		TransactionTimeout: l.cfg.TransactionTimeout,
		Compression:        l.cfg.Compression,
		Log:                l.log,
		OnRetry:            l.outage.of(l.name()),
	})
	if err != nil {
		return fmt.Errorf("open lane %d: %w", l.number, err)
	}
	if err := l.confirm(ctx); err != nil {
		return err
	}
	loaded, err := l.load(ctx)
	if err != nil {
		return err
	}
	if err := l.place(ctx, &loaded); err != nil {
		return err
	}
	l.outage.over(l.name())

	c := &committer{lane: l, writer: writer, space: make(chan struct{}, spacePages), now: make(chan struct{}, 1), soon: make(chan struct{}, 1), endings: make(chan walkerEnded, len(l.shops))}
	walking, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer func() {
		group.Wait()
		for _, w := range c.walkers {
			w.uncount()
		}
	}()
	defer stop()
	for i, shop := range l.shops {
		part := shop.partition()
		if l.ended[part] {
			continue
		}
		if fault := loaded.Faults[part]; fault != nil {
			l.end(i, fault)
			continue
		}
		w := &walker{shop: shop, host: l.cfg.Host, sheet: l.sheets[i], log: l.log.With("shop", shop.Name), space: c.space, spare: l.spare, ids: l.ids, now: c.now, soon: c.soon}
		if known := loaded.Shops[part]; known != nil {
			w.state, w.stored = known.Checkpoint, known.Stored
			if w.state != nil {
				l.sheets[i].started(w.state.Watermark)
			}
		}
		c.walkers = append(c.walkers, w)
		group.Go(func() { c.endings <- walkerEnded{i, w.run(walking)} })
	}
	if len(c.walkers) == 0 {
		return nil
	}
	l.log.Debug("lane opened", "producer_id", writer.ProducerID(), "epoch", writer.Epoch(), "shops", len(c.walkers))
	err = c.run(ctx)
	stop()
	group.Wait()
	if err == nil && ctx.Err() != nil {
		// Two steps: the walkers have stopped, now what they had read.
		_, err = c.commit(ctx)
	}
	return err
}

// transactionalID is what fences the owners of a lane.
func (c *Config) transactionalID(lane int) string { return fmt.Sprintf("%s-%d", c.Group, lane) }

// topics are those of the lane's orders.
func (l *lane) topics() []string {
	var names []string
	for _, shop := range l.shops {
		names = append(names, shop.Topic)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// place makes a fault of every shop without a checkpoint here that has one in
// another lane: the offsets topic has another number of partitions than when
// the shop was walked, and starting over would publish everything again.
func (l *lane) place(ctx context.Context, loaded *offsets.Lane) error {
	var unknown []offsets.Partition
	for _, shop := range l.shops {
		p := shop.partition()
		if known := loaded.Shops[p]; (known == nil || known.Checkpoint == nil) && loaded.Faults[p] == nil && !l.ended[p] {
			unknown = append(unknown, p)
		}
	}
	if len(unknown) == 0 {
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

// end notes how a shop ended.
func (l *lane) end(i int, err error) {
	shop := l.shops[i]
	l.ended[shop.partition()] = true
	if err == nil {
		l.sheets[i].set(StateDone, nil)
		l.log.Info("shop is done", "shop", shop.Name)
		return
	}
	l.log.Error("shop failed", "shop", shop.Name, "reason", err)
	l.sheets[i].set(StateFailed, err)
}

// handOver says on the board that the lane's shops are not walked here any
// more.
func (l *lane) handOver() {
	for _, h := range l.sheets {
		if s := h.snapshot(); s.Lane == l.number {
			h.set(StateElsewhere, nil)
		}
	}
}
