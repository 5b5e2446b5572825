package connector

import (
	"context"
	"time"

	"orderwalk/offsets"
)

// mostBehind bounds how much the API's clock moves the moment of a first start. If it
// is farther behind, one of the clocks is wrong; the log says which moment was used.
const mostBehind = 10 * time.Minute

// storeStart gives a shop without a start time its first checkpoint, and reports whether
// the walk may begin before that is committed. If it waits, the walk begins at the moment
// of the first start, however long the API refuses, and whichever worker gets its first
// answer.
func (w *walker) storeStart() (begins bool) {
	w.mu.Lock()
	switch {
	case w.state == nil && w.shop.Policy.Start == 0:
		w.state = w.beginAt(w.history.firstSeen())
		w.state.Unheard = true
		w.unkept = true
		poke(w.now)
	case w.state != nil && w.state.Unheard && w.shop.Policy.Start > 0:
		// The start was set before anything was read.
		w.state = w.beginAt(w.shop.Policy.Start)
		poke(w.soon)
	case w.state != nil && adopt(w.state, w.shop.Policy):
		w.dirty = true
	}
	if w.state != nil {
		w.status.started(w.state)
	}
	missing := unread(w.state, *w.shop)
	w.member.setUnread(missing)
	begins = !w.unkept
	w.mu.Unlock()
	if w.status.setUnread(missing) {
		w.log().Warn("the start time is earlier than where the walk began", "reason", missing)
	}
	return begins
}

// startKept notes that the first checkpoint is committed.
func (w *walker) startKept() {
	w.mu.Lock()
	w.unkept = false
	w.mu.Unlock()
	w.rest.wake()
}

// beginAt returns the checkpoint of a walk that has read nothing. The caller holds mu.
func (w *walker) beginAt(start int64) *offsets.Checkpoint {
	w.dirty = true
	return &offsets.Checkpoint{Watermark: start, Begin: start, Length: w.shop.Policy.Clamp(0)}
}

// hearFirst makes a call that tells the API's clock, unless another shop's does while
// this one waits for its turn.
func (w *walker) hearFirst(ctx context.Context) error {
	turn, err := w.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer turn.end()
	return w.shop.Client.Hear(ctx)
}

// begin waits for the API's clock, before which no window is planned. A shop with a
// start time gets its first checkpoint. The moment of a first start moves back by how
// far the API's clock is behind the local one, since orders have the API's times.
func (w *walker) begin(ctx context.Context) error {
	if _, heard := w.host.Now(); !heard {
		if err := w.hearFirst(ctx); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == nil {
		w.state = w.beginAt(w.shop.Policy.Start)
		poke(w.soon)
	}
	if w.state.Unheard {
		ours := time.Now()
		theirs, _ := w.host.Now()
		behind := ours.Sub(theirs)
		if behind > mostBehind {
			w.log().Warn("this machine's clock is far ahead of the API's at the first start: check both, and set a start time to be sure that the first orders are included",
				"ahead_by", behind.Round(time.Second), "counted", mostBehind)
			behind = mostBehind
		}
		start := min(w.state.Begin-int64(behind/time.Second), ours.Unix())
		w.state = w.beginAt(start)
		w.log().Info("the walk begins at the moment of the first start", "begin", time.Unix(start, 0).UTC().Format(time.RFC3339))
		poke(w.now)
	}
	w.status.started(w.state)
	return nil
}
