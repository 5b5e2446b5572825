package connector

import (
	"time"
)

// changed checks that each change the API has shown has one record.
//
// A record stands for the latest change up to the end of its window: all of them had
// happened when the window was read, and lists show only the latest. So:
//
//   - no two records of an order stand for the same change;
//   - the latest change of each order has a record, once the walk has passed it;
//   - so has a change that was superseded only after the walk had passed it, if the
//     API has shown it. Those superseded before may come as one.
func (c *claim) changed() {
	type moment struct {
		at     int64
		status int
	}
	history := make(map[string][]moment)
	for _, change := range c.api.Changes(c.walk.appID, time.Time{}, time.Time{}) {
		moments := history[change.ID]
		if n := len(moments); n > 0 && moments[n-1].at == change.At { // two within a second count as one
			moments[n-1].status = change.Status
			continue
		}
		history[change.ID] = append(moments, moment{change.At, change.Status})
	}
	shown := c.shown()
	skew := c.parse(c.life.lasting).ClockSkew
	for id, moments := range history {
		there := make(map[int64]int)
		for _, r := range c.records[id] {
			of := int64(-1)
			for _, m := range moments {
				if m.at <= r.WindowEnd {
					of = m.at
				}
			}
			if there[of]++; of < r.WindowStart-1 { // the range sent may begin a second earlier
				c.wrong("order %s with changes %v came in window %d–%d", id, moments, r.WindowStart, r.WindowEnd)
			}
			if there[of] > 1 {
				c.wrong("the change of order %s at %d, of %v, is there %d times: %+v", id, of, moments, there[of], c.records[id])
			}
			if of < c.walk.start-1 && !c.life.startNow || c.most > 0 && of > c.most+1 {
				c.wrong("the change of order %s at %d is not of the range", id, of)
			}
		}
		for i, m := range moments {
			switch {
			case m.at < c.from || m.at > c.to || there[m.at] > 0 || c.walk.status != 0 && m.status != c.walk.status:
			case i == len(moments)-1:
				c.wrong("the latest change of order %s at %d, of %v, is lost; there are %+v", id, m.at, moments, c.records[id])
			case shown[id][m.at] && !c.life.counting() && c.passed(m.at, time.Unix(moments[i+1].at, 0).Add(-skew)):
				c.wrong("the change of order %s at %d, of %v, was shown and is lost; there are %+v", id, m.at, moments, c.records[id])
			}
		}
		delete(c.records, id)
	}
	for id := range c.records {
		c.wrong("order %s does not exist", id)
	}
	if c.bad > 5 {
		c.Errorf("%s: %d faults like these", c.walk.name, c.bad)
	}
}

// shown returns the changes that any answer has shown, by order.
func (c *claim) shown() map[string]map[int64]bool {
	history := make(map[string][]int64)
	for _, change := range c.api.Changes(c.walk.appID, time.Time{}, time.Time{}) {
		history[change.ID] = append(history[change.ID], change.At)
	}
	shown := make(map[string]map[int64]bool)
	for _, call := range c.listed() {
		if call.AppID != c.walk.appID || call.Update == nil || call.Outcome != "0" {
			continue
		}
		for _, id := range call.OrderIDs {
			latest := int64(0)
			for _, at := range history[id] {
				if at <= call.Update.End {
					latest = max(latest, at)
				}
			}
			note(shown, id, latest)
		}
	}
	return shown
}

// passed reports whether the committed watermark was after second before a given
// moment.
func (c *claim) passed(second int64, before time.Time) bool {
	for _, m := range c.history {
		if m.watermark > second && m.at.Before(before) {
			return true
		}
	}
	return false
}

// counting reports whether page tokens counted orders for a while. An order that is
// hidden when another one leaves is found by a second pass, if it still is in the
// range.
func (l *life) counting() bool { return l.has("offset_keys") || l.lag > 0 }
