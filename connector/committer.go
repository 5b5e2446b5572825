package connector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/record"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// committer puts what a lane's walkers have read into transactions, one after another.
// Walkers go on reading while a transaction commits; what they read by then goes into
// the next one.
type committer struct {
	lane    *lane
	writer  *txn.Writer
	walkers []*walker
	// encoders holds the encoder of each orders topic in this life of the lane.
	encoders map[string]record.Encoder

	space     chan struct{}    // see walker.space
	now, soon chan struct{}    // see walker.now
	endings   chan walkerEnded // sent by each walker that ends; its last orders may not be committed yet

	// walking is the context of the walkers and of the shops being fetched, group waits
	// for all of their goroutines. running counts the walkers that run; the others are
	// paused.
	walking  context.Context
	group    sync.WaitGroup
	running  int
	fetching map[offsets.Partition]*member // shops that fetch is loading
	arrivals chan arrival
}

// walkerEnded reports how a walker ended: nil = its range is done.
type walkerEnded struct {
	walker *walker
	err    error
}

// The cost of a transaction, for the broker and for us, hardly depends on its size. So
// transactions of a lane begin commitInterval apart, unless busyPages wait already. An
// order that arrives after a quiet moment is committed at once.
//
// With 64 pages the broker used up to twice the CPU per order. With 192 a transaction
// would no longer fit one batch of each of six partitions: see docs/SPEED.md.
const (
	commitInterval = 60 * time.Millisecond
	busyPages      = 128
)

// receipt is one walker's share of a transaction.
type receipt struct {
	status       *shopState
	history      *history
	orders, late int
	ages         []float64 // age of its window for each late order, seconds
	watermark    int64
	brought      []window.Span // windows in their first pass that listed new orders
	kept         func()        // called once it is committed, if not nil
}

// run commits until ctx ends (nil), until no walker runs or is about to and everything
// is committed (nil), or until a transaction is not known to be committed (its error;
// the writer cannot be used any more).
func (c *committer) run(ctx context.Context) error {
	flush := time.NewTimer(c.lane.flush)
	defer flush.Stop()
	flushing := true
	due := time.NewTimer(0)
	defer due.Stop()
	var begun time.Time
	for {
		var ended []walkerEnded
		select {
		case <-ctx.Done():
			return nil
		case <-c.soon:
			if !flushing {
				flush.Reset(c.lane.flush)
				flushing = true
			}
			continue
		case <-c.now:
			if wait := commitInterval - time.Since(begun); wait > 0 && len(c.space) < busyPages {
				due.Reset(wait)
				continue
			}
		case <-due.C:
		case <-flush.C:
			flushing = false
		case <-c.lane.changed:
			c.reconcile()
			if c.running+len(c.fetching) == 0 {
				return nil
			}
			continue
		case a := <-c.arrivals:
			if err := c.arrive(a); err != nil {
				return err
			}
			if c.running+len(c.fetching) == 0 {
				return nil
			}
			continue
		case e := <-c.endings:
			ended = c.endingsAfter(e)
		}
		if ctx.Err() != nil {
			return nil
		}
		began := time.Now()
		some, err := c.commit(ctx)
		if err != nil {
			return err
		}
		if some {
			begun = began
		}
		for _, e := range ended {
			c.walkerLeft(e)
		}
		if len(ended) > 0 {
			c.reconcile()
			if c.running+len(c.fetching) == 0 {
				return nil
			}
		}
	}
}

// endingsAfter returns an ending and those that are known by now: when many shops are
// paused, a transaction covers many of them.
func (c *committer) endingsAfter(first walkerEnded) []walkerEnded {
	ended := []walkerEnded{first}
	for {
		select {
		case e := <-c.endings:
			ended = append(ended, e)
		default:
			return ended
		}
	}
}

// commit puts everything that has arrived into one transaction, if anything has.
// After ctx ends it has drainTimeout left to finish.
func (c *committer) commit(ctx context.Context) (some bool, err error) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-inner.Done():
		case <-time.After(drainTimeout):
			cancel()
		}
	})()

	tx := c.writer.Begin()
	partitions := c.lane.partitions() // the same count for the whole transaction
	var receipts []receipt
	for _, w := range c.walkers {
		r, dirty, err := c.collect(tx, w, partitions[w.shop.Topic])
		if err != nil {
			return false, &shopFault{w.shop.partition(), err}
		}
		if dirty {
			receipts = append(receipts, r)
		}
	}
	if tx.Records() == 0 {
		return false, nil
	}
	m := c.lane.cfg.Metrics
	start := time.Now()
	if err := c.writer.Commit(inner, tx); err != nil {
		m.commits.WithLabelValues("failed").Inc()
		return false, err
	}
	c.lane.outage.over(c.lane.name())
	m.commits.WithLabelValues("ok").Inc()
	m.commitSeconds.Observe(time.Since(start).Seconds())
	if c.writer.Rewound(c.lane.cfg.OffsetsTopic, int32(c.lane.number)) {
		c.rewrite()
	}
	for _, r := range receipts {
		r.history.checkpointed()
		r.status.committed(r)
		if r.kept != nil {
			r.kept()
		}
	}
	return true, nil
}

// rewrite makes the next transaction carry the checkpoints in full, because the offsets
// topic has lost them.
func (c *committer) rewrite() {
	for _, w := range c.walkers {
		w.mu.Lock()
		if w.state != nil {
			w.stored.Lost(w.state)
			w.dirty = true
		}
		w.mu.Unlock()
	}
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// collect moves a walker's outbox and the checkpoint that covers it into the
// transaction. It takes both under one lock, so they belong together. After an error
// the transaction holds a part of them and must not be committed.
func (c *committer) collect(tx *txn.Transaction, w *walker, partitions int) (r receipt, some bool, err error) {
	l := c.lane
	now := time.Now()
	w.mu.Lock()
	if !w.dirty {
		w.mu.Unlock()
		return r, false, nil
	}
	outbox := w.outbox
	w.outbox, w.dirty = nil, false
	r = receipt{status: w.status, history: w.history, watermark: w.state.Watermark}
	if w.unkept {
		r.kept = w.startKept
	}
	part := w.shop.partition()
	w.stored.Update(l.cfg.Group, part, w.state, func(key, value []byte) {
		if err == nil {
			err = tx.Append(l.cfg.OffsetsTopic, int32(l.number), now, key, value, nil)
		}
	})
	w.mu.Unlock()
	if err != nil {
		return r, true, fmt.Errorf("encode checkpoint of shop %s: %w", w.shop.Name, err)
	}

	topic := w.shop.Topic
	if partitions == 0 {
		return r, true, errNoPartitions(topic)
	}
	encoder := c.encoders[topic]
	headers := []txn.Header{{Key: record.HeaderShop, Value: []byte(part.Shop)}, {Key: record.HeaderRange, Value: []byte(part.Range)}}
	var key, value []byte
	for _, d := range outbox {
		<-c.space
		page := record.Page{Shop: part.Shop, Range: part.Range, Start: d.asked, End: d.window.End, ReadAt: d.readAt}
		for _, id := range d.ids {
			key = append(key[:0], id...)
			value = encoder.Append(value[:0], id, &page)
			if err := tx.Append(topic, record.Partition(key, partitions), d.readAt, key, value, headers); err != nil {
				return r, true, fmt.Errorf("encode order %.40q of shop %s: %w", id, w.shop.Name, err)
			}
		}
		r.orders += len(d.ids)
		if !d.late {
			r.brought = append(r.brought, d.window)
		} else {
			r.late += len(d.ids)
			for range d.ids {
				r.ages = append(r.ages, d.readAt.Sub(time.Unix(d.window.End, 0)).Seconds())
			}
		}
	}
	return r, true, nil
}
