package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// settleMargin is added to the transaction timeout to bound the wait for an
	// outcome: brokers end overdue transactions every 10 s.
	settleMargin = 15 * time.Second
	// maxUnexpected and suspectPatience together bound the attempts that end with an
	// unexpected answer: a broker in trouble may give one for some seconds.
	maxUnexpected      = 5
	unexpectedPatience = 10 * time.Second
	// dropLimit bounds the abort of a transaction that will not be committed.
	dropLimit = 2 * time.Second
)

// outcome is the result of a request or of a whole attempt.
type outcome struct {
	call    call
	action  action
	answer  answer
	unknown bool // a commit was sent and its outcome is unknown
}

// Commit sends the records and commits them together. nil means that every record is
// committed, exactly once. After any error the Writer refuses further commits, and the
// topics show the truth: the caller opens another Writer and reads.
//
//   - errors.Is(err, ErrFenced): another owner holds the transactional ID, the
//     broker ended the transaction for its age, or Kafka has forgotten the ID.
//   - errors.Is(err, ErrInDoubt): it may or may not be committed. An error can be
//     both ErrFenced and ErrInDoubt.
//   - errors.Is(err, ErrOutdated): the caller has to read again what it relies on.
//   - an [*Error]: refused, with a hint for the operator; or, if Retriable, Kafka
//     could not be reached for longer than the transaction timeout.
//   - ctx.Err(): given up before the commit was sent; nothing is committed.
//
// Commit repeats an attempt that is certainly aborted, while the Writer holds its ID,
// until ctx ends. After nil the Writer owns the transaction again and the caller must
// not touch it.
func (w *Writer) Commit(ctx context.Context, t *Transaction) error {
	w.committing.Lock()
	defer w.committing.Unlock()
	if w.failed != nil {
		return fmt.Errorf("commit: an earlier commit of this writer failed: %w", w.failed)
	}
	if t.records > 0 {
		if err := w.commit(ctx, t); err != nil {
			w.failed = err
			return fmt.Errorf("commit: %w", err)
		}
	}
	w.recycle(t)
	return nil
}

func (w *Writer) commit(ctx context.Context, t *Transaction) error {
	if w.cfg.Compression != 0 {
		for i := range t.batches {
			if err := t.batches[i].pack(w.cfg.Compression, t.buffer()); err != nil {
				return err
			}
		}
	}
	pause := newPause()
	suspects := 0
	var suspected time.Time // when the first suspect attempt began
	var ailing failingTopic
	resumed := false
	for {
		if w.stale && !resumed {
			if o := w.renew(ctx); o.action != done {
				if ctx.Err() != nil {
					w.drop(ctx)
				}
				return w.failure(ctx, o)
			}
		}
		if w.mayDangle && !resumed {
			if o := w.finishDangling(ctx, t.partitions()); o.action != done {
				if ctx.Err() != nil {
					w.drop(ctx)
				}
				return w.failure(ctx, o)
			}
		}
		began := time.Now()
		o := w.attempt(ctx, t, resumed)
		if o.action == unexpected {
			if suspects++; suspects == 1 {
				suspected = began
			}
			if suspects >= maxUnexpected && time.Since(suspected) > unexpectedPatience {
				o.action = stop
			}
		}
		lasting := !ailing.patience(w, o, began)
		if lasting && o.action == missing {
			o.action = stop
		}
		switch {
		case o.action == done:
			return nil
		case o.action == fenced || o.action == inDoubt || o.unknown:
			return w.failure(ctx, o)
		case o.action == stop || lasting || o.call == callCommit && o.action == repeat || ctx.Err() != nil:
			w.drop(ctx)
			return w.failure(ctx, o)
		}
		level := slog.LevelWarn
		if o.action == repeat || o.action == missing {
			level = slog.LevelDebug // the attempt ran out of time; its retries have been reported
		}
		var looked outcome
		if resumed, looked = w.mustResume(ctx, t); looked.action != done {
			w.drop(ctx)
			return w.failure(ctx, looked)
		}
		what := "aborting the transaction and trying again"
		if resumed {
			level, what = slog.LevelWarn, "resuming the transaction: an abort would take the one before along"
		}
		w.cfg.Log.Log(ctx, level, what,
			"transactional_id", w.cfg.TransactionalID, "request", o.call.String(), "reason", reason(o.answer.code))
		w.stale = true
		wait(ctx, time.Time{}, pause)
	}
}

// attempt sends the records in one transaction. If it is resumed, that of the attempt
// before: what the leaders have acknowledged stays there.
func (w *Writer) attempt(ctx context.Context, t *Transaction, resumed bool) outcome {
	partitions := t.partitions()
	until := w.resumeDeadline()
	if !resumed {
		t.unsend()
		w.begun = time.Now()
		// Half of the time is for the records, so that the commit or the abort arrives
		// well before the broker's timeout.
		until = w.begun.Add(w.cfg.TransactionTimeout / 2)
		w.produced = false
		if w.relied != nil {
			w.relied.to = -1
		}
		o := w.retry(ctx, callAdd, until, func(ctx context.Context, until time.Time) answer {
			return w.addPartitions(ctx, until, partitions)
		})
		if o.action != done {
			return o
		}
	}
	for _, batches := range rounds(t.batches) {
		if o := w.send(ctx, until, t, batches); o.action != done {
			return o
		}
	}
	if o := w.verifyRelied(ctx, until); o.action != done {
		return o
	}
	last := make(ends, len(partitions))
	_, epoch := w.identity()
	for _, p := range partitions {
		last[p] = sent{epoch, (w.sequences[p] - 1) & 0x7fffffff}
	}
	w.cfg.Memory.doubtful = last
	o := w.retry(ctx, callCommit, w.outcomeDeadline(), func(ctx context.Context, until time.Time) answer {
		return w.endTxn(ctx, until, true)
	})
	if o.action == done {
		w.produced, w.ended = false, true
		maps.Copy(w.cfg.Memory.committed, last)
		w.confirm(partitions)
	}
	if o.action == done || !o.unknown && o.action != inDoubt {
		w.cfg.Memory.doubtful = nil
	}
	return o
}

// outcomeDeadline returns the deadline for the outcome of a commit or a renewal.
func (w *Writer) outcomeDeadline() time.Time {
	return time.Now().Add(w.cfg.TransactionTimeout + settleMargin)
}

// send repeats Produce with the same bytes until every batch is in the log.
func (w *Writer) send(ctx context.Context, until time.Time, t *Transaction, batches []*batch) outcome {
	started, pause := time.Now(), newPause()
	reported := started
	var pending []*batch
	for _, b := range batches {
		if !b.acknowledged {
			pending = append(pending, b)
		}
	}
	for len(pending) > 0 {
		worst := outcome{call: callProduce}
		if !time.Now().Before(until) {
			// The process was frozen, perhaps for long: a broker before Kafka 3.6
			// that has forgotten the producer would append the records outside of a
			// transaction, and no marker would end them.
			worst.action, worst.answer.code = repeat, kafka.RequestTimedOut
			return worst
		}
		refresh, adrift := false, false
		rest := pending[:0]
		for i, a := range w.produce(ctx, until, pending) {
			if a.sent && a.code == noAnswer {
				w.stale, t.inUse = true, true
			}
			w.mayDangle = w.mayDangle || brokerTrouble(a.code)
			if mayBeAppended(a) {
				w.produced, w.ended = true, false
			}
			r := react(callProduce, a.code, false)
			if r > worst.action {
				worst.action, worst.answer = r, a
			}
			b := pending[i]
			if r == done {
				key := topicPartition{b.topic, b.partition}
				w.sequences[key] = nextSequence(w.sequences[key], b.count)
				w.noteOffset(key, a.base, b.count)
				b.acknowledged = true
				continue
			}
			refresh = refresh || movedLeader(a.code)
			adrift = adrift || a.code == kafka.LeaderNotAvailable && !a.sent
			rest = append(rest, b)
		}
		pending = rest
		if worst.action > missing || worst.action == done || ctx.Err() != nil {
			return worst
		}
		if worst.action == missing && time.Since(started) > missingPatience {
			worst.action = stop
			return worst
		}
		w.report(worst, &reported)
		if adrift && w.cfg.AnchorTopic != "" {
			return worst // what may be beneath the attempt comes first: mustResume
		}
		if !wait(ctx, until, pause) {
			return worst
		}
		if refresh {
			// Without fresh leaders the next try fails like this one.
			_ = w.cluster.Refresh(ctx)
		}
	}
	return outcome{call: callProduce}
}

// nextSequence returns the sequence count records later; 0 follows 2^31−1.
func nextSequence(s, count int32) int32 {
	return int32((uint32(s) + uint32(count)) & 0x7fffffff)
}

// renew prevents that a request of the current epoch reaches a later transaction: it
// ends what may be open, which also proves that we still hold the ID, and raises the
// epoch.
func (w *Writer) renew(ctx context.Context) outcome {
	until := w.outcomeDeadline()
	o := w.close(ctx, until)
	if o.action != done {
		return o
	}
	return w.retry(ctx, callRenew, until, w.initProducerID)
}

// close ends what may be open: with an abort if it has records. Without records its
// markers matter only to a dangling transaction before it, which they end the way it
// was meant.
func (w *Writer) close(ctx context.Context, until time.Time) outcome {
	o := w.end(ctx, until, w.cfg.AnchorTopic != "" && w.ended && !w.produced)
	if o.action == done {
		w.produced = false
	}
	return o
}

// end ends a transaction without records, or whose records are void.
func (w *Writer) end(ctx context.Context, until time.Time, commit bool) outcome {
	return w.retry(ctx, callAbort, until, func(ctx context.Context, until time.Time) answer {
		return w.endTxn(ctx, until, commit)
	})
}

// drop aborts what may be open, so that readers need not wait for the broker's
// timeout. Correctness does not depend on it.
func (w *Writer) drop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropLimit)
	defer cancel()
	w.close(ctx, time.Now().Add(dropLimit))
}

// failure returns the error for an outcome that is not done.
func (w *Writer) failure(ctx context.Context, o outcome) error {
	refused := &Error{
		Request: o.call.String(), Topic: o.answer.topic, Partition: o.answer.partition,
		TransactionalID: w.cfg.TransactionalID,
	}
	switch {
	case errors.Is(o.answer.err, ErrOutdated):
		return fmt.Errorf("%w in %s/%d", ErrOutdated, o.answer.topic, o.answer.partition)
	case o.answer.code == noAnswer:
		refused.Err = o.answer.err
	case o.action == fenced && forgotten(o.answer.code):
		refused.Code, refused.Err = o.answer.code, ErrForgotten
	case o.action == fenced && !w.begun.IsZero() && time.Since(w.begun) > w.cfg.TransactionTimeout:
		refused.Code, refused.Err = o.answer.code, ErrTimedOut
	default:
		refused.Code = o.answer.code
	}
	switch {
	case o.action == inDoubt, o.call == callCommit && o.unknown:
		switch {
		case o.action == fenced:
			return fmt.Errorf("%w: %w: %w", ErrInDoubt, ErrFenced, refused)
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w: %w", ErrInDoubt, ctx.Err(), refused)
		}
		return fmt.Errorf("%w: %w", ErrInDoubt, refused)
	case o.action == fenced:
		return fmt.Errorf("%w: %w", ErrFenced, refused)
	case o.action == stop:
		return refused
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), refused)
	}
	refused.Retriable = true
	return refused
}
