package connector

import (
	"context"
	"errors"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// openSweep begins a sweep of windows whose second pass is due. Its lists are read by the
// reader of the first window. The caller holds mu.
func (w *walker) openSweep(row []*offsets.Window, p window.Policy) {
	if row != nil {
		w.sweep = window.NewSweep(w.state, row, p)
		w.swept = w.sweep.End()
	}
}

// readSweep reads the lists of the sweep that begins with a window, if one does. done
// reports that the window is settled. A list that the API refuses, or that has several
// pages, leaves its windows to passes of their own.
func (w *walker) readSweep(ctx context.Context, win *offsets.Window) (done bool, err error) {
	w.mu.Lock()
	sweep := w.sweep
	w.mu.Unlock()
	if sweep == nil || sweep.First() != win {
		return false, nil
	}
	defer w.endSweep()
	for i, span := range sweep.Spans() {
		q := query(win, w.shop.Policy.Range, "")
		q.Start, q.End, q.Edge = span.Start, span.End, true
		page, err := w.request(ctx, win, q)
		var refusal *wechat.Error
		if errors.As(err, &refusal) && (refusal.Class == wechat.Shrink || refusal.Class == wechat.KeyRefused) {
			sweep.Listed(i, nil, true)
			continue
		}
		if err != nil {
			return false, err
		}
		sweep.Listed(i, page.IDs, page.More)
		w.answered(window.Deduped{Repeats: len(page.IDs)})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	settled := sweep.Finish(w.state, w.policy())
	w.onTime += settled
	if settled < sweep.Len() { // maybe the API counts an end out by now
		w.ends = min(w.ends, window.OneEnd)
	}
	w.dirty = true
	w.unstall()
	poke(w.soon)
	return win.State != offsets.Open, nil
}

func (w *walker) endSweep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sweep = nil
}
