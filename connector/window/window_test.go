package window

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"orderwalk/internal/wechat"
	"orderwalk/offsets"
)

// fixture is the API as a pure function, for properties of the windows alone.
type fixture struct {
	orders           []order // by time
	startOut, endOut bool    // the API does not count the first, the last second of a range in
	most             int     // 31042 above; 0 = no limit
}

type order struct {
	id string
	at int64
}

// list is one page; the token is the number of orders before it.
func (w *fixture) list(win *offsets.Window) (ids []string, next string, more, tooMany bool) {
	var all []string
	for _, o := range w.orders {
		if from := win.Asked(); (o.at > from || !w.startOut && o.at == from) && (o.at < win.End || !w.endOut && o.at == win.End) {
			all = append(all, o.id)
		}
	}
	if w.most > 0 && len(all) > w.most {
		return nil, "", false, true
	}
	from, _ := strconv.Atoi(win.Key)
	to := min(from+win.PageSize, len(all))
	return all[from:to], strconv.Itoa(to), to < len(all), false
}

// TestEachListedIDIsPublishedOnce drives the state of one shop through random
// interleavings of pages, refused tokens, halvings, second passes and restarts
// of the process from what was committed, for APIs that count the first and the
// last second of a range in and for those that do not.
func TestEachListedIDIsPublishedOnce(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 42))
		api := &fixture{startOut: seed/2%2 == 0, endOut: seed%2 == 0}
		span := 1 + rnd.Int64N(3000)
		short := seed%7 == 0
		if short {
			span = 1 + rnd.Int64N(30) // orders in each second of short windows
		}
		most := 400
		if short {
			most = 40
		}
		for i := range rnd.IntN(most) {
			api.orders = append(api.orders, order{strconv.Itoa(1000 + i), 1000 + rnd.Int64N(span)})
		}
		slices.SortFunc(api.orders, func(a, b order) int { return int(a.at - b.at) })
		if seed%3 == 0 && !short {
			api.most = 40
		}
		p := standard()
		p.Start, p.End = 1000, 1000+span-1
		p.PageSize, p.Concurrency = 1+rnd.IntN(20), 1+rnd.IntN(8)
		if seed%5 == 0 {
			p.Lookback = 0
		}
		length := 1 + rnd.Int64N(600)
		if short {
			length = 1 + rnd.Int64N(3)
			p.MaxWindow = time.Duration(length) * time.Second
		}
		if api.most > 0 {
			length = 60
		}
		runModel(t, rnd, api, p, length)
	}
}

func runModel(t *testing.T, rnd *rand.Rand, api *fixture, p Policy, length int64) {
	t.Helper()
	state := &offsets.Checkpoint{Watermark: p.Start, Length: length}
	now := time.Unix(p.End+100, 0)
	var stored offsets.Stored
	topic := make(map[string][]byte)
	published := make(map[string]int) // committed
	var outbox []string
	var pace Sizer
	commit := func() {
		for _, id := range outbox {
			published[id]++
		}
		outbox = nil
		stored.Update("g", offsets.Partition{Shop: "s", Range: "create_time"}, state, func(k, v []byte) {
			if v == nil {
				delete(topic, string(k))
			} else {
				topic[string(k)] = v
			}
		})
		sameOnTopic(t, topic, state)
	}
	last := state.Watermark
	for step := 0; ; step++ {
		if step > 200_000 {
			t.Fatal("does not come to an end")
		}
		if rnd.IntN(6) == 0 {
			commit()
		}
		if rnd.IntN(40) == 0 && len(topic) > 0 { // the process dies and another goes on
			l := offsets.Loader{Group: "g"}
			for k, v := range topic {
				l.Add([]byte(k), v)
			}
			lane := l.Load()
			if len(lane.Faults) > 0 {
				t.Fatal(lane.Faults)
			}
			shop := lane.Shops[offsets.Partition{Shop: "s", Range: "create_time"}]
			state, stored, outbox = shop.Checkpoint, shop.Stored, nil
			last = state.Watermark
			p.PageSize = 1 + rnd.IntN(20)
		}
		s := Next(state, now, p)
		Open(state, s.Open, p)
		for _, w := range s.Again {
			Reopen(state, w, p)
		}
		if s.Done {
			break
		}
		if len(s.Open) == 0 && s.Wait > 0 {
			now = now.Add(s.Wait)
		}
		var reading []*offsets.Window
		for _, w := range state.Windows {
			if w.State == offsets.Open {
				reading = append(reading, w)
			}
		}
		if len(reading) == 0 {
			continue
		}
		w := reading[rnd.IntN(len(reading))]
		if w.Opened == 0 {
			w.Opened = now.Unix()
		}
		switch rnd.IntN(20) {
		case 0:
			Restart(w, p)
			continue
		case 2:
			if w.Pages > 1 && divide(state, w, 1+rnd.Int64N(10), p) {
				continue
			}
		case 3:
			if Fit(state, w, p) != w {
				continue
			}
		case 1:
			if w.End-w.Start > 10 || w.End-w.Start > 1 && p.End-p.Start < 30 {
				Halve(state, w, p)
				continue
			}
		}
		ids, key, more, tooMany := api.list(w)
		if tooMany {
			pace.Refused()
			if !Halve(state, w, p) {
				t.Fatalf("window %d–%d cannot be halved", w.Start, w.End)
			}
			continue
		}
		got := Dedupe(state, w, wechat.CreateTime, ids, nil)
		outbox = append(outbox, got.Fresh...)
		w.Pages, w.Key = w.Pages+1, key
		if !more {
			if w.Pass == 1 {
				pace.Adapt(state, w, p)
			}
			Finish(state, w, p)
		}
		if state.Watermark < last {
			t.Fatalf("watermark went back from %d to %d", last, state.Watermark)
		}
		last = state.Watermark
	}
	commit()
	for _, o := range api.orders {
		if n := published[o.id]; n != 1 {
			t.Fatalf("order %s of second %d was published %d times (range %d–%d, start out %v, end out %v)", o.id, o.at, n, p.Start, p.End, api.startOut, api.endOut)
		}
	}
	if len(state.Windows) > 2 {
		t.Fatalf("%d windows are still tracked at the end", len(state.Windows))
	}
}

// sameOnTopic holds what a commit has written, which looks at what has changed
// alone, against all of the state.
func sameOnTopic(t *testing.T, topic map[string][]byte, state *offsets.Checkpoint) {
	t.Helper()
	l := offsets.Loader{Group: "g"}
	for k, v := range topic {
		l.Add([]byte(k), v)
	}
	lane := l.Load()
	for p, err := range lane.Faults {
		t.Fatalf("%v: %v", p, err)
	}
	stored := lane.Shops[offsets.Partition{Shop: "s", Range: "create_time"}].Checkpoint
	held := 0
	if len(stored.Windows) != len(state.Windows) || stored.Watermark != state.Watermark {
		t.Fatalf("%d windows from %d are on the topic, %d from %d in memory", len(stored.Windows), stored.Watermark, len(state.Windows), state.Watermark)
	}
	for i, w := range state.Windows {
		held += w.Seen.Len()
		has := stored.Windows[i]
		if has.Start != w.Start || has.End != w.End || has.State != w.State || has.Key != w.Key || has.Pages != w.Pages || has.Reach != w.Reach || has.PageSize != w.PageSize ||
			!slices.Equal(slices.Sorted(has.Seen.All()), slices.Sorted(w.Seen.All())) {
			t.Fatalf("window %d is on the topic as\n%+v\nand in memory\n%+v", i, has, w)
		}
	}
	if state.Held() != held {
		t.Fatalf("%d IDs are counted, %d are held", state.Held(), held)
	}
}

// TestLengthFollowsTheOrders: windows grow while they are empty, up to seven
// days, shrink when they are full, and an API that refuses a length is not
// asked for it again at once.
func TestLengthFollowsTheOrders(t *testing.T) {
	p := standard()
	state := &offsets.Checkpoint{Length: p.Clamp(0)}
	var a Sizer
	window := func(pages int) *offsets.Window {
		w := &offsets.Window{Start: 0, End: state.Length, Pages: pages}
		if pages > 1 {
			w.See("1")
		}
		return w
	}
	for range 10 {
		a.Adapt(state, window(1), p)
	}
	if state.Length != Longest {
		t.Errorf("empty windows grew to %d s, want seven days", state.Length)
	}
	for range 40 {
		a.Adapt(state, window(manyPages(p)+1), p)
	}
	if state.Length != 1 {
		t.Errorf("full windows shrank to %d s, want one second", state.Length)
	}
	a.Refused()
	a.Refused()
	for range 7 {
		a.Adapt(state, window(2), p)
		if state.Length != 1 {
			t.Fatal("grew again right after the API had refused that length")
		}
	}
	a.Adapt(state, window(2), p)
	if state.Length != 2 {
		t.Errorf("length is %d s after eight sparse windows, want 2", state.Length)
	}
}
