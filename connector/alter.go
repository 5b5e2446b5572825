package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"orderwalk/internal/backoff"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

const (
	// alterAttempts bounds how often Alter starts over because the lane's owner was
	// faster.
	alterAttempts = 8
	// tryOut bounds the reading that tries an edit out: a transaction of a dead owner,
	// which opening the lane ends, may hold it back.
	tryOut = 3 * time.Second
)

// ErrBusy is returned by Alter when the lane's owner kept committing to it.
var ErrBusy = errors.New("the lane of the shop is being opened by its worker")

// Stored is what is committed of a shop.
type Stored struct {
	Partition  offsets.Partition
	Checkpoint *offsets.Checkpoint // nil = nothing, or Fault
	Fault      error               // why it cannot be read; nil = it can
}

// Offsets reads what is committed of a shop. It asks Kafka, so any worker may call it. The
// answer must not be changed: others may have the same one.
func (c *Connector) Offsets(ctx context.Context, shop Shop) (Stored, error) {
	l, err := c.lonelyLane(shop)
	if err != nil {
		return Stored{}, err
	}
	loaded, err := c.readings.of(ctx, l, shop.partition())
	if err != nil {
		return Stored{}, err
	}
	stored, _ := storedIn(loaded, shop.partition())
	return stored, nil
}

// Misplaced returns a *MisplacedError if the checkpoint of a shop that has none in its lane
// is in another one. The first call may read the whole offsets topic.
func (c *Connector) Misplaced(ctx context.Context, shop Shop) error {
	c.mu.Lock()
	checkpoints := c.checkpoints
	c.mu.Unlock()
	if checkpoints == nil {
		return ErrStarting
	}
	p := shop.partition()
	found, err := checkpoints.misplaced(ctx, []offsets.Partition{p})
	if other, ok := found[p]; ok {
		return &MisplacedError{Partition: p, Topic: c.cfg.OffsetsTopic, Lane: laneOf(c.cfg.Group, p, len(checkpoints.lanes)), Found: other}
	}
	return err
}

// Alter replaces what is committed of a shop with what edit returns for it: nil forgets
// the shop. An error of edit is returned as it is, and nothing changes. edit must have no
// effects: it is called several times. The shop must be stopped: a walker would not
// notice, and its next commit would fail and start it again.
//
// Any worker may call it, because it writes under the transactional ID of the shop's
// lane: that fences the lane's owner for the moment, which reads the lane again before it
// commits anything else. So the edit is made on the latest checkpoint, and no commit of
// an owner that has not read the edit can come after it.
func (c *Connector) Alter(ctx context.Context, shop Shop, edit func(Stored) (*offsets.Checkpoint, error)) error {
	l, err := c.lonelyLane(shop)
	if err != nil {
		return err
	}
	// First without the lane, which stays undisturbed if the edit is refused.
	trying, cancel := context.WithTimeout(ctx, tryOut)
	defer cancel()
	if stored, _, _, err := l.stored(trying, shop.partition()); err == nil {
		if _, err := edit(stored); err != nil {
			return err
		}
	}
	topics := c.ordersTopics(c.shopsByLane()[l.number])
	pause := backoff.New(50*time.Millisecond, time.Second)
	var doubtful *string // the entries of an edit whose commit is in doubt
	for range alterAttempts {
		err = l.alter(ctx, shop.partition(), topics, edit, &doubtful)
		if !errors.Is(err, txn.ErrFenced) && !errors.Is(err, txn.ErrInDoubt) && !errors.Is(err, txn.ErrOutdated) {
			return err
		}
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// lonelyLane is the lane of a shop for one call, without members.
func (c *Connector) lonelyLane(shop Shop) (*lane, error) {
	lanes := c.lanes()
	if lanes == 0 {
		return nil, ErrStarting
	}
	number := laneOf(c.cfg.Group, shop.partition(), lanes)
	c.mu.Lock()
	defer c.mu.Unlock()
	return &lane{number: number, cfg: &c.cfg, outage: c.outage, tombstones: c.tombstones, log: c.cfg.Log.With("lane", number)}, nil
}

// ErrStarting is returned before the lanes are known.
var ErrStarting = errors.New("the worker has not reached Kafka yet")

// stored reads what is committed of a source partition, and the offset after it.
func (l *lane) stored(ctx context.Context, p offsets.Partition) (s Stored, records offsets.Stored, end int64, err error) {
	loaded, end, err := l.load(ctx, func(other offsets.Partition) bool { return other == p })
	if err != nil {
		return Stored{}, offsets.Stored{}, 0, err
	}
	s, records = storedIn(loaded, p)
	return s, records, end, nil
}

// storedIn returns what a lane holds of a source partition.
func storedIn(loaded offsets.Lane, p offsets.Partition) (s Stored, records offsets.Stored) {
	s = Stored{Partition: p, Fault: loaded.Faults[p]}
	if s.Fault == nil {
		s.Fault = loaded.Unread
	}
	if shop := loaded.Shops[p]; shop != nil {
		s.Checkpoint, records = shop.Checkpoint, shop.Stored
	}
	return s, records
}

// alter is one attempt of Alter. topics are all orders topics of the lane: a transaction
// that Kafka has left open there and in the lane ends the same way in both.
func (l *lane) alter(ctx context.Context, p offsets.Partition, topics []string, edit func(Stored) (*offsets.Checkpoint, error), doubtful **string) error {
	defer l.outage.over(l.name())
	w, err := txn.Open(ctx, txn.Config{
		Addr: l.cfg.Addr, Transport: l.cfg.Transport, TransactionalID: l.cfg.transactionalID(l.number),
		AnchorTopic: l.cfg.OffsetsTopic, AnchorPartition: int32(l.number), Topics: topics,
		TransactionTimeout: l.cfg.TransactionTimeout, Log: l.log, OnRetry: l.outage.of(l.name()),
	})
	if err != nil {
		return fmt.Errorf("open lane %d: %w", l.number, err)
	}
	stored, records, end, err := l.stored(ctx, p)
	if err != nil {
		return err
	}
	w.Relies(l.cfg.OffsetsTopic, int32(l.number), end, (&offsets.Loader{Group: l.cfg.Group}).Wants)
	if *doubtful != nil && stored.Fault == nil && **doubtful == entriesOf(p, stored.Checkpoint) {
		return nil // the commit that was in doubt
	}
	edited, err := edit(stored)
	if err != nil {
		return err
	}
	tx := w.Begin()
	now := time.Now()
	emit := func(key, value []byte) {
		if err == nil {
			err = tx.Append(l.cfg.OffsetsTopic, int32(l.number), now, key, value, nil)
		}
	}
	if stored.Fault != nil {
		if err := l.forgetDamaged(ctx, p, emit); err != nil {
			return err
		}
	}
	records.Replace(l.cfg.Group, p, edited, emit)
	if err != nil {
		return fmt.Errorf("encode checkpoint of %s: %w", p, err)
	}
	if tx.Records() == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // the caller has gone: nothing may come after what it does next
	}
	err = txn.Detached(ctx, func(ctx context.Context) error {
		defer l.outage.over(l.name()) // it may end later than this call
		return w.Commit(ctx, tx)
	})
	if errors.Is(err, txn.ErrInDoubt) {
		text := entriesOf(p, edited)
		*doubtful = &text
	}
	return err
}

// forgetDamaged emits tombstones for all records of a source partition that cannot be
// read.
func (l *lane) forgetDamaged(ctx context.Context, p offsets.Partition, emit func(key, value []byte)) error {
	keys := make(map[string]bool)
	loader := offsets.Loader{Group: l.cfg.Group, Of: func(other offsets.Partition) bool { return other == p }}
	reader := txn.Reader{Addr: l.cfg.Addr, Transport: l.cfg.Transport, Log: l.log, OnRetry: l.outage.of(l.name()), Wanted: loader.Wants,
		OnUnread: func(key []byte, _ *txn.UnreadError) { keys[string(key)] = key != nil }}
	_, err := reader.ReadToEnd(ctx, l.cfg.OffsetsTopic, int32(l.number), 0, func(r txn.Record) error {
		keys[string(r.Key)] = r.Value != nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("read checkpoints of lane %d: %w", l.number, err)
	}
	for key, there := range keys {
		if there {
			emit([]byte(key), nil)
		}
	}
	return nil
}

// entriesOf is a checkpoint as text, to compare.
func entriesOf(p offsets.Partition, c *offsets.Checkpoint) string {
	if c == nil {
		return ""
	}
	text, _ := json.Marshal(offsets.Entries(p, c)) // flat maps always encode
	return string(text)
}
