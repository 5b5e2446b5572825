package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/desired"
	"orderwalk/internal/forecast"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// NotStoppedError is an alteration of offsets of a shop that is not stopped.
type NotStoppedError struct{ Name string }

func (e *NotStoppedError) Error() string {
	return fmt.Sprintf("shop %s is not stopped: its offsets can be altered only while it is", e.Name)
}

// Offsets lists what is committed of a shop, in Kafka Connect's form. It returns an
// *UnknownError, ErrStarting, a *connector.MisplacedError, why the checkpoint cannot be
// read, or an error of Kafka.
func (f *Fleet) Offsets(ctx context.Context, name string) ([]offsets.Entry, error) {
	shop, err := f.find(ctx, name)
	if err != nil {
		return nil, err
	}
	stored, err := f.conn.Offsets(ctx, shop)
	if err == nil && stored.Fault == nil && stored.Checkpoint == nil {
		err = f.conn.Misplaced(ctx, shop)
	}
	switch {
	case errors.Is(err, connector.ErrStarting):
		return nil, ErrStarting
	case err != nil:
		return nil, err
	case stored.Fault != nil:
		return nil, stored.Fault
	case stored.Checkpoint == nil:
		return []offsets.Entry{}, nil
	}
	return offsets.Entries(stored.Partition, stored.Checkpoint), nil
}

// Again is what an alteration of offsets makes a shop read again.
type Again struct {
	// From and To bound the time that is read again, in unix seconds: from the new
	// watermark, or the end of the windows that stay after it, to where the walk was. To
	// is 0 if nothing was stored.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Reset reports that the shop begins at its start time, or now if it has none.
	Reset bool `json:"reset,omitempty"`
	// Windows and Calls are how many windows and list calls that takes at least, Orders
	// how many orders of that time the stored windows have listed. Of times whose windows
	// are not stored any more nothing is known: see KnownSeconds.
	Windows int `json:"windows"`
	Calls   int `json:"calls"`
	Orders  int `json:"orders_known"`
	// KnownSeconds is how much of the time Orders covers.
	KnownSeconds int64 `json:"orders_known_seconds"`
	// Skipped is the time between the old and a later new watermark, in seconds, whose
	// orders are not read.
	Skipped int64 `json:"skipped_seconds,omitempty"`
	// Unread is how many seconds of windows that are being read will not be read to their
	// ends: their remaining orders are not published. Skipped begins after them.
	Unread int64 `json:"unread_seconds,omitempty"`
	// SecondPasses is how many windows before From lose their second pass: orders that
	// become visible there from now on are not published.
	SecondPasses int `json:"second_passes_dropped,omitempty"`
	// Damaged reports that what is stored cannot be read, so nothing is known of it.
	Damaged bool `json:"damaged,omitempty"`
}

// Alter applies entries to what is committed of a stopped shop, or with dry only says
// what they would do. No entries reset the shop. It returns an *UnknownError, a
// *NotStoppedError, an *offsets.EntryError, ErrStarting, connector.ErrBusy, or an error of
// Kafka.
func (f *Fleet) Alter(ctx context.Context, name string, entries []offsets.Entry, dry bool) (Again, error) {
	shop, err := f.find(ctx, name)
	if err != nil {
		return Again{}, err
	}
	var again Again
	edit := func(s connector.Stored) (*offsets.Checkpoint, error) {
		if !dry { // at each attempt: it may have been resumed in between
			if err := f.desired.CatchUp(ctx); err != nil {
				return nil, ErrStarting
			}
			if err := f.alterable(shop); err != nil {
				return nil, err
			}
		}
		reset := entries == nil
		var edited *offsets.Checkpoint
		if !reset {
			var err error
			if edited, err = offsets.Edit(s.Partition, s.Checkpoint, entries, time.Now().Unix()); err != nil {
				return nil, err
			}
		}
		again = difference(s.Checkpoint, edited, shop.Policy, time.Now())
		again.Damaged = s.Fault != nil
		if dry {
			return nil, errDry
		}
		return edited, nil
	}
	if dry {
		var stored connector.Stored
		if stored, err = f.conn.Offsets(ctx, shop); err == nil {
			_, err = edit(stored)
		}
	} else {
		err = f.conn.Alter(ctx, shop, edit)
	}
	switch {
	case errors.Is(err, errDry):
		err = nil
	case errors.Is(err, connector.ErrStarting):
		err = ErrStarting
	}
	return again, err
}

// alterable returns why the offsets of a shop must not be altered, by the state that has been
// read: it is not stopped, or another shop that has them is not, to which this one has given
// way. It returns connector.ErrBusy if they are not the shop's any more.
func (f *Fleet) alterable(shop connector.Shop) error {
	if now := f.configured(shop); !sameOffsets(now, shop) {
		return connector.ErrBusy
	}
	if f.desired.Of(shop.Name).Target != desired.Stopped {
		return &NotStoppedError{shop.Name}
	}
	for s := range f.shops() {
		if sameOffsets(s, shop) && sameOffsets(f.configured(s), shop) && f.desired.Of(s.Name).Target != desired.Stopped {
			return &NotStoppedError{s.Name}
		}
	}
	return nil
}

func sameOffsets(a, b connector.Shop) bool {
	return a.AppID == b.AppID && a.Policy.Range == b.Policy.Range
}

// configured returns a shop with the app ID and time range that it has by its latest
// configuration, which the connector may not have been given yet.
func (f *Fleet) configured(shop connector.Shop) connector.Shop {
	if now, created := f.cfg.Roster.Created(shop.Name); created {
		shop.AppID, shop.Policy.Range = now.AppID, wechat.Range(now.TimeRange)
	}
	return shop
}

var errDry = errors.New("nothing is changed in a dry run")

// stays reports whether a checkpoint has a window, which then keeps the IDs it has listed.
func stays(c *offsets.Checkpoint, w *offsets.Window) bool {
	i, found := c.Find(w.Start)
	return found && c.Windows[i].End == w.End
}

// difference says what is read again, or not at all, after an edit.
func difference(was, is *offsets.Checkpoint, p window.Policy, now time.Time) (a Again) {
	a.Reset = is == nil
	a.From = cmp.Or(p.Start, now.Unix())
	if is != nil {
		a.From = is.Watermark
	}
	if was == nil {
		return a
	}
	a.To = was.Frontier()
	if is != nil {
		for _, w := range is.Windows {
			if w.Start == a.From && stays(was, w) {
				a.From = w.End
			}
		}
	}
	for _, w := range was.Windows {
		late := w.State == offsets.Waiting || w.State == offsets.Open && w.Pass == 2
		if late && w.Start < a.From && (is == nil || !stays(is, w)) {
			a.SecondPasses++
		}
	}
	a.Unread = dropped(was, is, a.From)
	if a.From >= a.To {
		a.Skipped = max(0, a.From-a.To)
		return a
	}
	var known forecast.Density
	for _, w := range was.Windows {
		if from := max(w.Start, a.From); from < w.End {
			known = append(known, forecast.Piece{Start: w.Start, End: w.End, PerSecond: float64(w.Seen.Len()) / float64(w.End-w.Start)})
			a.KnownSeconds += w.End - from
		}
	}
	p.Start, p.End = a.From, a.To-1
	effort := forecast.Play(p, now, forecast.Pattern{Density: known, PerSecond: 1000})
	a.Windows, a.Calls = effort.Windows, effort.First+effort.Second
	a.Orders = known.Orders(a.From, a.To)
	return a
}

// dropped returns how many seconds of windows in their first pass are not read any more
// after an edit, which makes the walk go on at from.
func dropped(was, is *offsets.Checkpoint, from int64) (seconds int64) {
	var next []*offsets.Window
	end := from
	if is != nil && len(is.Windows) > 0 {
		next, end = is.Windows, is.Frontier()
	}
	for _, w := range was.Windows {
		if w.Finished() {
			continue
		}
		seconds += max(0, min(w.End, end)-w.Start)
		for _, n := range next {
			if n.State != offsets.Settled {
				seconds -= max(0, min(w.End, n.End)-max(w.Start, n.Start))
			}
		}
	}
	return seconds
}

// find returns a shop by its name, or by its app ID if it is the only shop of it. A shop
// that is not known may have been created at another worker a moment ago: then the latest
// state is read.
func (f *Fleet) find(ctx context.Context, name string) (connector.Shop, error) {
	shop, err := f.named(name)
	if err != nil && f.latest(ctx) {
		shop, err = f.named(name)
	}
	return shop, err
}

func (f *Fleet) named(name string) (connector.Shop, error) {
	var byID []connector.Shop
	for s := range f.shops() {
		if s.Name == name {
			return f.configured(s), nil
		}
		if s.AppID == name && f.configured(s).AppID == name {
			byID = append(byID, f.configured(s))
		}
	}
	if len(byID) == 1 {
		return byID[0], nil
	}
	return connector.Shop{}, &UnknownError{name}
}
