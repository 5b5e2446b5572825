package fleet

import (
	"fmt"
	"testing"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// A dry run tells what an edit makes a shop read again, as far as it is known.
func TestDifference(t *testing.T) {
	clock := time.Now()
	now := clock.Unix()
	p := window.Policy{Range: wechat.CreateTime, PageSize: 100, MaxWindow: time.Hour, MinWindow: time.Second, PollInterval: 10 * time.Second,
		SettleDelay: 3 * time.Second, Lookback: 10 * time.Minute, Concurrency: 2, Start: now - 10*86400}
	was := &offsets.Checkpoint{Watermark: now - 3600, Windows: []*offsets.Window{
		{Start: now - 7200, End: now - 3600, State: offsets.Waiting, Pass: 1, PageSize: 100}}}
	for i := range 300 {
		was.Windows[0].See(fmt.Sprint(3704612354559743232 + i))
	}
	at := func(watermark int64) *offsets.Checkpoint { return &offsets.Checkpoint{Watermark: watermark} }
	half := difference(was, at(now-5400), p, clock)
	if half.From != now-5400 || half.To != now-3600 || half.Orders != 150 || half.KnownSeconds != 1800 || half.Windows == 0 || half.Calls < 2 || half.Skipped != 0 {
		t.Errorf("half of the last window: %+v", half)
	}
	if day := difference(was, at(now-86400), p, clock); day.Orders != 300 || day.KnownSeconds != 3600 || day.Calls < 24 {
		t.Errorf("a day: %+v", day)
	}
	if ahead := difference(was, at(now-60), p, clock); ahead.Skipped != 3540 || ahead.Calls != 0 || ahead.SecondPasses != 1 {
		t.Errorf("ahead: %+v", ahead)
	}
	if reset := difference(was, nil, p, clock); !reset.Reset || reset.From != p.Start || reset.Calls < 240 {
		t.Errorf("reset: %+v", reset)
	}
	// A window that stays keeps its IDs, and its second pass.
	if same := difference(was, was, p, clock); same.Calls != 0 || same.SecondPasses != 0 || same.From != same.To {
		t.Errorf("the same: %+v", same)
	}
	open := &offsets.Checkpoint{Watermark: now - 7200, Windows: []*offsets.Window{{Start: now - 7200, End: now - 3600, State: offsets.Open, Pass: 1, PageSize: 100}}}
	if cut := difference(was, open, p, clock); cut.From != cut.To || cut.Orders != 0 {
		t.Errorf("the last window is read again and publishes nothing twice: %+v", cut)
	}
	// Of a backfill that reads two windows at once, the time before the new watermark is
	// not read to its end.
	two := &offsets.Checkpoint{Watermark: now - 7200, Windows: []*offsets.Window{
		{Start: now - 7200, End: now - 5400, State: offsets.Open, Pass: 1, PageSize: 100}, {Start: now - 5400, End: now - 3600, State: offsets.Open, Pass: 1, PageSize: 100}}}
	settled := &offsets.Checkpoint{Watermark: now - 5400, Windows: []*offsets.Window{
		{Start: now - 7200, End: now - 5400, State: offsets.Settled, Pass: 1, PageSize: 100}, two.Windows[1]}}
	for name, c := range map[string]struct {
		is              *offsets.Checkpoint
		unread, skipped int64
	}{
		"inside the second": {at(now - 4500), 2700, 0}, "inside the first": {at(now - 7000), 200, 0}, "beyond both": {at(now - 3000), 3600, 600}, "before both": {at(now - 9000), 0, 0},
		"one is settled": {settled, 1800, 0}, "the second is dropped": {&offsets.Checkpoint{Watermark: now - 7200, Windows: two.Windows[:1]}, 0, 0}, "the same": {two, 0, 0}, "reset": {nil, 0, 0},
	} {
		if got := difference(two, c.is, p, clock); got.Unread != c.unread || got.Skipped != c.skipped {
			t.Errorf("%s: %+v, want unread %d and skipped %d", name, got, c.unread, c.skipped)
		}
	}
	p.Start = 0
	if reset := difference(was, nil, p, clock); !reset.Reset || reset.Calls != 0 || reset.Skipped != 3600 || reset.SecondPasses != 1 {
		t.Errorf("reset of a shop without a start time: %+v", reset)
	}
	if first := difference(nil, at(now-60), p, clock); first.To != 0 || first.Calls != 0 {
		t.Errorf("nothing was stored: %+v", first)
	}
}
