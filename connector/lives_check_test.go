package connector

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
	"orderwalk/offsets"
	"orderwalk/simulator"
)

// taken is an order record of the orders topic, as another Kafka client reads it.
type taken struct {
	orderValue
	at time.Time
}

// check compares the final content of the topics with the simulator's data.
func (s *stage) check(calm time.Time) {
	marks := s.watermarks()
	orders := make(map[offsets.Partition]map[string][]taken)
	for _, r := range s.allPublished() {
		v := decodeOrder(s, r)
		p := offsets.Partition{Shop: v.Shop, Range: v.TimeRange}
		if orders[p] == nil {
			orders[p] = make(map[string][]taken)
		}
		at, err := time.Parse(time.RFC3339, v.ObservedAt)
		if err != nil {
			s.Fatalf("record %s: %v", r.Value, err)
		}
		orders[p][v.OrderID] = append(orders[p][v.OrderID], taken{v, at})
	}
	for i, w := range s.life.walks {
		p := offsets.Partition{Shop: w.appID, Range: string(w.kind)}
		history := marks[p]
		if len(history) == 0 {
			s.Errorf("%s has no checkpoint", w.name)
			continue
		}
		// Orders must be published up to END_TIME or the walk's watermark; late ones, up
		// to where the second pass has come.
		from, to := w.start, s.life.last.end
		if s.life.startNow {
			from = s.began.Unix() + 10 + max(0, int64(s.parse(s.life.lasting).ClockSkew/time.Second))
		}
		if !s.life.bounded {
			to = history[len(history)-1].watermark - 1
			if s.life.lag > 0 {
				to = min(to, calm.Unix())
			}
		} else if last := history[len(history)-1].watermark; last != to+1 {
			s.Errorf("%s ends with watermark %d, END_TIME is %d", w.name, last, to)
		}
		c := claim{stage: s, walk: w, history: history, records: orders[p], from: from, to: to, most: s.life.mostEnd(), slack: s.policy(i)}
		if w.kind == wechat.CreateTime {
			c.created()
		} else {
			c.changed()
		}
		delete(orders, p)
	}
	for p, left := range orders {
		s.Errorf("%d orders of %v, which no walk is about", len(left), p)
	}
	for violation, n := range s.api.Stats().Violations {
		// narrow requests single seconds, which the API may refuse; of an API that is
		// silent about everything it is found out whether it refuses what is wrong.
		asked := violation == "point_range" || s.life.silent && (violation == "next_key_unknown" || violation == "range_order")
		if !asked {
			s.Errorf("the API was asked wrongly %d times: %s", n, violation)
		}
	}
	s.frozen()
}

// policy returns the first policy of a walk.
func (s *stage) policy(i int) window.Policy { return s.life.first.policies[i] }

// mostEnd returns the latest END_TIME of the life; 0 = none.
func (l *life) mostEnd() int64 { return max(l.first.end, l.last.end) }

// marked is one committed checkpoint.
type marked struct {
	watermark int64
	at        time.Time // when the record was written
}

// watermarks reads the committed checkpoints of all shops in commit order, and checks
// that no watermark goes back or passes now.
func (s *stage) watermarks() map[offsets.Partition][]marked {
	all := make(map[offsets.Partition][]marked)
	for _, r := range s.topic(s.name + ".offsets") {
		p, watermark, ok := checkpointOf(r)
		if !ok {
			continue
		}
		history := all[p]
		// Without START_TIME the first answer may move the begin back, by as much as the
		// API's clock is behind.
		n := len(history)
		begins := s.life.startNow && n > 0 && history[n-1].watermark == history[0].watermark && watermark > history[0].watermark-120
		if n > 0 && watermark < history[n-1].watermark && !begins {
			s.Errorf("the watermark of %v goes back from %d to %d", p, history[n-1].watermark, watermark)
		}
		if latest := r.Timestamp.Add(-time.Second).Unix(); len(history) > 0 && watermark > history[0].watermark && watermark > latest { // the least SETTLE_DELAY of all lives
			s.Errorf("the watermark of %v is %d at %d", p, watermark, r.Timestamp.Unix())
		}
		all[p] = append(history, marked{watermark, r.Timestamp})
	}
	return all
}

// checkpointOf decodes a shop's own record of the offsets topic, knowing only the
// contract.
func checkpointOf(r *kgo.Record) (p offsets.Partition, watermark int64, ok bool) {
	var key []json.RawMessage
	var source map[string]any
	if json.Unmarshal(r.Key, &key) != nil || len(key) != 2 || json.Unmarshal(key[1], &source) != nil || len(source) != 2 {
		return p, 0, false
	}
	p.Shop, _ = source["shop"].(string)
	p.Range, _ = source["range"].(string)
	var value struct {
		Watermark *int64 `json:"watermark"`
	}
	if p.Shop == "" || p.Range == "" || json.Unmarshal(r.Value, &value) != nil || value.Watermark == nil {
		return p, 0, false
	}
	return p, *value.Watermark, true
}

// frozen checks that every page token was sent under the parameters of the call that
// returned it, if the caller got that answer.
func (s *stage) frozen() {
	issued := make(map[string]simulator.ListCall)
	bad := 0
	for _, c := range s.listed() {
		if was, ok := issued[c.NextKey]; ok && c.NextKey != "" {
			if !same(was.Create, c.Create) || !same(was.Update, c.Update) || was.PageSize != c.PageSize || was.OpenID != c.OpenID || (was.Status == nil) != (c.Status == nil) || was.Status != nil && *was.Status != *c.Status {
				if bad++; bad < 4 {
					s.Errorf("a token given for %+v was sent with %+v", was, c)
				}
			}
		}
		if c.Next != "" {
			issued[c.Next] = c
		}
	}
}

func same(a, b *simulator.Range) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// agree checks, while no worker runs, that the published orders match the checkpoints:
// invariant 1.
func (s *stage) agree() {
	published := make(map[offsets.Partition]map[string]bool)
	for _, r := range s.allPublished() {
		v := decodeOrder(s, r)
		p := offsets.Partition{Shop: v.Shop, Range: v.TimeRange}
		if published[p] == nil {
			published[p] = make(map[string]bool)
		}
		published[p][v.OrderID] = true
	}
	checkpoints := s.checkpoints()
	for _, w := range s.life.walks {
		p := offsets.Partition{Shop: w.appID, Range: string(w.kind)}
		c := checkpoints[p]
		if c == nil {
			if n := len(published[p]); n > 0 {
				s.Errorf("%d orders of %v are published and there is no checkpoint", n, p)
			}
			continue
		}
		for _, win := range c.Windows {
			for id := range win.Seen.All() {
				if !published[p][id] {
					s.Errorf("the checkpoint of %v has seen %s, which is not published", p, id)
				}
			}
		}
		if w.kind == wechat.CreateTime {
			s.agreeOnOrders(p, c, published[p])
		}
	}
}

// agreeOnOrders checks that no order is published before its window was opened, and of
// an open window only orders that the checkpoint has seen, in it or in a neighbour.
func (s *stage) agreeOnOrders(p offsets.Partition, c *offsets.Checkpoint, published map[string]bool) {
	seen := func(id string) bool {
		return slices.ContainsFunc(c.Windows, func(w *offsets.Window) bool { return w.Seen.Has(id) })
	}
	for _, o := range s.api.Orders(p.Shop, time.Time{}) {
		if !published[o.ID] {
			continue
		}
		if o.Created > c.Frontier() && !seen(o.ID) { // those of early lists are
			s.Errorf("order %s of %d is published and the windows of %v end at %d", o.ID, o.Created, p, c.Frontier())
		}
		for _, win := range c.Windows {
			if win.State == offsets.Open && win.Pass == 1 && o.Created > win.Start && o.Created < win.End && !seen(o.ID) {
				s.Errorf("order %s of %d is published, stands in the open window %d–%d of %v and has not been seen", o.ID, o.Created, win.Start, win.End, p)
			}
		}
	}
}

// claim is what must be true of one walk.
type claim struct {
	*stage
	walk     walk
	history  []marked
	records  map[string][]taken
	from, to int64 // all orders of these seconds must be published
	most     int64 // orders of later seconds must not be published; 0 = no limit
	slack    window.Policy
	bad      int
}

func (c *claim) wrong(format string, args ...any) {
	if c.bad++; c.bad <= 5 {
		c.Errorf("%s: %s", c.walk.name, fmt.Sprintf(format, args...))
	}
}

// created checks that each order of the range is published once, and none of another
// time.
func (c *claim) created() {
	known := make(map[string]bool)
	for _, o := range c.api.Orders(c.walk.appID, time.Time{}) {
		known[o.ID] = true
		got := c.records[o.ID]
		switch {
		case len(got) > 1:
			c.wrong("order %s of %d is there %d times: %+v", o.ID, o.Created, len(got), got)
		case len(got) == 0 && o.Created >= c.from && o.Created <= c.to:
			c.wrong("order %s of %d is lost", o.ID, o.Created)
		}
		for _, r := range got {
			if o.Created < r.WindowStart-1 || o.Created > r.WindowEnd { // the range sent may begin a second earlier
				c.wrong("order %s of %d came in window %d–%d", o.ID, o.Created, r.WindowStart, r.WindowEnd)
			}
			if o.Created < c.walk.start-1 && !c.life.startNow || c.most > 0 && o.Created > c.most+1 {
				c.wrong("order %s of %d is not of the range", o.ID, o.Created)
			}
		}
	}
	for id := range c.records {
		if !known[id] {
			c.wrong("order %s does not exist", id)
		}
	}
	if c.bad > 5 {
		c.Errorf("%s: %d faults like these", c.walk.name, c.bad)
	}
}
