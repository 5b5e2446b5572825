package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

const (
	// spacePages is how many pages of a lane may wait for a commit.
	spacePages = 128
	// flushInterval is how long a checkpoint without orders may wait.
	flushInterval = 5 * time.Second
	// claimDelay is how long a new owner's claim waits for a first page to
	// share its transaction with.
	claimDelay = 250 * time.Millisecond
	// successorWait is how long a fenced owner waits for its successor to make
	// itself known, before it concludes that there is none.
	successorWait = 5 * time.Second
	// drainTimeout bounds the last commit when the process stops.
	drainTimeout = 5 * time.Second
)

// lane is one partition of the offsets topic and the shops that hash to it:
// what is owned, fenced, recovered and committed as one.
type lane struct {
	number     int
	cfg        *Config
	partitions map[string]int // of each orders topic
	shops      []Shop
	sheets     []*sheet
	log        *slog.Logger

	ended    map[offsets.Partition]bool // shops that are done or failed
	instance string                     // of the current life, "" before the first
	found    string                     // the claim that was there before ours
}

// run keeps the lane open until ctx ends (nil), every shop has ended (nil), a
// newer owner takes it over (ErrFenced), or Kafka says no (any other error).
//
// Each life of the lane ends at the first doubt and the next begins with what
// is committed. Before that comes the question whose lane it is: opening it
// without asking would fence a rightful owner.
func (l *lane) run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(10*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		opened := time.Now()
		err := l.live(ctx)
		var refusal *txn.Error
		if err == nil || ctx.Err() != nil {
			return nil
		}
		switch {
		case errors.Is(err, txn.ErrFenced):
			l.cfg.Metrics.fenced.Inc()
		case errors.Is(err, txn.ErrInDoubt):
		case errors.As(err, &refusal) && !refusal.Retriable:
			return fmt.Errorf("lane %d: %w", l.number, err)
		}
		if time.Since(opened) > time.Minute {
			pause.Reset()
		}
		delay := pause.NextBackOff()
		l.log.Warn("lane starts again from what is committed", "reason", err, "in", delay.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
		if mine, err := l.stillMine(ctx, errors.Is(err, txn.ErrFenced)); err != nil || !mine {
			return err
		}
	}
}

// stillMine reads the lane's claim. A newer owner commits its own with its
// first transaction; a fenced one gives it the time to do so.
func (l *lane) stillMine(ctx context.Context, fenced bool) (bool, error) {
	wait := time.Now()
	if fenced {
		wait = wait.Add(successorWait)
	}
	for {
		loaded, err := l.load(ctx)
		if ctx.Err() != nil {
			return false, nil
		}
		switch c := loaded.Claim; {
		case l.instance == "":
			return true, nil // never opened, so nobody has taken it away
		case err != nil:
			l.log.Warn("cannot read who owns the lane", "reason", err)
			wait = time.Now().Add(time.Second)
		case c.Instance != l.instance && c.Instance != l.found:
			return false, fmt.Errorf("lane %d belongs to worker %s since %s: %w", l.number, c.Worker, time.Unix(c.At, 0).UTC().Format(time.RFC3339), ErrFenced)
		case !time.Now().Before(wait):
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// load reads the lane's partition to its end, read_committed.
func (l *lane) load(ctx context.Context) (offsets.Lane, error) {
	loader := offsets.Loader{Group: l.cfg.Group}
	reader := txn.Reader{Addr: l.cfg.Addr, Transport: l.cfg.Transport, Log: l.log}
	_, err := reader.ReadToEnd(ctx, l.cfg.OffsetsTopic, int32(l.number), 0, func(r txn.Record) error {
		loader.Add(r.Key, r.Value)
		return nil
	})
	if err != nil {
		return offsets.Lane{}, fmt.Errorf("read checkpoints of lane %d: %w", l.number, err)
	}
	return loader.Load(), nil
}

// live is one life of the lane: fence older owners, read what is committed,
// walk and commit until ctx ends, all shops have ended, or something is in
// doubt.
func (l *lane) live(ctx context.Context) error {
	writer, err := txn.Open(ctx, txn.Config{
		Addr: l.cfg.Addr, Transport: l.cfg.Transport,
		TransactionalID:    fmt.Sprintf("%s-%d", l.cfg.Group, l.number),
		TransactionTimeout: l.cfg.TransactionTimeout,
		Compression:        l.cfg.Compression,
		Log:                l.log,
		OnRetry:            func(request, reason string) { l.cfg.Metrics.retries.WithLabelValues(request, reason).Inc() },
	})
	if err != nil {
		return fmt.Errorf("open lane %d: %w", l.number, err)
	}
	loaded, err := l.load(ctx)
	if err != nil {
		return err
	}
	l.found, l.instance = loaded.Claim.Instance, rand.Text()

	c := &committer{lane: l, writer: writer, space: make(chan struct{}, spacePages), now: make(chan struct{}, 1), soon: make(chan struct{}, 1), endings: make(chan walkerEnded, len(l.shops))}
	walking, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
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
		w := &walker{shop: shop, host: l.cfg.Host, sheet: l.sheets[i], log: l.log.With("shop", shop.Name), space: c.space, now: c.now, soon: c.soon}
		if known := loaded.Shops[part]; known != nil {
			w.state, w.stored = known.Checkpoint, known.Stored
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
		return c.commit(ctx)
	}
	return err
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
